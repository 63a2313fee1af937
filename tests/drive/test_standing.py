"""The safe rung when file, state and live weights differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_rollouts.drive.standing import Live, Standing, way
from inference_rollouts.move import height, judge_split
from inference_rollouts.record import Split
from inference_rollouts.stages import Stage, canary_weight, ladder, weights

LADDER = ladder((1, 10, 25, 50, 100))


def on(stage: Stage) -> Live:
    return Live(stage, canary_weight(stage))


@pytest.mark.parametrize(
    ("three", "to", "write", "up"),
    [
        ((10, 10, 10), 10, False, False),  # nothing has happened
        ((25, 10, 10), 10, True, False),  # died before the update
        ((25, 25, 10), 10, True, True),  # died in the update: finishing it would raise unasked
        ((25, 25, 25), 25, False, False),  # died after it
        (("prepare", 50, 50), "prepare", False, True),  # died on the way back
        (("prepare", "prepare", 50), "prepare", False, True),
        (("prepare", "baseline", "baseline"), "prepare", False, True),  # what was begun to build is left to stand
        ((50, 50, "prepare"), "prepare", True, True),  # somebody went back by hand
        (("retire", "retire", 100), 100, True, True),
        (("retire", 100, 100), 100, True, False),
        ((100, "retire", "retire"), 100, False, True),
        (("prepare", "retire", "retire"), 100, True, True),  # there is no other way down from retire
        (("baseline", "baseline", "baseline"), "baseline", False, False),
    ],
)
def test_the_lowest_of_the_three_is_the_rung_to_go_to(three, to, write, up):
    file, recorded, live = three
    found = way(Standing(file, recorded, (on(live),), LADDER))

    assert found is not None
    assert (found.to, found.write, found.up) == (to, write, up)


def test_weights_on_no_rung_lead_to_the_rung_below():
    found = way(Standing(50, 50, (Live(None, 33),), LADDER))

    assert found is not None
    assert (found.to, found.write, found.up) == (25, True, True)


def test_several_objects_that_differ_count_by_the_lowest():
    found = way(Standing(50, 50, (on(50), on(10)), LADDER))

    assert found is not None
    assert (found.to, found.up) == (10, True)


def test_at_retire_with_traffic_on_the_old_version_a_person_decides():
    assert way(Standing("retire", "retire", (Live(None, 40),), LADDER)) is None


stages = st.sampled_from(LADDER)


def split(stage: Stage) -> Split:
    steps = (1, 10, 25, 50, 100)
    return Split(serving="old", to="new", steps=steps, stage=stage, weights=weights(stage, "old", "new"))


@given(stages, stages, st.lists(stages.map(on) | st.integers(0, 100).map(lambda w: Live(None, w)), max_size=3))
def test_the_way_raises_nothing_and_the_guard_allows_it(file, recorded, live):
    found = way(Standing(file, recorded, tuple(live), LADDER))
    if found is None:
        return
    assert found.to in LADDER
    for one in live:
        assert canary_weight(found.to) <= one.weight
    # A canary that is to be built is no traffic; everything else goes down, or stays.
    if (recorded, found.to) != ("baseline", "prepare"):
        assert height(found.to) <= height(recorded)
    assert judge_split("service llm", split(recorded), split(found.to)) == []
    assert found.write == (file != found.to)
