"""`rollout rehearse --live`, without a sandbox: what it says when it cannot begin, and how Ctrl-C ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

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


SCRIPT = """
import threading, time
from inference_rollouts.cli.rehearse_live import _interruptible
from sandbox.live.rehearse import Stopped
class Live:
    stop = threading.Event()
    def run(self):
        print("under way", flush=True)
        self.stop.wait()
        {then}
        raise Stopped
try:
    _interruptible(Live())
except Stopped:
    print("taken down", flush=True)
"""


def interrupted(then: str, times: int) -> tuple[int, str, str]:
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
            running.send_signal(signal.SIGINT)
            said += running.stderr.readline()
        out, err = running.communicate(timeout=30)
        return running.returncode, out, said + err


def test_the_first_ctrl_c_ends_it_after_the_move():
    code, out, err = interrupted("pass", 1)
    assert (code, out) == (0, "taken down\n")
    assert err == "stopping after this move, then taking everything down; Ctrl-C again ends it at once\n"


def test_the_second_ends_it_at_once_whatever_it_waits_for():
    code, out, err = interrupted("time.sleep(600)", 2)
    assert (code, out) == (130, "")
    assert "objects are left on the sandbox" in err
    assert "Traceback" not in err
