"""The ladder: the stages a rollout goes through, in order, and what each of them means.

Nothing here knows what is moved (pools or adapters); it only knows stable, canary and weights in percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

Stage = Literal["baseline", "prepare", "retire"] | int
"""`baseline`, `prepare`, a canary weight in percent (1 to 100), or `retire`."""

NAMED: tuple[Stage, ...] = ("baseline", "prepare", "retire")


class Share(NamedTuple):
    """What stable and canary get at a stage: percent, or None for no backend at all."""

    stable: int | None
    canary: int | None


def ladder(steps: Sequence[int]) -> tuple[Stage, ...]:
    """All stages in order.

    >>> ladder([10, 100])
    ('baseline', 'prepare', 10, 100, 'retire')
    """
    return ("baseline", "prepare", *steps, "retire")


def share(stage: Stage) -> Share:
    """The weights of a stage; they always add up to 100."""
    match stage:
        case "baseline":
            return Share(100, None)
        case "prepare":
            return Share(100, 0)
        case "retire":
            return Share(None, 100)
        case weight:
            return Share(100 - weight, weight)


def canary_weight(stage: Stage) -> int:
    """The canary's weight in percent; none counts as 0."""
    return share(stage).canary or 0


def weights(stage: Stage, stable: str, canary: str | None) -> dict[str, int]:
    """Weight by version name, for the backends the stage has: stable first."""
    parts = share(stage)
    out: dict[str, int] = {}
    if parts.stable is not None:
        out[stable] = parts.stable
    if canary is not None and parts.canary is not None:
        out[canary] = parts.canary
    return out


def protects_stable(stage: Stage) -> bool:
    """Whether stable may not be deleted: always, until `retire` lifts it."""
    return stage != "retire"


def protects_canary(stage: Stage) -> bool:
    """Whether the canary may not be deleted: as soon as it has weight."""
    return canary_weight(stage) > 0


def builds_canary(stage: Stage) -> bool:
    """Whether the canary stands at this stage."""
    return stage != "baseline"
