"""How moves are conducted and counted, with traffic and deployer played: what is sent, what stops a story, whose a failure is."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from inference_rollouts.checks import MetricCheck
from inference_rollouts.rehearsal.engine import Operation
from inference_rollouts.rehearsal.walk import Rehearsal, RolloutOf
from inference_rollouts.settings import PROJECT
from inference_rollouts.settings.stack_file import read
from sandbox.apply.kubectl import Kubectl
from sandbox.apply.program import rehearsable
from sandbox.apply.update import Step
from sandbox.files import borrowed
from sandbox.gateway.files import GatewayFiles
from sandbox.home import Home, SandboxError
from sandbox.live import soak
from sandbox.live.conduct import SCRAPES, ByReply, Conductor
from sandbox.live.decisions import ByDecision
from sandbox.live.faults import FAULTS, Scene
from sandbox.live.faulty import Faulty
from sandbox.live.rehearse import (
    Live,
    Options,
    refuse_a_rate_too_low_for_checks,
    refuse_faults_of_adapters,
    with_leftovers,
)
from sandbox.live.report import LiveReport, LiveRollout, Moved
from sandbox.live.show import Screen
from sandbox.metrics import EVERY
from sandbox.nodes.settings import settings_path
from sandbox.traffic.counts import Failures, Latency, PhaseCount, Served
from sandbox.traffic.requests import OpenLoop
from tests.conftest import ROOT

NONE = Latency(0, 0, 0, 0, 0)


def counts(ok: dict[str, int], failed: dict[str, int] | None = None, nobodys: int = 0) -> PhaseCount:
    """A phase with these replies by version, and requests that got none."""
    failed = failed or {}
    versions = {name: {"llm": Served(ok.get(name, 0), failed.get(name, 0))} for name in ok.keys() | failed.keys()}
    lost = sum(failed.values()) + nobodys
    good = sum(ok.values())
    return PhaseCount("", time.time(), 1.0, good + lost, good, lost, 0, versions, {}, {}, {}, (), NONE, NONE, 0.0)


class Traffic:
    """Says what it is told to."""

    def __init__(self, said: PhaseCount, **models: float) -> None:
        self.requests = SimpleNamespace(versions={"llm": "", "llm-new": ""}, models=models or {"llm": 1.0}, pace=OpenLoop(100))
        self.said, self.asked, self.patience = said, [0], 0.0

    def mark(self, phase: str, *, allow: Any = None) -> PhaseCount:
        return self.said

    def counts(self) -> PhaseCount:
        return self.said

    def sample(self, phase: str, requests: int, timeout: float, *, allow: Any = None) -> PhaseCount:
        self.asked.append(requests)
        self.patience = timeout
        return self.said


class Deployer:
    """Every update goes through, or ends with this error."""

    def __init__(self, error: str = "", *steps: Step) -> None:
        self.error, self.patience, self.steps = error, 0.0, steps

    def preview(self, config: Any) -> None:
        """Nothing to say."""

    def up(self, config: Any) -> Any:
        preview = SimpleNamespace(refusals=())
        done = not self.error
        return SimpleNamespace(
            preview=preview, steps=self.steps, error=self.error, done=done, began=0.0, ended=1.0, began_writing=lambda kind: None
        )


def rollouts(stack: str) -> list[RolloutOf]:
    file = read(ROOT / "stacks" / f"Pulumi.{stack}.yaml")
    return list(Rehearsal(ROOT, file.stack, file.config).rollouts())


def conductor(traffic: Traffic, deployer: Deployer | None = None, decisions: Any = None, requests: int = 1) -> Conductor:
    file = read(ROOT / "stacks/Pulumi.node-update.yaml")
    (rollout,) = rollouts("node-update")
    played = cast(Any, deployer or Deployer())
    return Conductor(played, file.config, rollout, cast(Any, traffic), decisions or ByReply(), requests)


@pytest.mark.parametrize(
    ("before", "after", "least"),
    [
        ({"llm": 90, "llm-new": 10}, {"llm": 75, "llm-new": 25}, 383),  # 85 would do, were it not for the 10 % before
        ({"llm": 100, "llm-new": 0}, {"llm": 99, "llm-new": 1}, 1617),
        ({"llm": 99, "llm-new": 1}, {"llm": 100, "llm-new": 0}, 1585),  # fewer would show no canary at 1 % either
        ({"llm": 100}, {"llm": 100}, 1),
    ],
)
def test_a_sample_is_large_enough_to_tell_that_weights_have_moved(before: dict[str, int], after: dict[str, int], least: int):
    assert least <= conductor(Traffic(counts({}))).sample(before, after) <= 1.25 * least + 1
    assert conductor(Traffic(counts({})), requests=5000).sample(before, after) == 5000


def test_where_metric_checks_want_to_see_more_requests_of_the_canary_more_are_sent(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []
    monkeypatch.setattr("sandbox.live.conduct.time.sleep", slept.append)
    made = conductor(Traffic(counts({"llm": 1000})))
    made.evidence = 50
    assert made.sample({"llm": 100}, {"llm": 99, "llm-new": 1}) >= 8700, "so that chance does not leave it with fewer than 50"
    assert made.sample({"llm": 50, "llm-new": 50}, {"llm": 100, "llm-new": 0}) < 100, "without weight it sees none"
    made.move("prepare", "baseline")
    assert slept == [SCRAPES * EVERY], "Prometheus has to look, too"


@pytest.mark.parametrize(
    ("rate", "window", "portion", "refused"),
    [
        (100, 60, 1.0, "--rate 146 or more"),  # at 1 % a minute brings 60, and by chance fewer than 50
        (146, 60, 1.0, ""),
        (100, 300, 1.0, ""),
        (100, 300, 0.25, "--rate 117 or more"),
        (0, 60, 1.0, ""),
    ],
)
def test_a_rate_that_brings_the_canary_fewer_requests_than_a_check_wants_is_refused(
    rate: float, window: int, portion: float, refused: str
):
    (rollout,) = rollouts("node-update")
    checks = (MetricCheck(name="error-ratio", window_seconds=window), MetricCheck(name="queue", window_seconds=window))
    service = cast(Any, SimpleNamespace(conditions={"": SimpleNamespace(checks=checks)}))
    if not refused:
        refuse_a_rate_too_low_for_checks(rollout, service, rate, portion)
        return
    with pytest.raises(SandboxError) as told:
        refuse_a_rate_too_low_for_checks(rollout, service, rate, portion)
    assert f"--rate {rate:g} is too low for check error-ratio at stage 1: it wants to see 50 requests of llm-new" in str(
        told.value
    )
    assert refused in str(told.value)


@pytest.mark.parametrize("rate", [1, 5, 100, 1000])
def test_whatever_the_rate_a_sample_gets_the_time_that_it_takes(rate: float):
    traffic = Traffic(counts({"llm": 1000}))
    traffic.requests.pace = OpenLoop(rate)
    conductor(traffic).move("prepare", 1)
    assert traffic.patience > max(60, traffic.asked[-1] / rate)


def test_where_only_some_requests_are_counted_more_are_sent():
    decisions = ByDecision(Kubectl("", ROOT), "default", (), "tone")
    half = conductor(Traffic(counts({}), llama=1.0, tone=1.0), decisions=decisions)
    assert half.sample({"v1": 90, "v2": 10}, {"v1": 50, "v2": 50}) >= 2 * 65


def test_a_version_is_taken_away_after_its_last_replies():
    did: list[str] = []
    played, made = Deployer(), conductor(Traffic(counts({"llm": 1000})))
    made.deployer, made.let_end = cast(Any, played), lambda: did.append("let end")
    up = played.up
    played.up = lambda config: (did.append("update"), up(config))[1]  # type: ignore[method-assign]
    list(made.perform(["baseline", "prepare", "baseline"]))
    assert did == ["update", "let end", "update"]
    made.move("retire", "finish")
    assert did[3:] == ["let end", "update"]


def test_a_stage_that_the_settings_refuse_is_a_refusal_and_ends_the_story():
    """As `retire` for a canary on spot nodes, which may serve up to 100."""
    made = conductor(Traffic(counts({"llm-new": 1000})))
    config = copy.deepcopy(dict(made.config))
    config[f"{PROJECT}:services"]["llm"]["versions"]["llm-new"]["nodes"]["spot"] = True
    made.config = config
    moves = list(made.perform([50, 100, "retire", "finish"]))
    assert [(move.to, move.done) for move in moves] == [("100", True), ("retire", False)]
    assert "spot nodes" in moves[-1].refusals[0]


def test_what_nobody_does_in_a_rehearsal_refuses_no_raise():
    """A window of `freeze` lasts, and nobody probes."""
    config = copy.deepcopy(dict(read(ROOT / "stacks/Pulumi.node-update.yaml").config))
    service = config[f"{PROJECT}:services"]["llm"]
    service["rollout"]["test"] = {"header": "x-canary", "value": "yes", "required": True}
    plain = copy.deepcopy(config)
    del plain[f"{PROJECT}:services"]["llm"]["rollout"]["test"]["required"]
    service["freeze"] = [{"from": "2026-01-01T00:00", "to": "2026-12-31T00:00", "reason": "holidays"}]
    before = copy.deepcopy(config)
    assert rehearsable(config) == plain
    assert config == before, "the file's own config is left alone"


def test_after_a_move_that_was_not_done_nothing_more_is_tried():
    made = list(conductor(Traffic(counts({})), Deployer("it broke")).perform(["baseline", "prepare", 1]))
    assert [(move.to, move.done) for move in made] == [("prepare", False)]


def test_a_sample_that_shows_nobody_is_not_clean():
    """As when the pickers' counters cannot be read."""
    moved = conductor(Traffic(counts({}))).move("baseline", "prepare")
    assert any("too few requests to judge" in sentence for sentence in moved.wrong)


@pytest.mark.parametrize(
    ("said", "faulty"),
    [
        (counts({"llm": 100}, {"llm-new": 7}), True),
        (counts({"llm": 100}, {"llm-new": 7, "llm": 1}), False),
        (counts({"llm": 100}, {"llm-new": 7}, nobodys=1), False),  # nobody answered: it may have been stable's
        (counts({"llm": 100}, nobodys=1), False),
    ],
)
def test_only_what_the_excused_version_lost_is_excused(said: PhaseCount, faulty: bool):
    moved = conductor(Traffic(said)).move(50, "prepare", excused="llm-new")
    assert (moved.faulty is not None, moved.during is None) == (faulty, faulty)


def test_failures_after_their_phase_count_and_so_do_those_that_nobody_answered():
    moves = [Moved("50", "prepare")]
    said = counts({"llm": 100}, {"llm-new": 7}, nobodys=2)
    assert with_leftovers(moves, said, None)[-1].notes == ("9 more requests failed after their phase",)
    assert with_leftovers(moves, said, "llm-new")[-1].notes == ("2 more requests failed after their phase",)
    assert with_leftovers(moves, counts({"llm": 100}, {"llm-new": 7}), "llm-new") == moves


def answered_wrongly(said: PhaseCount, number: int) -> PhaseCount:
    """So many of the failed replies came from a version without weight."""
    return replace(said, failures={"wrong_version": Failures(number, 0.0, 1.0)})


def test_no_fault_explains_replies_of_a_canary_without_weight():
    said = answered_wrongly(counts({"llm": 100}, {"llm-new": 7}), 2)
    moved = conductor(Traffic(said)).move(50, "prepare", excused="llm-new")
    assert (moved.faulty, moved.during and moved.during.failed) == (None, 7)
    assert with_leftovers([Moved("50", "prepare")], said, "llm-new")[-1].notes == ("2 more requests failed after their phase",)

    story = faulty(Traffic(said), "never-ready", Deployer("it broke"))
    met = next(iter(story.perform()))
    assert met.notes == ("2 requests failed that a version without weight answered, which no fault explains",)
    assert with_leftovers([met], said, "llm-new") == [met], "told once"


def test_what_a_slow_gateway_makes_the_update_wait_for_is_what_the_user_sees(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sandbox.live.faulty.LASTS", 0.0)
    route = Operation("update", "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute", "route", "routes-to-llm", protected=False)
    late = Step(route, 0.0, 1.0, 61.0, waited_for="Reconciled=True (now False)")
    quick = Step(route, 0.0, 1.0, 1.5, waited_for="Accepted=True (now nothing)")
    story = faulty(Traffic(counts({"llm": 1000})), "slow-gateway", Deployer("", late, quick))
    list(story.perform())
    assert story.found["the user sees"] == ["the update waited 60 s for HTTPRoute routes-to-llm: Reconciled=True (now False)"]


def faulty(traffic: Traffic, name: str, deployer: Deployer | None = None, ladder: tuple[Any, ...] = ()) -> Faulty:
    conducting = conductor(traffic, deployer)
    if ladder:
        conducting.rollout = replace(conducting.rollout, ladder=ladder)
    scene = Scene(cast(Any, conducting.deployer), cast(Any, None), "llm", "llm-new")
    return Faulty(conducting, scene, replace(FAULTS[name], strike=FAULTS["killed"].strike), "")


def test_a_fault_that_does_not_strike_is_wrong():
    story = faulty(Traffic(counts({"llm": 1000, "llm-new": 1000})), "never-ready")
    moves = list(story.perform())
    assert "the fault did not strike: the update went through" in moves[0].notes
    assert "the raise was not refused although the canary is broken" in moves[1].notes
    assert story.complete


def test_a_way_back_that_fails_is_no_end_of_the_story():
    story = faulty(Traffic(counts({"llm": 1000})), "never-ready", Deployer("it broke"))
    moves = list(story.perform())
    assert (moves[0].notes, moves[-1].done, story.complete) == ((), False, False)


def test_when_the_cluster_knew_is_when_it_said_so_not_when_somebody_looked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sandbox.live.faulty.LASTS", 1.6)
    asked = iter([False, False, True, False, True])  # well again when the traffic has met it long enough
    for known, when in ((lambda _: next(asked), 0.4), (None, None)):
        began = time.time()
        story = faulty(Traffic(replace(counts({"llm": 1000}), since=began)), "servers-crash")
        story.fault = replace(story.fault, known=known)
        list(story.perform())
        assert time.time() - began >= 1.6
        assert story.found["seconds until the cluster knew"] == pytest.approx(when, abs=0.5)
    assert next(asked, None) is None


@pytest.mark.parametrize(
    ("name", "when", "made"), [("never-ready", "begin", 0), ("never-ready", "fault", 1), ("killed", "fault", 3)]
)
def test_a_story_that_is_to_stop_begins_nothing_more(monkeypatch: pytest.MonkeyPatch, name: str, when: str, made: int):
    monkeypatch.setattr("sandbox.live.faulty.killed_after_the_route", lambda *_: -9)
    story = faulty(Traffic(counts({"llm": 1000, "llm-new": 1000})), name, ladder=("baseline", "prepare", 10, 100, "retire"))
    if when == "begin":
        story.conductor.stop.set()
    moves = []
    for moved in story.perform():
        moves.append(moved)
        if moved.faulty:
            story.conductor.stop.set()
    assert (len(moves), story.complete) == (made, False)


def test_while_traffic_meets_a_fault_the_story_can_be_stopped_too():
    story = faulty(Traffic(counts({"llm": 1000})), "servers-crash")
    story.fault = replace(story.fault, known=lambda _: story.conductor.stop.set())  # and it is never known
    began = time.time()
    moves = list(story.perform())
    assert time.time() - began < 5, "the cluster would be asked for minutes"
    assert not any(moved.faulty for moved in moves)


def test_what_a_rehearsal_that_was_ended_at_once_has_left_is_undone_before_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    did: list[str] = []
    monkeypatch.setattr("sandbox.live.rehearse.nodes.clear", lambda root: did.append("faults cleared"))
    gone = lambda stack: SimpleNamespace(destroy=lambda: did.append(f"{stack} destroyed"))  # noqa: E731
    monkeypatch.setattr("sandbox.live.rehearse.Deployer", lambda home, project, stack: gone(stack))
    home = Home(tmp_path)
    slow = GatewayFiles(home).settings
    for folder in (home.gateway, tmp_path / "stacks"):
        folder.mkdir()
    killed = [borrowed(path) for path in (slow, settings_path(tmp_path))]
    for path, borrower in zip((slow, settings_path(tmp_path)), killed, strict=True):
        borrower.__enter__()  # and it never ends
        path.write_text("{}")
    for stack in ("another", "node-update"):
        (tmp_path / "stacks" / f"{stack}.json").write_text("{}")

    file = read(ROOT / "stacks/Pulumi.node-update.yaml")
    Live(home, ROOT, ROOT / "stacks/Pulumi.node-update.yaml", file, Options(), cast(Screen, None))._tidy()
    assert did == ["faults cleared", "another destroyed", "node-update destroyed"]
    assert not slow.exists()
    assert not settings_path(tmp_path).exists()


def test_what_stable_and_nobody_lost_to_a_fault_is_wrong():
    story = faulty(Traffic(counts({}, {"llm": 2, "llm-new": 5}, nobodys=3)), "never-ready", Deployer("it broke"))
    assert next(iter(story.perform())).notes == (
        "2 requests failed that are stable's, to a fault of the canary",
        "3 requests failed that are nobody's, to a fault of the canary",
    )
    assert story.found["failed while it lasted"] == {"llm": 2, "llm-new": 5, "nobody's": 3}


def test_faults_need_a_rung_below_100_and_servers_of_the_canarys_own():
    with pytest.raises(SandboxError, match=r"a rung below 100, not \[100\]"):
        faulty(Traffic(counts({})), "killed", ladder=("baseline", "prepare", 100, "retire"))
    with pytest.raises(SandboxError, match="adapter llm has none"):
        refuse_faults_of_adapters(rollouts("lora-adapter"), "servers-crash")
    refuse_faults_of_adapters(rollouts("node-update"), "servers-crash")


def test_a_soak_that_is_not_clean_ends_with_fewer_requests(monkeypatch: pytest.MonkeyPatch):
    """Once more would send as few again, for ever."""
    asked = []

    def live(self: soak.Soak, stack: str, options: Any) -> Any:
        asked.append(stack)
        refused = LiveRollout("llm", None, "node", "llm", "llm-new", (Moved("baseline", "prepare", refusals=("no",)),))
        return SimpleNamespace(run=lambda: LiveReport(stack, "gke", "", "", 1.0, (refused,)))

    monkeypatch.setattr(soak.Soak, "_live", live)
    reports = soak.Soak(Home(ROOT), ROOT, 1_000, cast(Screen, None)).run()
    assert asked == list(soak.EXAMPLES)
    assert not any(report.clean for report in reports)
