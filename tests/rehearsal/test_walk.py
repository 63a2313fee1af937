"""The three rollouts of the page, walked from baseline to finish by the real program."""

from __future__ import annotations

import pytest

from inference_rollouts import stages
from inference_rollouts.errors import InputError
from inference_rollouts.rehearsal.walk import Rehearsal, at
from tests.conftest import EXAMPLES, ROOT, example
from tests.program.runs import every_rollout, rehearsal_of, walked

SERVICES = "inference-rollouts:services"


@every_rollout
def test_every_stage_on_the_way_up_is_allowed_and_shows_the_weights_of_the_ladder(stack, rollout):
    shown = walked(stack, rollout)

    assert [stage.stage for stage in shown] == [*rollout.ladder, "finish"]
    for stage in shown:
        assert stage.preview.refusals == ()
        wanted = {rollout.canary: 100} if stage.stage == "finish" else stages.weights(stage.stage, rollout.stable, rollout.canary)
        assert stage.weights == wanted


@pytest.mark.parametrize(
    ("stack", "kind", "stable", "canary", "adapter"),
    [
        ("node-update", "node", "llm", "llm-new", None),
        ("base-model", "base-model", "llm-pool", "llm-pool-version-2", None),
        ("lora-adapter", "adapter", "llm-v1", "llm-v2", "llm"),
    ],
)
def test_the_kind_of_a_rollout_is_what_differs_between_its_versions(stack, kind, stable, canary, adapter):
    (rollout,) = rehearsal_of(stack).rollouts()

    assert (rollout.kind, rollout.stable, rollout.canary, rollout.adapter) == (kind, stable, canary, adapter)
    assert rollout.stage == 10, "the examples stand where the page does"


def test_with_several_rollouts_each_is_walked_while_the_others_stay_at_the_files_stage():
    chat, formal = rehearsal_of("several-services").rollouts()

    for step in chat.steps:
        services = at(rehearsal_of("several-services").config, chat, step)[SERVICES]
        assert services["style"]["adapters"]["formal"]["rollout"]["stage"] == formal.stage
    for step in formal.steps:
        assert at(rehearsal_of("several-services").config, formal, step)[SERVICES]["chat"]["rollout"]["stage"] == chat.stage


def test_two_rollouts_of_one_service_that_both_stand_at_baseline_can_each_be_walked():
    config = example("base-model")
    service = config[SERVICES]["llm"]
    service["rollout"] |= {"stage": "baseline", "steps": [100]}
    service["adapters"]["tone"]["versions"]["tone-v2"] = {"source": "gs://my-adapters/tone-v2-gemma-3-12b"}
    service["adapters"]["tone"]["rollout"] = {"to": "tone-v2", "stage": "baseline", "steps": [100]}
    service["versions"]["llm-pool-version-2"]["adapters"]["tone-v2"] = {"source": "gs://my-adapters/tone-v2-llama-3.3-70b"}
    rehearsal = Rehearsal(ROOT, "base-model", config)

    for rollout in rehearsal.rollouts():
        assert [stage.preview.refusals for stage in rehearsal.walk(rollout)] == [()] * len(rollout.steps)


def test_walking_changes_nothing_of_the_config_it_was_given():
    for stack in EXAMPLES:
        walked(stack, rehearsal_of(stack).rollouts()[0])
        assert rehearsal_of(stack).config == example(stack)


def test_finish_is_the_edit_of_the_config_that_takes_the_rollout_out():
    (rollout,) = rehearsal_of("node-update").rollouts()

    service = at(example("node-update"), rollout, "finish")[SERVICES]["llm"]

    assert service["serving"] == "llm-new"
    assert "rollout" not in service


def test_what_is_written_down_as_nothing_is_no_rollout_to_take_out():
    (rollout,) = rehearsal_of("node-update").rollouts()
    config = example("node-update")
    config[SERVICES]["llm"]["adapters"] = None
    config[SERVICES]["other"] = {"rollout": None}

    assert at(config, rollout, "prepare")[SERVICES]["llm"]["rollout"]["stage"] == "prepare"


def test_a_name_that_collides_only_once_the_canary_stands_is_said_as_a_problem_before_anything_runs():
    config = example("node-update")
    service = config[SERVICES]["llm"]
    service["versions"]["llm-new"]["names"] = {"picker": "llm-epp"}
    service["rollout"]["stage"] = "baseline"
    rehearsal = Rehearsal(ROOT, "node-update", config)
    (rollout,) = rehearsal.rollouts()

    with pytest.raises(InputError, match="llm-epp"):
        list(rehearsal.walk(rollout))
    with pytest.raises(InputError, match="llm-epp"):
        rehearsal.moves(rollout)


def test_the_program_runs_once_for_the_walk_and_the_moves_reuse_what_it_registered(monkeypatch):
    from inference_rollouts.rehearsal import walk

    rehearsal = Rehearsal(ROOT, "lora-adapter", example("lora-adapter"))
    (rollout,) = rehearsal.rollouts()
    list(rehearsal.walk(rollout))
    runs: list[str] = []
    original = walk.run
    monkeypatch.setattr(walk, "run", lambda *args, **kwargs: (runs.append("run"), original(*args, **kwargs))[1])

    rehearsal.moves(rollout)

    assert len(runs) == len(rollout.ladder), "once a stage, to ask its hooks"


def test_a_stage_further_up_that_the_settings_refuse_ends_the_walk_and_is_no_move(root):
    config = example("node-update")
    config["inference-rollouts:services"]["llm"]["versions"]["llm-new"]["nodes"]["spot"] = True
    rehearsal = Rehearsal(root, "node-update", config)
    (rollout,) = rehearsal.rollouts()
    *shown, last = rehearsal.walk(rollout)

    assert [stage.stage for stage in shown] == ["baseline", "prepare", 1, 10, 25, 50, 100]
    assert not any(stage.preview.refusals for stage in shown)
    assert (last.stage, dict(last.weights)) == ("retire", {"llm-new": 100})
    assert "it is on spot nodes" in last.preview.refusals[0]
    verdicts = {(move.origin, move.to): move.reasons for move in rehearsal.moves(rollout)}
    assert "it is on spot nodes" in verdicts[100, "retire"][0]
    assert not verdicts[50, 100]
    assert not [origin for origin, _ in verdicts if origin == "retire"]
