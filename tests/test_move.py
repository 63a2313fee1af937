"""The moves of a rollout, against the contract: the ladder, its steps, entering, leaving and finishing, the way back."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from inference_rollouts import move
from inference_rollouts.record import Record
from tests.records import (
    LADDER,
    at,
    judged,
    matrix,
    only,
    override,
    put,
    reasons,
    record,
    resting,
    split,
    tone_at,
    weights_at,
)

MATRIX = matrix()
PAIRS = list(product(LADDER, LADDER))
ABOVE_PREPARE = LADDER[2:]


# --- the ladder -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("origin", "to"), PAIRS)
def test_a_split_moves_as_the_matrix_says(origin, to):
    assert (reasons(split(origin), split(to)) == []) is MATRIX[origin, to]


@pytest.mark.parametrize(("origin", "to"), PAIRS)
def test_the_pools_of_a_service_move_as_the_matrix_says(origin, to):
    assert (judged(at(origin), at(to)) == []) is MATRIX[origin, to]


@pytest.mark.parametrize(("origin", "to"), PAIRS)
def test_an_adapter_moves_as_the_matrix_says(origin, to):
    assert (judged(tone_at(origin), tone_at(to)) == []) is MATRIX[origin, to]


@pytest.mark.parametrize("stage", LADDER)
def test_an_adapter_that_is_created_may_start_on_any_rung(stage):
    new_adapter = put("adapters.tone", None)

    assert judged(new_adapter, tone_at(stage)) == []


@pytest.mark.parametrize(("origin", "to"), [pair for pair in PAIRS if not MATRIX[pair]])
def test_a_refused_stage_has_one_reason_that_names_the_service_and_both_stages(origin, to):
    reason = only(judged(at(origin), at(to)))

    assert reason.startswith("service chat: ")
    assert f"{origin} to {to}" in reason


def test_the_refusal_of_a_skipped_rung_names_the_next_one():
    assert "the next one is 25" in only(reasons(split(10), split(100)))


def test_the_refusal_of_an_adapters_move_names_the_adapter_and_its_service():
    assert only(judged(tone_at(10), tone_at(100))).startswith("adapter tone of service chat: ")


def test_two_adapters_that_move_wrongly_are_refused_with_a_reason_each():
    def style_at(stage):
        return put("adapters.style.rollout", {"to": "style-v2", "stage": stage})

    found = judged((tone_at(10), style_at(1)), (tone_at(50), style_at("baseline")))

    assert [reason.split(":")[0] for reason in found] == ["adapter style of service chat", "adapter tone of service chat"]


# --- steps and deployed stages that are on no rung ------------------------------------------------------------------------


@pytest.mark.parametrize("stage", LADDER)
def test_steps_may_change_in_an_update_of_their_own_at_every_stage(stage):
    steps = (1, 2, 10, 25, 50, 100)

    assert reasons(split(stage), split(stage, steps=steps)) == []


@pytest.mark.parametrize(("origin", "to"), [(10, 1), (50, "prepare"), ("prepare", "baseline"), ("retire", 100)])
def test_steps_may_change_together_with_a_fall(origin, to):
    assert reasons(split(origin), split(to, steps=(1, 100))) == []


@pytest.mark.parametrize(("origin", "to"), [("baseline", "prepare"), ("prepare", 1), (10, 25), (50, 100), (100, "retire")])
def test_steps_may_not_change_together_with_a_raise(origin, to):
    reason = only(reasons(split(origin), split(to, steps=(1, 2, 10, 25, 50, 100))))

    assert "steps" in reason
    assert "raise" in reason
    assert "in an update of its own" in reason


def test_steps_cut_to_skip_rungs_together_with_the_raise_are_refused_once():
    assert "steps" in only(reasons(split(10), split(100, steps=(10, 100))))


@pytest.mark.parametrize("to", [25, 100, "retire"])
def test_from_a_deployed_weight_on_no_rung_nothing_rises(to):
    reason = only(reasons(split(10, steps=(25, 100)), split(to, steps=(25, 100))))

    assert "on no rung" in reason
    assert "prepare" in reason


@pytest.mark.parametrize("to", [10, 1, "prepare"])
def test_a_deployed_weight_on_no_rung_may_stay_or_fall(to):
    assert reasons(split(10, steps=(25, 100)), split(to, steps=(25, 100))) == []


def test_a_raise_to_a_weight_that_the_deployed_steps_lack_is_refused():
    assert "not on the deployed" in only(reasons(split(10), split(30)))


# --- to -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("origin", "to"), [("baseline", "baseline"), ("prepare", "prepare"), ("prepare", "baseline")])
def test_another_version_may_be_rolled_out_to_at_baseline_or_prepare(origin, to):
    assert reasons(split(origin), split(to, canary="third")) == []


@pytest.mark.parametrize(("origin", "to"), [("baseline", "prepare"), ("prepare", 1)])
def test_to_may_not_change_together_with_a_raise(origin, to):
    reason = only(reasons(split(origin), split(to, canary="third")))

    assert "new" in reason
    assert "third" in reason
    assert "raise" in reason


@pytest.mark.parametrize("origin", ABOVE_PREPARE)
@pytest.mark.parametrize("to", LADDER)
def test_to_may_not_change_from_above_prepare(origin, to):
    reason = only(reasons(split(origin), split(to, canary="third")))

    assert "only" in reason
    assert "third" in reason
    assert "prepare" in reason


# --- entering, leaving, finishing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["baseline", "prepare"])
def test_a_rollout_enters_the_file_at_baseline_or_prepare(stage):
    assert reasons(resting(), split(stage)) == []


@pytest.mark.parametrize("stage", ABOVE_PREPARE)
def test_a_rollout_may_not_enter_the_file_higher(stage):
    reason = only(reasons(resting(), split(stage)))

    assert f"not at {stage}" in reason
    assert "stage: prepare" in reason


def test_a_rollout_leaves_the_file_at_baseline():
    assert reasons(split("baseline"), resting()) == []


@pytest.mark.parametrize("stage", LADDER[1:])
def test_a_rollout_may_not_leave_the_file_elsewhere_with_the_old_version_serving(stage):
    reason = only(reasons(split(stage), resting()))

    assert f"at {stage}" in reason
    assert "baseline" in reason or "stage: 100" in reason


def test_a_rollout_finishes_from_retire():
    assert reasons(split("retire"), resting("new")) == []


@pytest.mark.parametrize("stage", LADDER[:-1])
def test_a_rollout_may_not_finish_from_anywhere_else(stage):
    reason = only(reasons(split(stage), resting("new")))

    assert "finish" in reason
    assert "retire" in reason


def test_a_refusal_of_another_serving_version_says_how_much_traffic_it_has():
    assert "it carries 0 % " in only(reasons(split("baseline"), resting("new")))
    assert "it carries 50 % " in only(reasons(split(50), resting("new")))
    assert "which carries 0 % " in only(reasons(split(50), resting("third")))
    assert "which carries 0 % " in only(reasons(resting("old"), resting("new")))


def test_a_finish_may_not_start_the_next_rollout_in_the_same_update():
    reason = only(reasons(split("retire"), split("prepare", "new", "third")))

    assert "take the rollout out in this update" in reason


# --- serving --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [resting("new"), split("prepare", "new", "old"), split("baseline", "new", "old")])
def test_serving_may_not_change_to_a_version_that_does_not_stand(after):
    reason = only(reasons(resting("old"), after))

    assert "serving" in reason
    assert "carries 100" in reason


@pytest.mark.parametrize("stage", LADDER)
def test_serving_may_not_change_to_a_third_version_when_the_rollout_leaves(stage):
    assert "third" in only(reasons(split(stage), resting("third")))


@pytest.mark.parametrize("stage", LADDER)
def test_serving_and_to_may_not_be_swapped(stage):
    swapped = split(stage, "new", "old", weights=weights_at(stage, "new", "old"))

    assert "serving" in only(reasons(split(stage), swapped))


@pytest.mark.parametrize("stage", LADDER)
def test_serving_may_not_change_while_the_rollout_stays(stage):
    assert "third" in only(reasons(split(stage), split(stage, "third", "new")))


def test_a_wrong_stage_and_a_changed_serving_are_two_reasons_at_once():
    found = reasons(split(10), split(100, "third", "new"))

    assert len(found) == 2
    assert "serving" in found[0]
    assert "10 to 100" in found[1]


# --- weights --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [{"old": 50, "new": 51}, {"old": 100}, {"old": 90, "new": 5, "third": 5}, {}])
def test_weights_that_are_not_those_of_the_stage_are_refused(weights):
    reason = only(reasons(split(10), replace(split(10), weights=weights)))

    assert "weights" in reason


def test_a_rollout_to_the_version_that_serves_is_refused():
    assert reasons(split("prepare"), split("prepare", "old", "old", weights={"old": 0})) != []


# --- the way back ---------------------------------------------------------------------------------------------------------

FALLS = [(a, b) for a, b in PAIRS if LADDER.index(a) > LADDER.index(b) and MATRIX[a, b] and b != "baseline"]


@pytest.mark.parametrize(("origin", "to"), FALLS)
@pytest.mark.parametrize("kept", [{}, {"override": override(1, 50)}, {"decommission": True}])
def test_a_fall_that_changes_nothing_else_is_never_refused(origin, to, kept):
    assert reasons(split(origin, **kept), split(to, **kept)) == []


@pytest.mark.parametrize(("origin", "to"), FALLS)
@pytest.mark.parametrize("edits", [(), (put("decommission", True),), (put("adapters.tone.decommission", True),)])
def test_a_fall_of_pools_or_of_an_adapter_is_never_refused_in_a_service(origin, to, edits):
    assert judged((at(origin), *edits), (at(to), *edits)) == []
    assert judged((tone_at(origin), *edits), (tone_at(to), *edits)) == []


# --- all at once ----------------------------------------------------------------------------------------------------------


def test_all_reasons_are_given_at_once_and_none_twice():
    old = record(split(10), {"tone": split(10, "v1", "v2")})
    new = Record(
        pools=split(100),
        adapters={"tone": split("baseline", "v1", "v2")},
        sources=dict.fromkeys(old.sources, "gs://elsewhere"),
        versions={name: {"podTemplate": {"model": "other"}} for name in old.versions},
        door={**old.door, "namespace": "prod"},
    )

    found = move.judge("chat", old, new)

    assert len(found) == len(set(found)) == 1 + 1 + 2 + 2 + 1  # pools, adapter, two sources, two versions, the door
    assert all("\n" not in reason for reason in found)


def test_the_reasons_come_in_the_same_order_whatever_order_the_state_has():
    def turned(values):
        return dict(reversed(list(values.items())))

    old = record(split(10), {"tone": split(10, "v1", "v2"), "style": split(10, "s1", "s2")})
    new = Record(
        pools=split(10),
        adapters={name: replace(adapter, stage="baseline") for name, adapter in old.adapters.items()},
        sources={key: f"{source}-again" for key, source in old.sources.items()},
        versions={name: {"podTemplate": {"model": "other"}} for name in old.versions},
        door=old.door,
    )
    other = replace(old, adapters=turned(old.adapters), sources=turned(old.sources), versions=turned(old.versions))

    assert len(move.judge("chat", old, new)) == 2 + 4 + 2
    assert move.judge("chat", old, new) == move.judge("chat", other, new)
