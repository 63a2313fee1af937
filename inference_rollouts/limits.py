"""Limits of a raise that need no live data: freeze windows, and capacity where it is given. They are part of the record, so a
window that is taken out of the file in the update that raises still holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from inference_rollouts import wording
from inference_rollouts.capacity import UNIT_WORDS, Capacity, demand, replicas_for
from inference_rollouts.windows import Freeze


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a raise is held against.

    Attributes:
        peak: the whole demand, in the unit of the capacities; None takes what stable carries.
        capacity: of each version for which it is given.
        freeze: the windows.
    """

    peak: float | None = None
    capacity: Mapping[str, Capacity] = field(default_factory=dict)
    freeze: tuple[Freeze, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """As plain JSON values, without what is not set."""
        windows = [{"from": f.start, "to": f.end, "timezone": f.timezone, "reason": f.reason} for f in self.freeze]
        out: dict[str, Any] = {"capacity": {name: c.to_wire() for name, c in self.capacity.items()}, "freeze": windows}
        return {key: value for key, value in {**out, "peak": self.peak}.items() if value}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Limits:
        """From JSON values."""
        windows = wire.get("freeze") or []
        return cls(
            peak=wire.get("peak"),
            capacity={name: Capacity.from_wire(c) for name, c in (wire.get("capacity") or {}).items()},
            freeze=tuple(Freeze(f["from"], f["to"], f["timezone"], f["reason"]) for f in windows),
        )


def frozen_now(what: str, old: Limits, new: Limits, now: datetime) -> Iterator[str]:
    """Why nothing rises now: the deployed windows and the wanted ones both count."""
    for window in dict.fromkeys((*old.freeze, *new.freeze)):
        if window.holds(now):
            yield wording.frozen_window(what, str(window), window.reason)
            return


def strict(old: Limits, new: Limits) -> Limits:
    """The stricter figures of what is deployed and of what is wanted, with the wanted replicas.

    So no figure is relaxed in the very update that it would refuse.
    """
    peaks = [peak for peak in (old.peak, new.peak) if peak is not None]
    capacity = dict(old.capacity) | dict(new.capacity)
    for name in old.capacity.keys() & new.capacity.keys():
        before, after = old.capacity[name], new.capacity[name]
        if before.unit == after.unit:
            capacity[name] = replace(after, per_replica=min(before.per_replica, after.per_replica))
    return Limits(peak=max(peaks, default=None), capacity=capacity)


def shrunk(what: str, old: Limits, new: Limits, stable: str, needs: Mapping[str, int]) -> Iterator[str]:
    """Versions that get fewer pods than what they carry, or must be able to take back, needs.

    Args:
        what: the service.
        old, new: what is deployed, and wanted.
        stable: the version that serves; without a peak its deployed pods are the demand.
        needs: percent by version.
    """
    figures = strict(old, new)
    wanted = demand(figures.peak, old.capacity.get(stable))
    for name, weight in needs.items():
        before, after = old.capacity.get(name), new.capacity.get(name)
        if wanted is None or before is None or after is None or after.replicas >= before.replicas:
            continue
        least = replicas_for(weight, wanted, figures.capacity[name])
        if after.replicas < least:
            why = f"{weight} % of {wanted:g} {UNIT_WORDS[after.unit]}"
            yield wording.shrunk(what, name, why, (before.replicas, after.replicas), least)


def too_small(what: str, limits: Limits, stable: str, weights: Mapping[str, int]) -> Iterator[str]:
    """Versions that could not carry their weight."""
    wanted = demand(limits.peak, limits.capacity.get(stable))
    if wanted is None:
        return
    for name, weight in weights.items():
        capacity = limits.capacity.get(name)
        if capacity and weight and capacity.total * 100 < wanted * weight - 1e-6:
            has = f"its {capacity.replicas} replicas carry {capacity.total:g}"
            why = f"{weight} % of {wanted:g} {UNIT_WORDS[capacity.unit]}, and {has}"
            yield wording.too_small(what, name, why, replicas_for(weight, wanted, capacity))
