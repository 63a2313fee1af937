"""The probes of one running container, each at its own pace, and what follows from them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.nodes.probes import Probe, probe_of

FIRST_PROBE = 0.3
"""Seconds from a container's start to its first probe, so that what comes up at once is seen at once."""


@dataclass
class Prober:
    """Probes of one run of a container.

    Attributes:
        container: from the pod's spec.
        ip: of the pod.
        changed: called when `ready` or `started` changed.
        failed: called once, with the probe's name, when the container must be restarted.
        ready, started: what the probes say; a container without a probe is at once.
    """

    container: Mapping[str, Any]
    ip: str
    changed: Callable[[], None]
    failed: Callable[[str], Awaitable[None]]
    ready: bool = field(init=False)
    started: bool = field(init=False)

    def __post_init__(self) -> None:
        self.started = probe_of(self.container, "startupProbe") is None
        self.ready = self.started and probe_of(self.container, "readinessProbe") is None

    async def run(self) -> None:
        """Probe until cancelled."""
        await asyncio.sleep(FIRST_PROBE)
        startup = probe_of(self.container, "startupProbe")
        if startup:
            if not await self._until_started(startup):
                await self.failed("startup")
                return
            self.started = True
        readiness, liveness = (probe_of(self.container, f"{kind}Probe") for kind in ("readiness", "liveness"))
        self.ready = self.ready or readiness is None
        self.changed()
        async with asyncio.TaskGroup() as group:
            if readiness:
                group.create_task(self._watch_readiness(readiness))
            if liveness:
                group.create_task(self._watch_liveness(liveness))

    async def _until_started(self, probe: Probe) -> bool:
        await asyncio.sleep(probe.initial_delay)
        for _ in range(probe.failure):
            if await probe.passes(self.ip):
                return True
            await asyncio.sleep(probe.period)
        return False

    async def _watch_readiness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        row, last = 0, None
        while True:
            passed = await probe.passes(self.ip)
            row, last = (row + 1 if passed == last else 1), passed
            if passed != self.ready and row >= (probe.success if passed else probe.failure):
                self.ready = passed
                self.changed()
            await asyncio.sleep(probe.period)

    async def _watch_liveness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        failures = 0
        while failures < probe.failure:
            failures = 0 if await probe.passes(self.ip) else failures + 1
            await asyncio.sleep(probe.period if failures < probe.failure else 0)
        await self.failed("liveness")
