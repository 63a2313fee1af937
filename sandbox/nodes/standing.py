"""Faults that last until they are cleared: which containers are killed again and again, which servers never load, which pools
have no machines. Kept in a file, so that they outlive the agent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox import files
from sandbox.nodes.launch import Role

Kind = Literal["crash", "oom", "block"]
Labels = Mapping[str, str]

REASONS: Mapping[Kind, str] = {"crash": "", "oom": "OOMKilled", "block": ""}


@dataclass(frozen=True)
class Standing:
    """One fault that lasts.

    Attributes:
        kind: crash and oom kill each run of a container; block keeps servers from loading.
        selector: labels of the pods.
        role: of the containers.
        after: seconds from the start of a run to its end.
    """

    kind: Kind
    selector: Labels
    role: Role
    after: float = 1.0

    def hits(self, labels: Labels, role: Role) -> bool:
        """Whether it is about a container."""
        return role == self.role and matches(self.selector, labels)


def matches(selector: Labels, labels: Labels) -> bool:
    """Whether the labels are among a pod's."""
    return all(labels.get(key) == value for key, value in selector.items())


class Faults:
    """All that stand.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._standing = [Standing(**entry) for entry in json.loads(path.read_text("utf-8"))]
        except (OSError, ValueError, TypeError):
            self._standing = []

    def __iter__(self) -> Iterator[Standing]:
        return iter(self._standing)

    def add(self, fault: Standing) -> None:
        """One more."""
        self._standing.append(fault)
        self._write()

    def clear(self) -> None:
        """None any more."""
        self._standing = []
        self._write()

    def holds(self, labels: Labels, role: Role) -> bool:
        """Whether a container is kept from loading."""
        return any(f.kind == "block" and f.hits(labels, role) for f in self._standing)

    def began(self, labels: Labels, container: Any) -> None:
        """A run began: end it soon, if a fault says so."""
        for fault in self._standing:
            if fault.kind != "block" and fault.hits(labels, container.role):
                asyncio.get_running_loop().call_later(fault.after, self._end, fault, container)
                return

    def _end(self, fault: Standing, container: Any) -> None:
        if fault in self._standing:
            container.kill(REASONS[fault.kind])

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(self._path, json.dumps([asdict(fault) for fault in self._standing]))
