"""Where a rollout stands in the file, in the state and live; and the safe rung when the three differ. Pure.

In doubt the canary gets the least of them: that is a fall or nothing, so it is allowed, and asks nobody. Finishing a raise
that was cut off would pass the guard's questions by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference_rollouts.drive import recover_words
from inference_rollouts.drive.state import SplitObject
from inference_rollouts.move import height
from inference_rollouts.observe.splits import live_weights, recorded_split
from inference_rollouts.observe.targets import SplitTarget
from inference_rollouts.record import Split
from inference_rollouts.stages import Stage


@dataclass(frozen=True)
class Live:
    """What one object splits.

    Attributes:
        stage: whose weights these are; None when they are those of no stage.
        weight: the canary's, in percent.
    """

    stage: Stage | None
    weight: int


@dataclass(frozen=True)
class Standing:
    """Where one rollout stands.

    Attributes:
        file: the stage in the file.
        recorded: the stage in the state.
        live: of each object that carries its weights; empty where nobody has looked.
        ladder: all stages in order.
    """

    file: Stage
    recorded: Stage
    live: tuple[Live, ...]
    ladder: Sequence[Stage]


@dataclass(frozen=True)
class Way:
    """How to bring them together.

    Attributes:
        to: the safe rung.
        write: whether the file has to be put there.
        up: whether an update is needed.
    """

    to: Stage
    write: bool
    up: bool


def way(standing: Standing) -> Way | None:
    """The safe rung; None where there is none that leads there without a raise: that is for a person to decide."""
    heights = [height(standing.file), height(standing.recorded), *(_height(live) for live in standing.live)]
    lowest = min(heights)
    if standing.recorded == "retire":
        # From retire there is one way down, and it gives the canary 100: not where it has less already.
        if any(live.weight < 100 for live in standing.live):
            return None
        lowest = max(lowest, height(100))
    elif max(heights) >= height("prepare"):
        # What prepare has begun to build is left to stand.
        lowest = max(lowest, height("prepare"))
    below: list[Stage] = [stage for stage in standing.ladder if height(stage) <= lowest]
    to: Stage = below[-1]
    moved = standing.recorded != to or any(live.stage != to for live in standing.live)
    return Way(to, write=standing.file != to, up=moved)


def _height(live: Live) -> int:
    return live.weight if live.stage is None else height(live.stage)


def seen(target: SplitTarget, found: SplitObject, canary: str, ladder: Sequence[Stage]) -> Live | None:
    """What an object splits, as it is live; None where that cannot be read.

    Args:
        target: the object, with its split at any stage.
        found: as the state holds it after a refresh.
        canary: the version that is moved to.
        ladder: all stages in order.
    """
    weights = live_weights(found.value)
    if weights is None:
        return None
    fitting: list[Stage] = [stage for stage in ladder if target.weights(target.split.at(stage)) == weights]
    written = recorded_split(found.value)
    # Without zeros `baseline` and `prepare` of an adapter look the same: the annotation tells them apart.
    named: list[Stage] = [stage for stage in fitting if isinstance(written, Split) and written.stage == stage]
    candidates: list[Stage] = [*named, *reversed(fitting)]
    stage = candidates[0] if candidates else None
    return Live(stage, weights.get(target.backends.get(canary, canary), 0))


def told(live: Iterable[Live]) -> str:
    """The live weights, as a person says them."""
    said = {recover_words.live_off(one.weight) if one.stage is None else str(one.stage) for one in live}
    return " and ".join(sorted(said)) or recover_words.live_unknown()
