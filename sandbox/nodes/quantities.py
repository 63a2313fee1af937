"""Amounts as Kubernetes writes them, and what a pod asks of a node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SUFFIXES = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15} | {
    f"{letter}i": float(1024**power) for power, letter in enumerate("KMGTP", start=1)
}


def number(quantity: str | float) -> float:
    """A quantity as a number.

    >>> number("1500m"), number("2Gi")
    (1.5, 2147483648.0)
    """
    found = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?)([a-zA-Z]*)", str(quantity))
    if found is None or found[2] not in SUFFIXES:
        raise ValueError(f"{quantity} is no quantity")
    return float(found[1]) * SUFFIXES[found[2]]


@dataclass(frozen=True)
class Resources:
    """Amounts by resource."""

    amounts: Mapping[str, float]

    def fits(self, room: Resources) -> bool:
        """Whether all of it is there."""
        return all(amount <= room.amounts.get(name, 0.0) for name, amount in self.amounts.items() if amount)

    def __sub__(self, other: Resources) -> Resources:
        return Resources({name: amount - other.amounts.get(name, 0.0) for name, amount in self.amounts.items()})


def of_node(node: Any) -> Resources:
    """What an empty node has for pods."""
    return Resources({name: number(amount) for name, amount in node["status"]["allocatable"].items()})


def of_pod(pod: Any) -> Resources:
    """What a pod requests: containers and sidecars together (init containers that end are done before them)."""
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    total: dict[str, float] = {"pods": 1.0}
    for name, amount in _requests([*sidecars, *spec["containers"]]):
        total[name] = total.get(name, 0.0) + amount
    return Resources(total)


def _requests(containers: Iterable[Any]) -> Iterable[tuple[str, float]]:
    for container in containers:
        resources = container.get("resources") or {}
        # The API server defaults requests to limits.
        for name, amount in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
            yield name, number(amount)
