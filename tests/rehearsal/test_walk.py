"""The three rollouts of the page, walked from baseline to finish by the real program."""

from __future__ import annotations

import pytest

from inference_rollouts import stages
from inference_rollouts.rehearsal.walk import Rehearsal
from tests.conftest import EXAMPLES, ROOT, example


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_stage_on_the_way_up_is_allowed_and_shows_the_weights_of_the_ladder(name):
    rehearsal = Rehearsal(ROOT, name, example(name))
    (rollout,) = rehearsal.rollouts()

    walked = list(rehearsal.walk(rollout))

    assert [stage.stage for stage in walked] == [*rollout.ladder, "finish"]
    for stage in walked:
        assert stage.preview.refusals == ()
        wanted = {rollout.canary: 100} if stage.stage == "finish" else stages.weights(stage.stage, rollout.stable, rollout.canary)
        assert stage.weights == wanted
