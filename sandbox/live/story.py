"""The moves of a live rehearsal: every stage up, back from every stage, retire, finish. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from inference_rollouts.rehearsal.walk import Step
from inference_rollouts.stages import Stage


def whole_story(ladder: Sequence[Stage]) -> list[Step]:
    """Every stage from the first to finish; from each weight back to prepare and up again, one rung at a time.

    >>> whole_story(("baseline", "prepare", 50, 100, "retire"))
    ['baseline', 'prepare', 'baseline', 'prepare', 50, 'prepare', 50, 100, 'prepare', 50, 100, 'retire', 100, 'retire', 'finish']
    """
    return list(_story([stage for stage in ladder if isinstance(stage, int)]))


def _story(weights: Sequence[int]) -> Iterator[Step]:
    yield from ("baseline", "prepare", "baseline", "prepare")
    for i in range(len(weights)):
        # Up to the next rung, one after the other, and back from there at once.
        yield from weights[: i + 1]
        yield "prepare"
    yield from weights
    yield from ("retire", 100, "retire", "finish")


def straight_up(ladder: Sequence[Stage]) -> list[Step]:
    """Every stage once, and finish."""
    return [*ladder, "finish"]


def weight_at(step: Step) -> int:
    """The canary's weight.

    >>> [weight_at(step) for step in ("prepare", 10, "retire")]
    [0, 10, 100]
    """
    if isinstance(step, int):
        return step
    return 100 if step in ("retire", "finish") else 0


def moves(steps: Sequence[Step]) -> list[tuple[Step | None, Step]]:
    """Each step with the one before it; the first is a creation."""
    return [(None, steps[0]), *pairwise(steps)] if steps else []
