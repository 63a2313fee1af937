"""The load tool against a server that misbehaves on purpose: each request counts once, and for what it was."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.home import SandboxError
from sandbox.traffic.counts import PhaseCount, Served, Traffic
from sandbox.traffic.load import ANSWER, Load
from sandbox.traffic.requests import ClosedLoop, OpenLoop, Requests, long_streams, served_by
from sandbox.traffic.verdict import within
from tests.sandbox.traffic_server import POD_1, POD_2, Server
from tests.sandbox.traffic_tool import PARTS, built

VERSIONS = {name: served_by(pool=name, deployment=name) for name in ("llm", "llm-new")}


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("load"))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def ask(url: str, **how: Any) -> Requests:
    """Three connections, 30 requests, one model."""
    usual = {"url": url, "models": {"llm": 1}, "pace": ClosedLoop(3), "versions": VERSIONS, "most": 30, "timeout": 5}
    return Requests(**(usual | how))


def run(tool: Path, requests: Requests, **how: Any) -> Traffic:
    """All of it, until it ends by itself."""
    with Load(requests, program=tool, every=0.05, **how) as load:
        traffic = load.result(30)
    whole = traffic.whole
    assert whole.requests == whole.ok + whole.failed
    assert whole.in_flight == 0
    assert whole.failed == sum(f.count for f in whole.failures.values())
    return traffic


# --- what is well -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["chat", "chat-stream", "completion", "completion-stream"])
@pytest.mark.parametrize("pace", [ClosedLoop(3), OpenLoop(300)])
def test_good_replies_are_counted_exactly(tool: Path, server: Server, shape: str, pace: ClosedLoop | OpenLoop) -> None:
    whole = run(tool, ask(server.url, shapes={shape: 1}, pace=pace)).whole

    assert (whole.requests, whole.ok, whole.failed) == (30, 30, 0)
    assert whole.versions == {"llm": {"llm": Served(30, 0)}}
    assert whole.latency.count == 30
    assert 0 < whole.first_byte.p50 <= whole.latency.p50 <= whole.latency.p99 <= whole.latency.max
    assert len(server.asked) == 30
    assert len({json.dumps(body) for body in server.asked}) == 30, "each prompt carries its request's number"


def test_the_body_is_what_was_asked_for(tool: Path, server: Server) -> None:
    run(tool, ask(server.url, most=1, shapes={"completion-stream": 1}, max_tokens=7, ignore_eos=True))

    expected = {"model": "llm", "max_tokens": 7, "stream": True, "ignore_eos": True, "prompt": "Say a number near 1"}
    assert server.asked == [expected]


def test_versions_and_models_are_told_apart(tool: Path, server: Server) -> None:
    server.pod = lambda number: POD_2 if number % 3 == 0 else POD_1
    whole = run(tool, ask(server.url, most=300, models={"llm": 2, "tone": 1})).whole

    assert whole.replies == {"llm": 200, "llm-new": 100}
    by_model = {m: sum(models[m].ok for models in whole.versions.values()) for m in ("llm", "tone")}
    assert by_model["llm"] + by_model["tone"] == 300
    assert by_model == {m: sum(body["model"] == m for body in server.asked) for m in ("llm", "tone")}
    assert all(share.verdict == "pass" for share in within({"llm": 2, "tone": 1}, by_model))


def test_without_rules_nobody_asks_for_the_version(tool: Path, server: Server) -> None:
    server.behaviour = lambda number: "no pod"

    assert run(tool, ask(server.url, versions={})).lost == 0


def test_a_reply_may_name_another_model_where_that_is_known(tool: Path, server: Server) -> None:
    server.behaviour = lambda number: "other model"

    assert run(tool, ask(server.url, reply_models={"llm": "another"})).lost == 0


# --- what is not ------------------------------------------------------------------------------------------------------

BOTH = ("completion", "completion-stream")
WAYS = [
    *[("500", "status", shape) for shape in BOTH],
    *[("close", "no_reply", shape) for shape in BOTH],
    *[("reset", "no_reply", shape) for shape in BOTH],
    *[("slow", "timeout", shape) for shape in BOTH],
    *[("cut", "truncated", shape) for shape in BOTH],
    *[("reset in body", "truncated", shape) for shape in BOTH],
    *[("aborted", "truncated", shape) for shape in BOTH],
    *[("no reason", "truncated", shape) for shape in BOTH],
    *[("other version", "wrong_version", shape) for shape in BOTH],
    *[("unknown pod", "no_version", shape) for shape in BOTH],
    *[("no pod", "no_version", shape) for shape in BOTH],
    *[("other model", "wrong_model", shape) for shape in BOTH],
    *[("error", "malformed", shape) for shape in BOTH],
    ("cut without length", "truncated", "completion"),
    ("bad json", "malformed", "completion"),
    ("no done", "truncated", "completion-stream"),
]


@pytest.mark.parametrize(("how", "kind", "shape"), WAYS)
def test_each_kind_of_failure_is_counted_as_what_it_is(tool: Path, server: Server, how: str, kind: str, shape: str) -> None:
    server.behaviour = lambda number: how if number % 10 == 0 else "good"
    requests = ask(server.url, shapes={shape: 1}, timeout=0.7)

    whole = run(tool, requests, allow=["llm"]).whole

    assert {name: f.count for name, f in whole.failures.items()} == {kind: 3}
    assert whole.ok == 27
    assert [(s.kind, s.request) for s in sorted(whole.samples, key=lambda s: s.request)] == [(kind, 10), (kind, 20), (kind, 30)]
    assert all(s.detail for s in whole.samples)


def test_a_status_is_told_with_its_body_and_who_gave_it(tool: Path, server: Server) -> None:
    server.behaviour = lambda number: "500"
    whole = run(tool, ask(server.url)).whole

    assert whole.statuses == {"500": 30}
    assert whole.versions == {"llm": {"llm": Served(0, 30)}}
    assert len(whole.samples) == 5, "one kind takes five places at most, so that it does not hide the others"
    assert (whole.samples[0].detail, whole.samples[0].version) == ("boom", "llm")


def test_nobody_listening_is_a_failure_to_connect(tool: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        whole = run(tool, ask(url)).whole

    assert {kind: f.count for kind, f in whole.failures.items()} == {"connect": 30}


def test_what_an_open_loop_cannot_send_is_counted_as_overflow(tool: Path, server: Server) -> None:
    server.behaviour = lambda number: "slow"
    whole = run(tool, ask(server.url, pace=OpenLoop(500, max_in_flight=10), timeout=1)).whole

    assert {kind: f.count for kind, f in whole.failures.items()} == {"timeout": 10, "overflow": 20}


def test_an_open_loop_does_not_wait_for_replies(tool: Path, server: Server) -> None:
    server.event_gap = 0.2
    begun = time.monotonic()
    whole = run(tool, ask(server.url, pace=OpenLoop(200), most=100, shapes={"chat-stream": 1})).whole

    assert whole.failed == 0
    assert whole.latency.p50 >= 600
    assert time.monotonic() - begun < 5, "one after the other they take 80 seconds"


# --- phases -----------------------------------------------------------------------------------------------------------


def test_a_request_is_judged_by_the_phase_in_which_it_was_sent(tool: Path, server: Server) -> None:
    server.event_gap = 0.1
    requests = ask(server.url, pace=ClosedLoop(4), most=0, shapes={"chat-stream": 1})
    with Load(requests, program=tool, allow=["llm"], every=0.05) as load:
        time.sleep(0.5)
        server.pod = lambda number: POD_2
        load.mark("moving", allow=["llm", "llm-new"])
        load.wait_for(8, 20)
        load.mark("moved", allow=["llm-new"])
        load.wait_for(8, 20)
        traffic = load.stop()

    assert traffic.lost == 0
    assert [phase.name for phase in traffic.phases] == ["start", "moving", "moved"]
    assert set(traffic.phase("start").replies) == {"llm"}, "generations that began before the move are those of the old version"
    assert set(traffic.phase("moved").replies) == {"llm-new"}
    assert sum(phase.requests for phase in traffic.phases) == traffic.whole.requests
    assert traffic.phase("moving").requests >= 8


def test_a_version_that_answers_after_the_move_is_a_failure(tool: Path, server: Server) -> None:
    with Load(ask(server.url, most=0), program=tool, every=0.05) as load:
        load.wait_for(20, 20)
        load.mark("moved", allow=["llm-new"])
        load.wait_for(5, 20)
        traffic = load.stop()

    moved = traffic.phase("moved")
    assert traffic.phase("start").failed == 0
    assert moved.ok == 0
    assert moved.failures["wrong_version"].count == moved.requests
    assert moved.versions["llm"]["llm"].failed == moved.requests


def test_the_first_and_the_last_reply_of_a_version_are_known(tool: Path, server: Server) -> None:
    with Load(ask(server.url, most=0, pace=OpenLoop(200)), program=tool, every=0.05) as load:
        begun = load.mark("moving")
        time.sleep(0.4)
        server.pod = lambda number: POD_2
        changed = time.time() - begun.since
        time.sleep(0.4)
        now = load.counts()
        load.stop()

    assert now.seen["llm"].last_reply - 0.05 < changed < now.seen["llm-new"].first_reply + 0.05
    assert now.seen["llm-new"].first_reply - now.seen["llm"].last_sent < 0.1
    assert now.timeline
    assert {version: sum(bins) for version, bins in now.timeline.versions.items()} == now.replies


def test_a_version_without_a_rule_cannot_be_allowed(tool: Path, server: Server) -> None:
    with pytest.raises(ValueError, match="no header value stands for llm-newer: all replies would be wrong"):
        Load(ask(server.url), program=tool, allow=["llm-newer"])


def test_waiting_for_more_requests_than_come_says_so(tool: Path, server: Server) -> None:
    with Load(ask(server.url, most=10), program=tool, every=0.05) as load:
        sentence = "10 of 500 requests of phase start were finished within 3 s, and nothing is sent any more"
        with pytest.raises(SandboxError, match=sentence):
            load.wait_for(500, 3)


def test_a_sample_is_complete_so_that_a_faster_version_gets_no_more_than_its_share(tool: Path, server: Server) -> None:
    """Half of the requests take 0.8 s: of those that are finished at any moment, more than half belong to the other version."""
    server.pod = lambda number: (POD_1, POD_2)[number % 2]
    server.delay = lambda number: (0.0, 0.8)[number % 2]
    requests = ask(server.url, pace=OpenLoop(100), most=0)
    with Load(requests, program=tool, every=0.05) as load:
        by_now = load.wait_for(60, 20)
        sample = load.sample("even", 100, 20)
        load.stop()

    assert sample.in_flight == 0
    assert sample.requests >= 100
    assert sample.replies["llm"] - sample.replies["llm-new"] in (-1, 0, 1)
    assert by_now.replies["llm"] > 1.5 * by_now.replies["llm-new"]


def test_a_sample_that_does_not_come_together_says_so(tool: Path, server: Server) -> None:
    server.behaviour = lambda number: "slow"
    with Load(ask(server.url, most=0, timeout=50, pace=OpenLoop(50)), program=tool, every=0.05) as load:
        with pytest.raises(SandboxError, match=r"of 500 requests of phase big were sent within 0\.5 s, .* are under way"):
            load.sample("big", 500, 0.5)
        with pytest.raises(SandboxError, match=r"the last requests of phase small are not finished after 0\.5 s; it still runs"):
            load.sample("small", 5, 0.5)


def test_a_report_that_was_made_before_a_mark_is_not_of_the_phase_that_began_with_it(tool: Path, server: Server) -> None:
    """The load tool makes a report and writes it: a mark may come between."""
    with Load(ask(server.url, most=0), program=tool, every=60) as load:
        former = load.wait_for(0, 5)
        begun = load.mark("new")
        load._take("progress", replace(former, requests=1_000_000))
        assert load.latest.since == begun.since
        load.stop()


def test_what_is_under_way_can_be_waited_for_while_more_is_sent(tool: Path, server: Server) -> None:
    server.delay = lambda number: 1.0
    with Load(ask(server.url, most=0, pace=OpenLoop(50)), program=tool, every=0.05) as load:
        load.wait_for(1, 20)
        load.mark("moving")
        load.let_end(20)
        now = load.counts()
        traffic = load.stop()

    assert (now.name, now.in_flight > 0) == ("after moving", True)
    assert {phase.name for phase in traffic.phases[:2]} == {"start", "moving"}
    assert 0.9 <= now.seconds < 1.9, "not those that were sent after it"


def test_what_does_not_end_in_time_is_said(tool: Path, server: Server) -> None:
    server.behaviour = lambda number: "slow"
    with Load(ask(server.url, most=0, timeout=50), program=tool, every=0.05) as load:
        time.sleep(0.2)
        with pytest.raises(SandboxError, match=r"the requests of phase start are not finished after 0\.3 s; it still runs"):
            load.let_end(0.3)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_long_streams_that_are_under_way_at_the_end_are_finished(tool: Path, server: Server) -> None:
    server.event_gap = 0.25
    requests = long_streams(ask(server.url, most=0), 5, seconds=1, inter_token_latency=0.25)
    with Load(requests, program=tool, every=0.05) as load:
        time.sleep(1.3)
        traffic = load.stop()

    assert traffic.lost == 0
    assert traffic.whole.requests >= 5
    assert traffic.whole.latency.p50 >= 1000, "all four events, also of those that were under way"
    assert server.asked[0]["max_tokens"] == 5


def test_what_does_not_finish_within_the_drain_is_counted_as_cancelled(tool: Path, server: Server) -> None:
    server.behaviour = lambda number: "slow"
    with Load(ask(server.url, most=0, timeout=50, drain=0.3), program=tool, every=0.05) as load:
        time.sleep(0.3)
        whole = load.stop().whole

    assert {kind: f.count for kind, f in whole.failures.items()} == {"cancelled": 3}


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_all_counts(tool: Path, server: Server, by: signal.Signals) -> None:
    server.event_gap = 0.1
    argv = [str(tool), *ask(server.url, most=0, shapes={"chat-stream": 1}).arguments()]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(0.6)
        process.send_signal(by)
        output, _ = process.communicate(timeout=10)

    whole = PhaseCount.read(json.loads(output.splitlines()[-1]))
    assert process.returncode == 0
    assert whole.failed == whole.in_flight == 0
    assert whole.ok >= 3


def test_it_ends_with_the_end_of_its_commands(tool: Path, server: Server) -> None:
    server.behaviour = lambda number: "slow"
    with Load(ask(server.url, most=0), program=tool) as load:
        process = load._process
        time.sleep(0.2)
        begun = time.monotonic()

    assert process.returncode is not None
    assert time.monotonic() - begun < 3


def test_without_commands_it_ends_with_its_parent(tool: Path, server: Server, tmp_path: Path) -> None:
    argv = [str(tool), *ask(server.url, most=0).arguments()]
    start = f"subprocess.Popen({argv!r}, stdout=subprocess.DEVNULL)"
    parent = f"import subprocess, time; print({start}.pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        time.sleep(0.3)
        os.kill(child, 0)
        process.kill()
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_report_that_cannot_be_read_is_said_and_not_waited_for(tmp_path: Path) -> None:
    program = tmp_path / "load"
    program.write_text("#!/bin/sh\necho nonsense\ncat >/dev/null\n")
    program.chmod(0o755)
    began = time.monotonic()
    with pytest.raises(SandboxError, match="what it reported cannot be read"), Load(ask("http://127.0.0.1:9"), program=program):
        pass
    assert time.monotonic() - began < ANSWER


def test_a_tool_that_cannot_begin_says_why(tool: Path) -> None:
    with pytest.raises(
        SandboxError, match=r'traffic: it has not begun; it ended with exit code 2; it said: load: -url "https://x"'
    ):
        Load(ask("https://x"), program=tool).__enter__()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-model=m", "-rate=1", "-for=1s"], 'load: -url "": want http://HOST:PORT'),
        (["-url=http://x", "-rate=1", "-for=1s"], "load: -model is missing: which model to ask for"),
        (["-url=http://x", "-model=m", "-for=1s"], "load: say either -rate (open loop) or -connections (closed loop)"),
        (["-url=http://x", "-model=m", "-rate=1"], "load: say where it ends: -requests or -for"),
        (["-url=http://x", "-model=m", "-rate=1", "-for=1s", "-shape=chats"], 'load: -shape "chats": want chat, chat-stream,'),
        (["-url=http://x", "-model=m", "-rate=1", "-for=1s", "-allow=v1"], 'load: -allow "v1": no -version has this name'),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(tool: Path, arguments: list[str], sentence: str) -> None:
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_the_go_tests_pass(tool: Path) -> None:
    done = subprocess.run(
        ["go", "test", "./load"], cwd=PARTS, env=os.environ | {"CGO_ENABLED": "0"}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
