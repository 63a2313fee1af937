"""How parts live and end, on small shell scripts in the place of parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox import control, enter, show, starting, supervisor, talk
from sandbox.binaries import Step
from sandbox.home import Gateways, Home, Ports, SandboxError, State, gone
from sandbox.namespaces import POD_NETWORK
from sandbox.parts import environment, parts
from sandbox.ready import Http
from tests.conftest import ROOT

STATE = State(id="x", gateway="gke", rootless=False, ports=Ports(apiserver=1, gateway=2, prometheus=3))
FOREVER = "exec sleep 60"
SLOW_START = 'sleep 0.3; touch "$READY"; exec sleep 60'


@contextmanager
def supervised(folder: Path, *listed: dict[str, Any]) -> Iterator[Home]:
    """A home with a supervisor of these parts, which has begun to answer."""
    home = Home(folder / "home")
    command = [sys.executable, str(Path(__file__).with_name("small_supervisor.py")), str(home.root), json.dumps(listed)]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        try:
            _await(home.socket.exists)
            yield home
        finally:
            process.terminate()


def looks(home: Home) -> dict[str, str]:
    return {part["part"]: part["status"] for part in control.status(home)}


def _await(seen: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_part_starts_when_what_it_waits_for_is_ready(tmp_path: Path) -> None:
    log = tmp_path / "order"
    first = {"name": "first", "script": f'sleep 0.2; echo first >> {log}; touch "$READY"; exec sleep 60', "file": True}
    task = {"name": "task", "script": f"echo task >> {log}", "once": True, "after": ["first"]}
    last = {"name": "last", "script": f"echo last >> {log}; exec sleep 60", "after": ["task"]}
    with supervised(tmp_path, last, task, first) as home:
        assert starting.wait(home, lambda part, seconds: None) == []
        assert looks(home) == {"last": "ready", "task": "done", "first": "ready"}
        assert control.status(home)[2]["seconds"] >= 0.2
        _await(lambda: log.read_text().split() == ["first", "task", "last"])


@pytest.mark.parametrize(
    ("script", "ended"), [("exit 4", "exit code 4"), ("kill -9 $$", "signal SIGKILL"), ("exit 0", "exit code 0")]
)
def test_a_part_that_ends_by_itself_has_crashed_whatever_its_exit_code(tmp_path: Path, script: str, ended: str) -> None:
    with supervised(tmp_path, {"name": "part", "script": f"echo some reason >&2; {script}", "file": True}) as home:
        with pytest.raises(SandboxError) as refused:
            starting.wait(home, lambda part, seconds: None)
        assert str(refused.value).startswith(
            f"part has ended ({ended}) before all parts were ready. Its log ends with:\n  some reason"
        )
        time.sleep(0.3)
        assert looks(home) == {"part": "crashed"}, "nothing is started again silently"


def test_a_task_that_fails_has_crashed_and_what_waits_for_it_does_not_start(tmp_path: Path) -> None:
    task = {"name": "task", "script": "exit 1", "once": True}
    with supervised(tmp_path, task, {"name": "late", "script": FOREVER, "after": ["task"]}) as home:
        _await(lambda: looks(home) == {"task": "crashed", "late": "waiting"})


def test_a_part_that_does_not_get_ready_is_slow_and_may_still_make_it(tmp_path: Path) -> None:
    with supervised(tmp_path, {"name": "part", "script": 'sleep 1.5; touch "$READY"; exec sleep 60', "file": True}) as home:
        with pytest.raises(SandboxError, match="part did not get ready"):
            starting.wait(home, lambda part, seconds: None)
        _await(lambda: looks(home) == {"part": "ready"})


def test_what_does_not_heed_sigterm_is_ended_by_force(tmp_path: Path) -> None:
    deaf = {"name": "deaf", "script": 'trap "" TERM; touch "$READY"; while :; do sleep 0.1; done', "file": True}
    with supervised(tmp_path, deaf) as home:
        starting.wait(home, lambda part, seconds: None)
        assert control.stop(home, "deaf")["status"] == "stopped"
        assert control.start(home, "deaf")["status"] == "ready"
        control.stop(home, "deaf")  # or it would outlive the test


def test_a_restart_waits_until_the_part_is_ready_again(tmp_path: Path) -> None:
    with supervised(tmp_path, {"name": "part", "script": SLOW_START, "file": True}) as home:
        starting.wait(home, lambda part, seconds: None)
        first = control.status(home)[0]["pid"]
        again = control.restart(home, "part", signal.SIGKILL)
        assert again["status"] == "ready"
        assert again["seconds"] >= 0.3, "the file of the former process does not count"
        assert control.status(home)[0]["pid"] not in (None, first)


def test_what_a_killed_part_leaves_behind_ends_too(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f'sleep 60 & echo $! > {child}; touch "$READY"; wait'
    with supervised(tmp_path, {"name": "part", "script": script, "file": True}) as home:
        starting.wait(home, lambda part, seconds: None)
        left = STATE.running_as(int(child.read_text()))
        assert left.alive
        control.stop(home, "part", signal.SIGKILL)
        _await(lambda: not left.alive)


def test_repair_starts_what_is_down_and_nothing_else(tmp_path: Path) -> None:
    with supervised(tmp_path, {"name": "one", "script": FOREVER}, {"name": "two", "script": FOREVER}) as home:
        starting.wait(home, lambda part, seconds: None)
        control.stop(home, "two")
        assert talk.ask(home, "repair") == ["two"]
        assert starting.wait(home, lambda part, seconds: None) == []
        assert talk.ask(home, "repair") == []


def test_a_nonsense_request_is_refused(tmp_path: Path) -> None:
    with supervised(tmp_path, {"name": "part", "script": FOREVER}) as home:
        for request in ("dance", "stop"):
            with pytest.raises(SandboxError, match=r"does not know 'dance'|did not understand: KeyError\('part'\)"):
                talk.ask(home, request)
        assert looks(home) == {"part": "ready"}


def test_down_ends_the_supervisor_and_clears_all_but_the_logs(tmp_path: Path) -> None:
    with supervised(tmp_path, {"name": "part", "script": FOREVER}) as home:
        assert control.down(home)
        assert [path.name for path in home.root.iterdir()] == ["logs"]
        assert not control.down(home)


def test_a_home_with_a_long_path_has_a_socket_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    with supervised(deep, {"name": "part", "script": FOREVER}) as home:
        assert looks(home) == {"part": "ready"}


def test_a_process_that_took_over_the_number_is_no_supervisor(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.read() is None
    mine = STATE.running_as(os.getpid())
    home.write(mine)
    assert home.running() == mine
    for stale in (
        replace(mine, started=mine.started + "1"),
        replace(mine, started=mine.started.replace(mine.started[:8], "00000000")),
        replace(mine, pid=2**22 + 1),
        STATE,
    ):
        home.write(stale)
        with pytest.raises(SandboxError) as refused:
            home.running()
        assert str(refused.value) == gone(stale)
    for broken in ("", "[]", "{", '{"id": 1}', '{"ports": 3}'):
        home.state_file.write_text(broken)
        assert home.read() is None


def test_a_process_that_has_ended_and_was_not_collected_counts_as_gone() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not STATE.running_as(process.pid).alive


@pytest.mark.parametrize("gateway", ["gke", "istio"])
def test_every_part_waits_only_for_parts_that_there_are_without_circles(gateway: Gateways) -> None:
    listed = parts(Home(Path("/h")), replace(STATE, gateway=gateway))
    names = [part.name for part in listed]
    assert len(names) == len(set(names))
    settled: set[str] = set()
    while todo := [part for part in listed if part.name not in settled]:
        free = {part.name for part in todo if set(part.after) <= settled}
        assert free, f"{[part.name for part in todo]} wait for each other, or for nothing that there is"
        settled |= free


def test_checks_ask_the_sandbox_itself_and_programs_are_its_own() -> None:
    home = Home(Path("/h"))
    for part in parts(home, STATE):
        if isinstance(part.ready, Http):
            assert part.ready.url.split("://")[1].startswith("127.0.0.1:")
        assert part.argv[0].startswith("/h/bin/") or part.argv[0] == sys.executable
    assert POD_NETWORK == "10.77.0.0/16"


def test_parts_get_no_proxy_and_nothing_else_of_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("KUBECONFIG", "/home/me/.kube/config")
    env = environment(Home(Path("/h")))
    assert (env["KUBECONFIG"], env["KUBECACHEDIR"]) == ("/h/kubeconfig", "/h/kube-cache")
    assert enter.environment(Home(Path("/h")))["KUBECACHEDIR"] == "/h/kube-cache", "~/.kube is the user's"
    assert not any("proxy" in name.lower() for name in env)


def test_progress_in_a_pipe_is_a_line_for_each_that_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    progress = show.Progress()
    for step in (Step("etcd", 1, 9, 1.0, False), Step("etcd", 1, 9, 21.4, True), Step("kwok", 2, 9, 20.0, True)):
        progress.builds(step)
    progress.ready("etcd", 0.31)
    assert capsys.readouterr().out.splitlines() == [
        "building the parts, once; where Go's cache is empty this takes ten minutes or more",
        "  etcd                        1 of 9    21 s",
        "  kwok                        2 of 9    20 s",
        "starting",
        "  etcd                         0.3 s",
    ]


def test_a_log_that_has_grown_too_long_is_begun_anew(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("a") as writes:
        writes.write("first\n" * 10)
        writes.flush()
        supervisor.shorten(log, 100)
        assert log.stat().st_size == 60, "short enough"
        supervisor.shorten(log, 50)
        writes.write("second\n")
    assert log.read_text() == "second\n"
    assert (tmp_path / "part.log.old").read_text() == "first\n" * 10


def test_the_end_of_a_log_that_is_there_or_not(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.tail("part", 3) == []
    home.logs.mkdir()
    home.log("part").write_text("".join(f"{n}\n" for n in range(5000)))
    assert home.tail("part", 2) == ["4998", "4999"]
    assert list(show.logs(home, "part", 1, follow=False)) == ["4999"]
    with pytest.raises(SandboxError, match="there is no log of 'parts'; those there are: part"):
        list(show.logs(home, "parts", 1, follow=False))
