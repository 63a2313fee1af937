"""`--moves all` says of every pair of stages what DESIGN section 3 says: the ladder, written down a second time."""

from __future__ import annotations

import pytest

from inference_rollouts.rehearsal.walk import Rehearsal
from inference_rollouts.stages import Stage
from tests.conftest import EXAMPLES, ROOT, example
from tests.program.runs import ROLLOUTS, moves_of


def allowed(ladder: tuple[Stage, ...], here: Stage, there: Stage) -> bool:
    """Up one rung at a time; down as far as `prepare` at once; `baseline` only from `prepare`; from `retire` only to 100."""
    if here == there:
        return True
    if ladder.index(there) > ladder.index(here):
        return ladder.index(there) == ladder.index(here) + 1
    if here == "retire":
        return there == 100
    return here == "prepare" if there == "baseline" else True


JUDGED = [(s, r) for s, r in ROLLOUTS if s in EXAMPLES or r.adapter or s in ("several-services", "external", "context-only")]
"""The other stacks have ladders of the same kinds."""

every_ladder = pytest.mark.parametrize(("stack", "rollout"), JUDGED, ids=[f"{s}-{r.adapter or r.service}" for s, r in JUDGED])


@every_ladder
def test_every_move_is_allowed_or_refused_as_the_design_says(stack, rollout):
    verdicts = moves_of(stack, rollout)

    pairs = [(here, there) for here in rollout.ladder for there in rollout.ladder]
    assert [(v.origin, v.to) for v in verdicts] == pairs, "every ordered pair, staying included, finish not"
    for verdict in verdicts:
        wanted = allowed(rollout.ladder, verdict.origin, verdict.to)
        assert (verdict.reasons == ()) == wanted, f"{verdict.origin} to {verdict.to}: {verdict.reasons}"


@every_ladder
def test_every_refusal_names_what_is_moved_and_both_stages_and_says_each_thing_once(stack, rollout):
    for verdict in moves_of(stack, rollout):
        assert len(set(verdict.reasons)) == len(verdict.reasons)
        for reason in verdict.reasons:
            assert (rollout.adapter or rollout.service) in reason
            assert f"{verdict.origin}" in reason
            assert f"{verdict.to}" in reason


@pytest.mark.parametrize(
    ("here", "there", "is_allowed"),
    [
        ("baseline", "prepare", True),
        ("baseline", 10, False),
        ("prepare", 10, True),
        ("prepare", 50, False),
        (10, 50, True),
        (10, 100, False),
        (50, "prepare", True),
        (50, 10, True),
        (50, "baseline", False),
        (50, "retire", False),
        (100, "retire", True),
        (100, "prepare", True),
        ("retire", 100, True),
        ("retire", 50, False),
        ("retire", "prepare", False),
        ("retire", "baseline", False),
        ("prepare", "baseline", True),
    ],
)
def test_the_oracle_is_the_table_of_the_design(here, there, is_allowed):
    """The sentences of section 3, one by one."""
    assert allowed(("baseline", "prepare", 10, 50, 100, "retire"), here, there) is is_allowed


def test_one_step_ladders_have_all_their_moves_too():
    config = example("node-update")
    config["inference-rollouts:services"]["llm"]["rollout"] |= {"steps": [100], "stage": "prepare"}
    rehearsal = Rehearsal(ROOT, "node-update", config)
    (rollout,) = rehearsal.rollouts()

    found = {(v.origin, v.to): not v.reasons for v in rehearsal.moves(rollout)}

    assert found == {(a, b): allowed(rollout.ladder, a, b) for a in rollout.ladder for b in rollout.ladder}


def test_pools_and_adapters_in_every_generation_of_the_api_are_among_them():
    assert {bool(rollout.adapter) for _, rollout in JUDGED} == {True, False}
    assert {"llm-d", "v1alpha2", "lora-adapter"} <= {stack for stack, rollout in JUDGED if rollout.adapter}
