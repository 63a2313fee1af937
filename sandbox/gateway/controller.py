"""The loop: what stands in the cluster -> what Envoy is to do -> what the objects are told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sandbox.gateway.clusters import Target
from sandbox.gateway.delay import DelayLine
from sandbox.gateway.files import GatewayFiles
from sandbox.gateway.publish import Publisher, Tells
from sandbox.gateway.report import Patch, write
from sandbox.gateway.settings import SettingsFile
from sandbox.gateway.snapshot import Snapshot, translate
from sandbox.gateway.statuses import Status
from sandbox.gateway.store import Store

log = logging.getLogger("gateway")

POLL, IDLE = 0.01, 0.5
"""Seconds between two looks: while Envoy has yet to take something, and otherwise."""
PATIENCE = 5
"""Seconds after which Envoy is asked less often: it is away, or it refused what it was given."""


class Controller:
    """Keeps Envoy and the statuses in line with the cluster.

    Args:
        store: what stands.
        files: of the gateway.
        envoy: who tells what it has taken.
        patch: writes a status.
        clock: seconds that only go forward.
    """

    def __init__(
        self, store: Store, files: GatewayFiles, envoy: Tells, patch: Patch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._files, self._patch, self._clock = store, files, patch, clock
        self._publisher = Publisher(files, envoy)
        self._settings = SettingsFile(files.settings)
        self._routes: DelayLine[Snapshot] = DelayLine()
        self._words: DelayLine[tuple[Status, ...]] = DelayLine()
        self._standing: tuple[Status, ...] = ()
        self._wanted_at = 0.0
        self._translated: tuple[object, Snapshot, dict[str, Target]] | None = None

    def run(self, stop: threading.Event, ready: Callable[[], None]) -> None:
        """Work until told to stop; `ready` is called once Envoy has taken the first state."""
        first = True
        while not stop.is_set():
            version, taken = self.step()
            if taken and first:
                first = False
                ready()
            self._store.wait(version, self.pause())

    def step(self) -> tuple[int, bool]:
        """One round: the version that was looked at, and whether Envoy has just taken a state."""
        version, objects = self._store.read()
        if not self._store.complete:
            return version, False
        settings, now = self._settings.read(), self._clock()
        if self._translated is None or self._translated[0] != (version, settings):
            snapshot, targets = translate(objects, self._files, checks=settings.health_checks)
            self._translated = ((version, settings), snapshot, targets)
        _, snapshot, targets = self._translated
        self._routes.put(snapshot, now + settings.weight_delay)
        if due := self._routes.take(now):
            self._publisher.want(due)
            self._wanted_at = now
        self._publisher.endpoints(targets)
        taken = self._publisher.advance(now)
        if taken:
            self._words.put(taken.statuses, now + settings.status_delay)
        self._standing = self._words.take(now) or self._standing
        for status, manifest in write(self._standing, objects, self._patch):
            self._store.deliver(status.kind, "MODIFIED", manifest)
        return version, taken is not None

    def pause(self) -> float:
        """Seconds until the next round is due at the latest."""
        if self._publisher.busy:
            return POLL if self._clock() - self._wanted_at < PATIENCE else IDLE
        times = [line.next() for line in (self._routes, self._words, self._publisher)]
        return max(POLL, min([IDLE, *(when - self._clock() for when in times if when is not None)]))
