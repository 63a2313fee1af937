"""What an override and a decommission allow, against the contract, and what no word in the file allows."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from inference_rollouts import move
from tests.records import LADDER, as_it_is, at, judged, matrix, only, override, put, reasons, record, resting, split, tone_at

MATRIX = matrix()
PAIRS = list(product(LADDER, LADDER))
ABOVE_PREPARE = LADDER[2:]


# --- override -------------------------------------------------------------------------------------------------------------

NEVER = {
    ("baseline", to)
    for to in ABOVE_PREPARE  # the canary does not stand yet
} | {(origin, to) for origin in LADDER for to in ("baseline", "retire") if origin not in (to, "baseline")} - {
    ("prepare", "baseline"),
    (100, "retire"),
}  # what has weight would go
"""Moves that no override allows."""


@pytest.mark.parametrize(("origin", "to"), [pair for pair in PAIRS if not MATRIX[pair]])
def test_an_override_allows_one_refused_move_unless_it_creates_or_removes_weight(origin, to):
    allowed = reasons(split(origin), split(to, override=override(origin, to))) == []

    assert allowed is ((origin, to) not in NEVER)


@pytest.mark.parametrize(("origin", "to"), sorted(NEVER, key=str))
def test_a_move_that_no_override_allows_says_so_and_what_to_do(origin, to):
    found = reasons(split(origin), split(to, override=override(origin, to)))

    assert all("no override" in reason and "first" in reason for reason in found)
    assert len(found) == (2 if (origin, to) == ("baseline", "retire") else 1)


def test_an_override_allows_no_other_move_than_its_own():
    reason = only(reasons(split(1), split(100, override=override(1, 50))))

    assert "1 to 100 skips" in reason
    assert "override" in reason
    assert "1 to 50" in reason


def test_an_override_that_is_recorded_is_spent():
    spent = override(1, 50)

    reason = only(reasons(split(1, override=spent), split(50, override=spent)))

    assert "1 to 50 skips" in reason
    assert "spent" in reason


def test_an_override_is_spent_after_the_move_that_it_allowed_and_allows_no_second_one():
    once = override(10, 50)
    below, above = split(10, override=once), split(50, override=once)

    assert reasons(split(10), above) == []
    assert reasons(above, below) == []
    assert reasons(below, above) != []


def test_an_override_with_another_reason_is_another_override():
    before = split(1, override=override(1, 50))

    assert reasons(before, split(50, override=override(1, 50, reason="the old nodes fail again"))) == []
    assert reasons(before, split(50, override=override(1, 50, by="grace"))) == []


def test_an_override_left_in_the_file_does_not_disturb_the_next_raise():
    left = override(1, 25)

    assert reasons(split(25, override=left), split(50, override=left)) == []
    assert reasons(split(25, override=left), split(100, override=left)) != []


def test_an_override_may_be_taken_out_of_the_file_with_any_move_and_none_is_then_spoken_of():
    before = split(10, override=override(1, 10))

    assert reasons(before, split(10)) == reasons(before, split(25)) == reasons(before, split("prepare")) == []
    assert "override" not in only(reasons(before, split(50)))


def test_an_override_allows_no_change_of_steps_with_the_raise():
    assert "steps" in only(reasons(split(10), split(100, steps=(10, 100), override=override(10, 100))))


@pytest.mark.parametrize("stage", ABOVE_PREPARE)
def test_an_override_does_not_let_a_rollout_enter_higher(stage):
    assert reasons(resting(), split(stage, override=override("baseline", stage))) != []


def test_an_override_holds_for_adapters_as_for_pools():
    permission = {"from": 1, "to": 50, "reason": "the old one answers wrongly", "by": "ada"}

    assert judged(tone_at(1), tone_at(50, override=permission)) == []
    assert judged(tone_at(1, override=permission), tone_at(50, override=permission)) != []


def test_an_override_works_through_floats():
    assert judged(at(1), at(50, override={"from": 1, "to": 50, "reason": "r", "by": "ada"})) == []


def test_an_override_lets_a_deployed_weight_on_no_rung_rise():
    steps = (25, 100)

    assert reasons(split(10, steps=steps), split(25, steps=steps, override=override(10, 25))) == []


# --- decommission ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [resting(), *(split(stage) for stage in LADDER)])
def test_decommission_comes_alone_at_every_stage(before):
    assert reasons(before, replace(before, decommission=True)) == []


@pytest.mark.parametrize(("origin", "to"), [pair for pair in PAIRS if pair[0] != pair[1]])
def test_decommission_allows_no_move_in_its_own_update(origin, to):
    reason = only(reasons(split(origin), split(to, decommission=True)))

    assert "decommission" in reason


@pytest.mark.parametrize(("origin", "to"), PAIRS)
def test_while_decommission_is_recorded_a_rollout_may_stay_or_fall(origin, to):
    falls = LADDER.index(to) <= LADDER.index(origin)

    allowed = reasons(split(origin, decommission=True), split(to, decommission=True)) == []

    assert allowed is (falls and MATRIX[origin, to])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (resting(), split("prepare")),
        (split("baseline"), resting()),
        (split("retire"), resting("new")),
        (split("prepare"), split("prepare", canary="third")),
        (split(10), split(10, steps=(10, 100))),
        (resting(), resting("third")),
    ],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_decommission_allows_no_other_change_of_a_rollout(before, after, recorded):
    reason = only(reasons(replace(before, decommission=recorded), replace(after, decommission=True)))

    assert "decommission" in reason


@pytest.mark.parametrize(("origin", "to"), PAIRS)
def test_taken_back_decommission_leaves_the_ladder_as_it_is(origin, to):
    assert (reasons(split(origin, decommission=True), split(to)) == []) is MATRIX[origin, to]


def test_an_adapter_is_removed_after_its_decommission():
    gone = put("adapters.tone", None)

    assert judged(put("adapters.tone.decommission", True), gone) == []
    assert judged((tone_at(50), put("adapters.tone.decommission", True)), gone) == []


@pytest.mark.parametrize("before", [as_it_is, tone_at("baseline"), tone_at(50), put("decommission", True)])
def test_an_adapter_is_not_removed_without_decommission_on_it(before):
    reason = only(judged(before, put("adapters.tone", None)))

    assert "tone" in reason
    assert "decommission: true on it" in reason


def test_a_renamed_adapter_is_one_that_is_removed():
    def renamed(service):
        service["adapters"]["voice"] = service["adapters"].pop("tone")

    assert "tone" in only(judged(as_it_is, renamed))


def test_the_decommission_of_a_service_allows_no_move_of_its_adapters():
    reason = only(judged(tone_at(10), (tone_at(1), put("decommission", True))))

    assert reason.startswith("adapter tone of service chat")
    assert "decommission" in reason


def test_the_decommission_of_a_service_refuses_the_moves_of_pools_and_of_each_adapter_once():
    old = record(split(10), {"tone": split(10, "v1", "v2"), "style": split(10, "s1", "s2")})
    new = record(split(25, decommission=True), {"tone": split(25, "v1", "v2"), "style": split(10, "s1", "s2")})

    found = move.judge("chat", old, new)

    assert [reason.split(":")[0] for reason in found] == ["service chat", "adapter tone of service chat"]


def test_while_the_decommission_of_a_service_is_recorded_its_adapters_may_fall_and_not_rise():
    leaving = put("decommission", True)

    assert judged((tone_at(50), leaving), (tone_at("prepare"), leaving)) == []
    assert judged((tone_at("retire"), leaving), (tone_at(100), leaving)) == []
    assert "decommission" in only(judged((tone_at(10), leaving), (tone_at(25), leaving)))


def test_the_decommission_of_an_adapter_allows_it_no_move_but_a_fall_once_it_is_recorded():
    leaving = put("adapters.tone.decommission", True)

    assert "decommission" in only(judged(tone_at(10), (tone_at(25), leaving)))
    assert "decommission" in only(judged((tone_at(10), leaving), (tone_at(25), leaving)))
    assert judged((tone_at(10), leaving), (tone_at(1), leaving)) == []


def test_the_decommission_of_an_adapter_lets_the_others_move():
    leaving = put("adapters.style.decommission", True)

    assert judged(tone_at(10), (tone_at(25), leaving)) == []
