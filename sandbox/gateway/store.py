"""The objects of the cluster as they were last seen, kept by watches in threads, read by one loop."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.gateway.kinds import Kind
from sandbox.gateway.objects import Key, Objects, key_of


class Store:
    """Objects by kind.

    Args:
        kinds: those that are watched.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._changed = threading.Condition()
        self._objects: dict[str, dict[Key, Mapping[str, Any]]] = {kind.name: {} for kind in kinds}
        self._unseen = {kind.name for kind in kinds}
        self._version = 0

    def deliver(self, kind: Kind, event: str, manifest: Mapping[str, Any]) -> None:
        """Take an event of a watch: ADDED, MODIFIED, DELETED; SYNCED when all that stands was delivered."""
        with self._changed:
            if event == "SYNCED":
                self._unseen.discard(kind.name)
            else:
                self._apply(self._objects[kind.name], event, manifest)
            self._version += 1
            self._changed.notify_all()

    @staticmethod
    def _apply(held: dict[Key, Mapping[str, Any]], event: str, manifest: Mapping[str, Any]) -> None:
        key = key_of(manifest)
        known = held.get(key)
        if known and _revision(known) > _revision(manifest):
            return
        if event == "DELETED":
            # Not another one of the same name.
            if known and known["metadata"].get("uid") == manifest["metadata"].get("uid"):
                del held[key]
        else:
            held[key] = manifest

    @property
    def complete(self) -> bool:
        """Whether every kind was listed once."""
        with self._changed:
            return not self._unseen

    def read(self) -> tuple[int, Objects]:
        """The objects, and a number that grows with every change."""
        with self._changed:
            return self._version, Objects({kind: dict(held) for kind, held in self._objects.items()})

    def wait(self, version: int, seconds: float) -> bool:
        """Wait until something changed since a version, at most so long; whether it did."""
        with self._changed:
            return self._changed.wait_for(lambda: self._version != version, seconds)


def _revision(manifest: Mapping[str, Any]) -> int:
    return int(manifest["metadata"].get("resourceVersion") or 0)
