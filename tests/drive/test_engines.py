"""What every engine does alike: the scripted one, and the Automation API over a fake CLI and, where there is one, the real."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from inference_rollouts.drive.automation import PulumiEngine
from inference_rollouts.drive.engine import EngineFailure, Locked
from inference_rollouts.drive.subject import Subject
from inference_rollouts.edit.meaning import Place
from inference_rollouts.errors import InputError
from tests.drive.engines import STACK, calls, fake_cli, make_project, real_cli, scripted
from tests.drive.playing import World


@pytest.fixture
def file(tmp_path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture(params=["scripted", "fake", "cli"])
def engine(request, tmp_path, file, monkeypatch):
    """An engine whose stack is deployed at 10."""
    folder = tmp_path / "project"
    if request.param == "scripted":
        made = scripted(folder)
    else:
        {"fake": fake_cli, "cli": real_cli}[request.param](folder, tmp_path / "cli", monkeypatch)
        made = PulumiEngine(folder, STACK, file)
    assert made.up("first", lambda _: None).done
    return made


def put(file: Path, stage: object) -> None:
    Subject(file, STACK, Place("llm")).write(stage)  # pyright: ignore[reportArgumentType]


def stage(engine) -> object:
    return engine.deployed().records["llm"].pools.stage


def test_a_preview_tells_what_an_update_does_and_changes_nothing(engine, file):
    with Subject(file, STACK, Place("llm")).draft(25) as draft:
        found = engine.preview(draft)

    assert found.done
    (changed,) = [operation for operation in found.operations if operation.op != "same"]
    assert (changed.op, changed.type, changed.name) == ("update", "inference-rollouts:index:ModelService", "llm")
    assert any(path.startswith("pools") for path in changed.diff)
    assert stage(engine) == 10
    assert "stage: 10" in file.read_text("utf-8")


def test_an_update_moves_the_record_and_tells_its_operations(engine, file):
    put(file, 25)
    begun = []

    found = engine.up("rollout: service llm 10 → 25", begun.append)

    assert (found.done, stage(engine)) == (True, 25)
    assert [operation.name for operation in begun] == ["llm"]


def test_an_update_to_another_file_leaves_the_stacks_own_as_it_is(engine, file):
    whole = file.read_bytes()
    file.write_text("config: [", "utf-8")
    with Subject(file, STACK, Place("llm")).draft("prepare", whole) as draft:
        assert engine.up("back", lambda _: None, draft).done

    assert (stage(engine), file.read_text("utf-8")) == ("prepare", "config: [")


def test_what_the_guard_refuses_comes_back_in_its_own_words_and_changes_nothing(engine, file):
    put(file, 100)
    sentence = "service llm: 10 to 100 skips a rung; a rollout goes up one rung at a time, and the next one is 25"

    for found in (engine.preview(file), engine.up("too far", lambda _: None)):
        assert (found.ended, found.reasons) == ("refused", (sentence,))
    assert stage(engine) == 10


def test_a_backup_is_the_state_and_nobody_elses_and_never_overwrites(engine, tmp_path):
    path = tmp_path / "state.json"
    engine.backup(path)

    assert json.loads(path.read_text("utf-8"))["deployment"]["resources"]
    if isinstance(engine, PulumiEngine):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(EngineFailure):
        engine.backup(path)


def test_a_driver_takes_the_rollout_up_on_it(engine, file, tmp_path):
    world = World(tmp_path, STACK, engine, Place("llm"))
    engine.file = file
    last = world.run("50")

    assert (last.kind, last.code, stage(engine)) == ("reached", 0, 50)
    assert [event.stage for event in world.told if event.kind == "rung"] == [25, 50]
    assert "stage: 50" in file.read_text("utf-8")


# --- what only a fake CLI can be made to do ---------------------------------------------------------------------------


def deployed(tmp_path, file, monkeypatch, **script) -> tuple[PulumiEngine, Path]:
    home = tmp_path / "cli"
    fake_cli(tmp_path / "project", home, monkeypatch)
    engine = PulumiEngine(tmp_path / "project", STACK, file)
    assert engine.up("first", lambda _: None).done
    changed = json.loads((home / "script.json").read_text("utf-8")) | script
    (home / "script.json").write_text(json.dumps(changed), "utf-8")
    return engine, home


def test_a_lock_is_told_from_other_failures_and_cancel_takes_it_away(tmp_path, file, monkeypatch):
    lock = "the stack is currently locked by 1 lock(s).\n  created by ci@runner-7 (pid 285)"
    engine, _ = deployed(tmp_path, file, monkeypatch, lock=lock)
    put(file, 25)

    found = engine.up("x", lambda _: None)
    assert (found.ended, found.reasons[1]) == ("locked", "created by ci@runner-7 (pid 285)")
    with pytest.raises(Locked, match="ci@runner-7"):
        engine.refresh([], clear_pending_creates=False)
    engine.cancel()
    assert engine.up("x", lambda _: None).done


def test_an_update_that_fails_says_why(tmp_path, file, monkeypatch):
    engine, _ = deployed(tmp_path, file, monkeypatch, fails={"ModelService": "timed out waiting"})
    put(file, 25)

    found = engine.up("x", lambda _: None)

    assert (found.ended, found.reasons) == ("failed", ("ModelService llm: timed out waiting",))


OTHER = """
    other: { serving: other, route: { hostnames: [other.example.com] }, versions: { other: { external: { pool: theirs } } } }
"""


def test_a_wish_to_cancel_reaches_the_update_that_runs_and_nothing_else(tmp_path, file, monkeypatch):
    engine, home = deployed(tmp_path, file, monkeypatch, slow=3)
    put(file, 25)
    file.write_text(file.read_text("utf-8") + OTHER, "utf-8")
    (home / "up.begun").unlink()
    (home / "begins").unlink()
    ended = []
    runs = threading.Thread(target=lambda: ended.append(engine.up("x", lambda _: None)))
    runs.start()
    while not (home / "up.begun").exists():
        time.sleep(0.05)
    process = engine.command._running
    assert process is not None
    assert os.getpgid(process.pid) != os.getpgid(0), "Ctrl-C in the terminal must not reach Pulumi by itself"
    while not (home / "begins").exists():
        time.sleep(0.05)
    engine.interrupt()
    runs.join(60)

    assert ended[0].ended == "cancelled"
    assert stage(engine) == 25, "the operation that had begun was let to its end"
    assert "other" not in engine.deployed().records


def test_ctrl_c_that_nobody_listens_to_cancels_the_command_and_waits_for_its_end(tmp_path, file, monkeypatch):
    engine, home = deployed(tmp_path, file, monkeypatch, slow=3)
    put(file, 25)
    (home / "begins").unlink()

    def press() -> None:
        while not (home / "begins").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        engine.up("x", lambda _: None)

    process = engine.command._running
    assert process is not None
    assert process.poll() is not None, "nothing goes on behind the user's back"
    assert stage(engine) == 25, "the operation that had begun was let to its end"


def test_the_stack_file_of_the_project_is_named_and_no_stack_gets_selected(tmp_path, file, monkeypatch):
    _, home = deployed(tmp_path, file, monkeypatch)

    assert [call for call in calls(home) if "select" in call] == []
    (up,) = [call for call in calls(home) if "up" in call]
    assert up[up.index("--config-file") + 1] == str(file)
    assert ["--show-secrets"] not in calls(home)


def test_pending_creates_are_cleared_only_when_asked(tmp_path, file, monkeypatch):
    engine, home = deployed(tmp_path, file, monkeypatch)

    engine.refresh([], clear_pending_creates=False)
    engine.refresh([], clear_pending_creates=True)

    cleared = ["--clear-pending-creates" in call for call in calls(home) if "refresh" in call]
    assert cleared == [False, True]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ({"stack": "other"}, f"Pulumi cannot open stack {STACK}: no stack named '{STACK}' found"),
        ({"version": "v2.9.0"}, "the Pulumi CLI on PATH cannot be used"),
    ],
)
def test_a_cli_that_cannot_be_used_is_said_in_words(tmp_path, file, monkeypatch, script, said):
    fake_cli(tmp_path / "project", tmp_path / "cli", monkeypatch, **script)

    with pytest.raises(InputError, match=said):
        PulumiEngine(tmp_path / "project", STACK, file)


def test_without_a_cli_one_sentence_says_how_to_get_it(tmp_path, file, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(InputError) as e:
        PulumiEngine(tmp_path / "project", STACK, file)
    assert str(e.value).startswith("this needs the Pulumi CLI, and there is no pulumi on PATH; install it (https://")
