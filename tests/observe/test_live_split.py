"""Where live weights stand on the ladder, and what of an object is not as the file says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from inference_rollouts import stages
from inference_rollouts.observe.cluster import Absent, Found, Unreadable
from inference_rollouts.observe.live_split import split_status, stage_of
from inference_rollouts.observe.targets import adapter_target, route_target
from tests.observe.world import SPLIT, TONE, route, tone

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
POOLS = {"llm": "llm-pool", "llm-new": "llm-new-pool"}
ROUTE = route_target("routes-to-llm", SPLIT, POOLS)
ADAPTER = adapter_target("v1", "llm-new-pool-tone", TONE)


@pytest.mark.parametrize("stage", stages.ladder(SPLIT.steps))
def test_the_weights_of_a_route_tell_its_stage_alone(stage):
    live = ROUTE.weights(SPLIT.at(stage))

    assert stage_of(ROUTE, live, None) == stage


@pytest.mark.parametrize(
    ("live", "recorded", "stage"),
    [
        ({"tone-v1": 100}, None, "prepare"),
        ({"tone-v1": 100}, TONE.at("baseline"), "baseline"),
        ({"tone-v1": 100}, TONE.at(10), "prepare"),
        ({"tone-v2": 100}, None, 100),
        ({"tone-v2": 100}, TONE.at("retire"), "retire"),
        ({"tone-v1": 90, "tone-v2": 10}, None, 10),
        ({"tone-v1": 80, "tone-v2": 20}, None, None),
    ],
)
def test_stages_that_look_alike_are_told_apart_by_the_record_then_by_the_file(live, recorded, stage):
    assert stage_of(ADAPTER, live, recorded) == stage


def test_a_rollout_that_the_file_no_longer_holds_is_known_by_the_record():
    finished = replace(SPLIT, serving="llm-new", to=None, steps=(), stage="baseline", weights={"llm-new": 100})
    target = route_target("routes-to-llm", finished, POOLS)

    assert stage_of(target, {"llm-pool": 75, "llm-new-pool": 25}, SPLIT.at(25)) == 25


def test_a_stage_that_its_own_steps_no_longer_hold_is_still_one():
    moved = replace(SPLIT, steps=(50, 100), stage=10)

    assert stage_of(replace(ROUTE, split=moved), {"llm-pool": 90, "llm-new-pool": 10}, None) == 10


def test_an_object_says_since_when_and_by_whom():
    status = split_status(ROUTE, "HTTPRoute default/routes-to-llm", Found(route()), NOW)

    assert (status.stage, status.differences, status.seconds) == (10, (), timedelta(minutes=30).total_seconds())
    assert str(status.write) == "pulumi-kubernetes-1 (Apply) at 2026-11-24 12:00:00Z"


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        (Absent(), "nothing of that name"),
        (Unreadable("HTTP 403: no"), "no answer: HTTP 403: no"),
        (Found({"kind": "HTTPRoute"}), "of another shape than expected"),
        (Found({**route(), "spec": {"rules": [{"backendRefs": []}]}}), "backends without weights, or none"),
    ],
)
def test_what_cannot_be_told_is_unknown_and_a_difference(answer, unknown):
    status = split_status(ROUTE, "HTTPRoute default/routes-to-llm", answer, NOW)

    assert (status.stage, status.live) == (None, None)
    assert status.unknown.startswith(unknown)
    assert len(status.differences) == 1


def test_another_aim_with_the_same_weights_is_a_difference():
    other = replace(TONE, to="tone-v3", weights={"tone-v1": 100, "tone-v3": 0})
    status = split_status(ADAPTER, "InferenceModelRewrite default/x", Found(tone(other)), NOW, adapter="tone")

    assert status.as_wanted
    assert status.differences == (
        "InferenceModelRewrite default/x: written for tone-v1 → tone-v3, steps [10, 100], prepare, and the file says "
        "tone-v1 → tone-v2, steps [10, 100], prepare",
    )
