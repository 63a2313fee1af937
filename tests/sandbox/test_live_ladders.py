"""The shipped rollouts on the sandbox, under traffic: nothing is lost, every weight takes effect, at every stage and back.

What a split may be off is derived from its sample (`sandbox.traffic.split`): 4 standard deviations.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inference_rollouts.rehearsal.walk import Rehearsal, Step
from inference_rollouts.settings.stack_file import read
from sandbox import control
from sandbox.home import Home
from sandbox.live.report import LiveReport
from sandbox.live.story import moves, weight_at, whole_story
from tests.conftest import ROOT
from tests.sandbox.live import STACKS, rehearsed

pytestmark = pytest.mark.sandbox


def assert_clean(report: LiveReport) -> None:
    assert report.clean, "\n".join(report.wrong)
    for rollout in report.rollouts:
        assert rollout.failed == 0
        assert all(share.verdict == "pass" for move in rollout.moves for share in move.shares)
        assert all(move.shares for move in rollout.moves)


@pytest.mark.parametrize("stack", ["node-update", "base-model", "lora-adapter"])
def test_every_stage_up_back_from_every_stage_retire_and_finish_lose_nothing(shared_home: Home, stack: str):
    path = ROOT / "stacks" / f"Pulumi.{stack}.yaml"
    report = rehearsed(shared_home, path, requests=300, rate=100, whole=True, streams=3)

    assert_clean(report)
    (rollout,) = report.rollouts
    (planned,) = Rehearsal(ROOT, stack, read(path).config).rollouts()
    steps = whole_story(planned.ladder)
    assert [(move.origin, move.to) for move in rollout.moves] == [(str(origin), str(to)) for origin, to in moves(steps)[1:]]
    # Streams were under way during every move, and each took longer than any move.
    assert rollout.streams is not None
    assert rollout.streams.failed == 0
    assert rollout.streams.finished >= 6
    if rollout.adapter is None:
        weighty = [move for move, (origin, to) in zip(rollout.moves, moves(steps)[1:], strict=True) if differ(origin, to)]
        assert all(move.seconds["effect"] is not None for move in weighty)


def differ(origin: Step | None, to: Step) -> bool:
    """Whether the canary's weight is another."""
    return origin is not None and weight_at(origin) != weight_at(to)


@pytest.mark.parametrize("replicas", [1, 30])
def test_an_adapter_rollout_restarts_no_server_and_touches_no_pool(shared_home: Home, tmp_path: Path, replicas: int):
    path = tmp_path / "Pulumi.adapters.yaml"
    path.write_text((STACKS / "Pulumi.adapters.yaml").read_text().replace("REPLICAS", str(replicas)))
    report = rehearsed(shared_home, path, requests=300, rate=50, streams=0)

    # That pods, servers, pools and the route are the same is watched at every move: else a note says what changed.
    assert_clean(report)
    assert len(report.rollouts[0].moves) == 5


def test_metric_checks_judge_by_what_prometheus_has_scraped(shared_home: Home, tmp_path: Path):
    """Each ready-made check finds its series, since what is unknown is no consent; a broken limit is told with the value."""
    path = STACKS / "Pulumi.checks.yaml"
    assert_clean(rehearsed(shared_home, path, requests=300, rate=100, streams=0))

    strict = tmp_path / path.name
    strict.write_text(path.read_text().replace("max: 5,", "max: 0.000001,"))
    (rollout,) = rehearsed(shared_home, strict, requests=300, rate=100, streams=0).rollouts
    assert [(move.to, move.done) for move in rollout.moves] == [("prepare", True), ("10", True), ("50", False)]
    (refusal,) = rollout.moves[-1].refusals
    assert re.search(r"time-to-first-token: seen 0\.\d+ s", refusal), refusal


def test_on_istio_nothing_is_lost_either(home: Home):
    control.up(home, "istio")
    # So many streams that at every moment some are about to end.
    report = rehearsed(home, STACKS / "Pulumi.istio.yaml", requests=300, rate=100, whole=True, streams=12)

    assert_clean(report)
    assert report.gateway == "istio"
