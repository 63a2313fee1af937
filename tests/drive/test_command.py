"""The commands: what a pipe gets, what a program gets, and the page in docs/ that shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from inference_rollouts.cli import drive as verb
from inference_rollouts.cli.drive_show import Show
from inference_rollouts.drive import clock
from inference_rollouts.drive.events import Event, Wait
from tests.conftest import ROOT
from tests.drive.playing import BEGAN, FAIL, World, checks_at, world
from tests.edit.project import GOLDEN, Answer, Project, check_golden


@pytest.fixture
def played(tmp_path, monkeypatch) -> World:
    """A project whose stack a command finds, with a scripted world instead of the real one."""
    made = world(tmp_path, monkeypatch, "prepare", steps="[10, 50, 100]", bake="10m", checks="[{ name: error-ratio }]")
    for name in ("Pulumi.yaml", "__main__.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    made.bake = 600
    made.engine.command = SimpleNamespace(running=False)  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verb, "engine_of", lambda _file: made.engine)
    monkeypatch.setattr(verb, "SystemClock", lambda: made)
    monkeypatch.setattr(verb, "LiveAsker", lambda _subject: made)
    monkeypatch.setattr(verb, "backups", lambda: tmp_path / "backups")
    return made


def rollout(*arguments: str) -> Answer:
    return Project(Path.cwd()).rollout(*arguments)


def test_a_pipe_gets_plain_lines(played):
    found = rollout("run", "node-update", "--yes")

    assert (found.code, found.err) == (0, "")
    check_golden(GOLDEN / "drive" / "run.txt", found.out)


def test_a_run_that_falls_back_says_why(played):
    played.answer = checks_at(50, FAIL)
    found = rollout("run", "node-update", "--yes")

    assert found.code == 3
    check_golden(GOLDEN / "drive" / "run-falls.txt", found.out)


def test_a_recovery_says_what_it_finds_and_does(played):
    played.subject.write(10)
    found = rollout("recover", "node-update", "--yes")

    assert found.code == 0
    check_golden(GOLDEN / "drive" / "recover.txt", found.out)


def test_a_watch_says_what_it_sees(played):
    rollout("run", "node-update", "--until", "10", "--yes")
    played.times.clear()
    played.answer = checks_at(10, FAIL, first=3)
    found = rollout("watch", "node-update", "--for", "1h", "--abort")

    assert found.code == 3
    check_golden(GOLDEN / "drive" / "watch.txt", found.out)


@pytest.mark.parametrize("name", ["run", "run-falls", "watch", "recover"])
def test_the_page_shows_what_the_commands_say(name):
    page = (ROOT / "docs" / "run.md").read_text("utf-8")
    shown = (GOLDEN / "drive" / f"{name}.txt").read_text("utf-8")

    assert f"```\n$ rollout {name.partition('-')[0]} " in page
    assert shown in page, f"docs/run.md does not show golden/drive/{name}.txt as it is"


def test_a_program_gets_one_document(played):
    found = rollout("run", "node-update", "--until", "10", "--yes", "--json")

    document = json.loads(found.out)
    assert (found.code, found.err) == (0, "")
    assert (document["ended"], document["stage"], document["next"]) == ("reached", 10, "rollout run node-update llm")
    assert [event["event"] for event in document["events"]][:4] == ["plan", "preview", "checks", "write"]
    assert document["events"][0]["at"] == "2026-11-24T12:00:00+00:00"


def test_without_yes_nothing_is_done_in_a_pipe(played):
    before = played.engine.file.read_bytes()
    found = rollout("run", "node-update")

    assert found.code == 1
    assert found.err == "nothing was changed: this is no terminal to ask on; add --yes to go on without asking\n"
    assert (played.engine.file.read_bytes(), played.deployed) == (before, "prepare")


def test_a_refusal_is_a_sentence_and_exit_code_3(played):
    played.subject.write(50)
    found = rollout("run", "node-update", "--yes")

    assert (found.code, found.out) == (3, "")
    assert found.err.startswith("service llm: the file says 50, and prepare is deployed")


def test_a_refusal_is_one_document_for_a_program_too(played):
    played.subject.write(50)
    found = rollout("run", "node-update", "--yes", "--json")

    document = json.loads(found.out)
    assert (found.code, document["ended"], document["events"]) == (3, "refused", [])
    assert document["sentence"] == found.err.strip()


@pytest.mark.parametrize("arguments", [["run", "node-update"], ["watch", "node-update"], ["recover", "node-update"]])
def test_without_the_pulumi_cli_one_sentence_says_how_to_get_it(tmp_path, monkeypatch, arguments):
    world(tmp_path, monkeypatch, 10)
    for name in ("Pulumi.yaml", "__main__.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = rollout(*arguments)

    assert (found.code, found.out) == (1, "")
    assert found.err.count("\n") == 1
    assert "https://www.pulumi.com/docs/install/" in found.err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400)])
def test_times_are_written_as_in_the_stack_file(text, seconds):
    assert verb.seconds("--for", text) == seconds


@pytest.mark.parametrize("option", [["--interval", "soon"], ["--interval", "0s"], ["--patience", "-1"], ["--failures", "0"]])
def test_times_that_are_none_are_usage(played, option):
    assert rollout("run", "node-update", *option).code == 2


def test_a_terminal_gets_a_bar_that_leaves_nothing_behind(capsys):
    from rich.console import Console

    console = Console(force_terminal=True, width=100, highlight=False)
    with Show(console, quiet=False) as show:
        show.told(Wait(sentence="service llm at 10, next 25", left=300, total=600))
        show._progress.refresh()  # pyright: ignore[reportOptionalMemberAccess]
        show.told(Event(at=BEGAN, kind="rung", sentence="service llm stands at 25", stage=25))

    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
    assert "service llm at 10, next 25" in plain
    assert "5m left" in plain
    assert plain.rstrip().endswith("12:00:00  service llm stands at 25")


def test_ctrl_c_is_heard_as_a_wish_and_given_back_afterwards():
    import os
    import signal

    before = signal.getsignal(signal.SIGINT)
    cancelled: list[int] = []
    numbers: list[int] = []
    stop = clock.Stop(lambda: cancelled.append(1), numbers.append)
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
        assert (stop.wished, cancelled) == (True, [])
        os.kill(os.getpid(), signal.SIGTERM)

    assert (numbers, cancelled) == ([1, 2], [1])
    assert signal.getsignal(signal.SIGINT) is before
