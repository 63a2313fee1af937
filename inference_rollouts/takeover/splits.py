"""Weights that stand, as a rollout: which version serves, which one comes, and the rung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.record import Split
from inference_rollouts.settings.model import DEFAULT_STEPS
from inference_rollouts.stages import Stage
from inference_rollouts.takeover.inventory import Existing


@dataclass(frozen=True)
class Standing:
    """Where a rollout stands.

    Attributes:
        serving: name of the old, or of the only one.
        to: name of the new one; None without a rollout.
        how: how that was found out, as a comment says it.
    """

    serving: str
    to: str | None = None
    steps: tuple[int, ...] = ()
    stage: Stage = "baseline"
    how: str = ""

    def rollout(self) -> dict[str, Any] | None:
        """The rollout as a stack file has it."""
        return None if self.to is None else {"to": self.to, "steps": list(self.steps), "stage": self.stage}


def percent(weights: Sequence[int]) -> list[int] | None:
    """Weights as whole percent that add up to 100; None where they are none."""
    total = sum(weights)
    if total <= 0 or any(weight < 0 or weight * 100 % total for weight in weights):
        return None
    return [weight * 100 // total for weight in weights]


def steps_with(weight: int, steps: Sequence[int] = DEFAULT_STEPS) -> tuple[int, ...]:
    """Steps that have the weight as a rung."""
    return tuple(sorted({*steps, *([weight] if 0 < weight <= 100 else [])}))


def noted(found: Existing) -> Split | None:
    """The split that this package wrote on an object."""
    text = found.annotations.get(SPLIT_ANNOTATION)
    try:
        return Split.from_json(text) if text else None
    except (ValueError, TypeError):
        return None


def standing(names: Sequence[str], weights: Sequence[int], note: Split | None) -> Standing | None:
    """Where one or two backends stand: by the note on the object where it agrees with the weights, else by their order.

    Args:
        names: of the versions behind the backends, in the order of the backends.
        weights: in percent.
        note: what this package wrote beside them.

    Returns:
        None where more than two share the traffic.
    """
    given = dict(zip(names, weights, strict=True))
    if note and _carries(note) == {name: weight for name, weight in given.items() if weight} and given.keys() <= _named(note):
        to = note.to if note.stage != "baseline" else None
        return Standing(note.serving, to, note.steps if to else (), note.stage, "as the annotation on it says")
    if len(names) == 1:
        return Standing(names[0])
    if len(names) != 2:
        return None
    stage: Stage = weights[1] or "prepare"
    return Standing(names[0], names[1], steps_with(weights[1]), stage, "the first backend is taken for the old version")


def _carries(note: Split) -> Mapping[str, int]:
    return {name: weight for name, weight in note.weights.items() if weight}


def _named(note: Split) -> set[str]:
    return {note.serving, *([note.to] if note.to else [])}
