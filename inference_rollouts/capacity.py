"""Capacity: whether a version can carry its weight, from what one replica carries. Never guessed from replica counts of
different hardware: without figures there is no such check, and the preview says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["requestsPerSecond", "tokensPerSecond"]

UNIT_WORDS: Mapping[str, str] = {"requestsPerSecond": "requests/s", "tokensPerSecond": "tokens/s"}


@dataclass(frozen=True)
class Capacity:
    """What one version can carry.

    Attributes:
        replicas: the most pods it may have: `replicas`, or the autoscaler's max.
        per_replica: what one of them carries, in `unit`.
        unit: requestsPerSecond or tokensPerSecond.
    """

    replicas: int
    per_replica: float
    unit: Unit

    @property
    def total(self) -> float:
        """What all of its pods carry."""
        return self.replicas * self.per_replica

    def to_wire(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"replicas": self.replicas, "perReplica": self.per_replica, "unit": self.unit}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Capacity:
        """From JSON values."""
        return cls(int(wire["replicas"]), float(wire["perReplica"]), wire["unit"])


def demand(peak: float | None, stable: Capacity | None) -> float | None:
    """What must be carried in all: the peak where it is given, else what stable carries; None when neither is known."""
    if peak is not None:
        return peak
    return stable.total if stable else None


def replicas_for(weight: int, wanted: float, capacity: Capacity) -> int:
    """The least pods that carry this share of the demand.

    Args:
        weight: percent.
        wanted: the whole demand, in the capacity's unit.
        capacity: of the version.
    """
    # A hair below a whole number is that number: 0.1 * 3 must not ask for a fourth pod.
    return max(1, math.ceil(wanted * weight / 100 / capacity.per_replica - 1e-9))
