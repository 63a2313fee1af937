"""`rollout rehearse --live`, without a sandbox: what it says when it cannot begin, and how Ctrl-C ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.live.report import LiveReport, LiveRollout, Moved
from tests.cli.command import command
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ROLLOUT_SANDBOX_HOME", str(tmp_path / "sandbox"))


def test_a_sandbox_that_is_not_up_is_told_with_what_to_do():
    ended = command("rehearse", "node-update", "--live")
    assert (ended.code, ended.err) == (1, "the sandbox is not up; bring it up with: rollout sandbox up\n")


def test_an_unknown_fault_is_wrong_usage_and_the_known_ones_are_named():
    ended = command("rehearse", "node-update", "--live", "--fault", "nope")
    assert ended.code == 2
    assert "servers-crash" in ended.err


@pytest.mark.parametrize("option", [("--requests", "5"), ("--rate", "5"), ("--fault", "killed"), ("--report", "x")])
def test_what_means_nothing_without_live_is_wrong_usage(option: tuple[str, str]):
    ended = command("rehearse", "node-update", *option)
    assert (ended.code, f"{option[0]}: needs --live" in ended.err) == (2, True)


def test_a_report_that_cannot_be_written_is_told_before_the_traffic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sandbox.home.Home.running", lambda _: None)
    ended = command("rehearse", "node-update", "--live", "--report", str(tmp_path))
    assert ended.code == 1
    assert ended.err == f"{tmp_path}: the report cannot be written: it is a folder; name another file (--report)\n"


def test_the_report_of_several_stacks_is_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Under --report as under --json; none writes over another."""
    monkeypatch.setattr("sandbox.home.Home.running", lambda _: None)
    monkeypatch.setattr("sandbox.live.rehearse.Live", lambda *_: None)
    reports = iter([LiveReport(name, "gke", "m", "t", 0.0, ()) for name in ("node-update", "base-model")])
    monkeypatch.setattr("inference_rollouts.cli.rehearse_live._interruptible", lambda _: next(reports))
    ended = command("rehearse", "node-update", "base-model", "--live", "--json", "--report", str(tmp_path / "r" / "all.json"))

    written = json.loads((tmp_path / "r" / "all.json").read_text("utf-8"))
    assert written == json.loads(ended.out)
    assert [report["stack"] for report in written] == ["node-update", "base-model"]


def test_of_several_stacks_the_last_line_is_not_clean_where_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sandbox.home.Home.running", lambda _: None)
    monkeypatch.setattr("sandbox.live.rehearse.Live", lambda *_: None)
    moved = LiveRollout("llm", None, "node", "llm", "llm-new", (Moved("baseline", "prepare"),), complete=True)
    said = {"node-update": (replace(moved, complete=False),), "base-model": (moved,)}
    reports = iter([LiveReport(name, "gke", "m", "t", 0.0, rollouts) for name, rollouts in said.items()])
    monkeypatch.setattr("inference_rollouts.cli.rehearse_live._interruptible", lambda _: next(reports))
    ended = command("rehearse", "node-update", "base-model", "--live", "--report", str(tmp_path / "all.json"))

    *_, before, last = ended.out.splitlines()
    assert before.startswith("clean: ")
    assert last == "not clean: node-update: the rollout of llm ended early, after 1 moves"
    assert ended.code == 3


SCRIPT = """
import signal, threading, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests under nohup has it ignored
from inference_rollouts.cli.rehearse_live import _interruptible
from sandbox.live.rehearse import Stopped
class Live:
    stop = threading.Event()
    def run(self):
        print("under way", flush=True)
        assert self.stop.wait(60)
        {then}
        raise Stopped
try:
    _interruptible(Live())
except Stopped:
    print("taken down", flush=True)
"""


def interrupted(then: str, times: int, number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(then=then)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as running:
        assert running.stdout
        assert running.stderr
        assert running.stdout.readline() == "under way\n"
        said = ""
        for _ in range(times):
            running.send_signal(number)
            said += running.stderr.readline()
        out, err = running.communicate(timeout=30)
        return running.returncode, out, said + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_ctrl_c_ends_it_after_the_move_and_so_do_other_signals(number: signal.Signals):
    code, out, err = interrupted("pass", 1, number)
    assert (code, out) == (0, "taken down\n")
    assert err == "stopping after this move, then taking everything down; Ctrl-C again ends it at once\n"


def test_the_second_ends_it_at_once_whatever_it_waits_for():
    code, out, err = interrupted("time.sleep(600)", 2)
    assert (code, out) == (130, "")
    assert "objects are left on the sandbox" in err
    assert "Traceback" not in err
