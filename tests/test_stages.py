"""The ladder: what each stage means, row by row as in the table of the contract."""

from __future__ import annotations

import pytest

from inference_rollouts import stages
from inference_rollouts.stages import Share

TABLE = {
    # stage: (stable, canary, canary exists, stable protected, canary protected)
    "baseline": (100, None, False, True, False),
    "prepare": (100, 0, True, True, False),
    1: (99, 1, True, True, True),
    99: (1, 99, True, True, True),
    100: (0, 100, True, True, True),
    "retire": (None, 100, True, False, True),
}


@pytest.mark.parametrize("stage", TABLE)
def test_a_stage_has_the_weights_and_the_protection_of_the_table(stage):
    stable, canary, exists, stable_protected, canary_protected = TABLE[stage]

    assert stages.share(stage) == Share(stable, canary)
    assert stages.canary_weight(stage) == (canary or 0)
    assert stages.builds_canary(stage) is exists
    assert stages.protects_stable(stage) is stable_protected
    assert stages.protects_canary(stage) is canary_protected


@pytest.mark.parametrize("stage", ["baseline", "prepare", *range(1, 101), "retire"])
def test_the_weights_of_every_stage_add_up_to_100(stage):
    assert sum(stages.weights(stage, "old", "new").values()) == 100


@pytest.mark.parametrize(
    ("stage", "backends"),
    [
        ("baseline", {"old": 100}),
        ("prepare", {"old": 100, "new": 0}),
        (10, {"old": 90, "new": 10}),
        (100, {"old": 0, "new": 100}),
        ("retire", {"new": 100}),
    ],
)
def test_the_route_names_the_backends_of_the_table_stable_first(stage, backends):
    found = stages.weights(stage, "old", "new")

    assert list(found.items()) == list(backends.items())


def test_without_a_rollout_the_serving_version_has_all_the_traffic():
    assert stages.weights("baseline", "old", None) == {"old": 100}


def test_the_ladder_is_baseline_prepare_the_steps_and_retire():
    assert stages.ladder((1, 50, 100)) == ("baseline", "prepare", 1, 50, 100, "retire")
