"""One container of a pod: its process, started again when it ends, with its relay and its probes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sandbox.nodes.backoff import CrashBackoff
from sandbox.nodes.drain import until_idle
from sandbox.nodes.launch import Launch, Role, role_of
from sandbox.nodes.prober import Prober
from sandbox.nodes.process import Process, listens

log = logging.getLogger("container")

KILLED = 128 + signal.SIGKILL
HOLD_POLL = 0.2


def now() -> str:
    """The time as the API server writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Around(Protocol):
    """What a container asks of its surroundings."""

    relay: Path

    def launch(self, container: Mapping[str, Any]) -> Launch:
        """The process to run; asked before each start."""
        ...

    def private(self, port: int) -> int:
        """The private port of a container port."""
        ...

    def held(self, role: Role) -> bool:
        """Whether a fault keeps it from loading."""
        ...

    def began(self, container: Container) -> None:
        """A run of it began."""
        ...

    def changed(self) -> None:
        """Its status changed."""
        ...


@dataclass(eq=False)
class Container:
    """One container.

    Attributes:
        spec: from the pod.
        ip: of the pod.
        around: its surroundings.
        log_file: where its output goes.
        grace: seconds that a failed probe leaves it after SIGTERM.
        restarts, state, last_state: as in the pod's status.
    """

    spec: Mapping[str, Any]
    ip: str
    around: Around
    log_file: Path
    grace: float = 30.0
    restarts: int = 0
    state: dict[str, Any] = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: dict[str, Any] = field(default_factory=dict)
    process: Process | None = None
    _launch: Launch | None = None
    _prober: Prober | None = None
    _stopping: bool = False
    _reason: str = ""
    _ending: asyncio.Task[None] | None = None
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _retry: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec["name"]

    @property
    def role(self) -> Role:
        """What it is."""
        return role_of(self.spec)

    @property
    def ready(self) -> bool:
        """Whether it is running, and its readiness probe passes."""
        return self._prober is not None and self._prober.ready

    @property
    def started(self) -> bool:
        """Whether it is running, and its startup probe has passed."""
        return self._prober is not None and self._prober.started

    async def run(self) -> None:
        """Start it, and again whenever it ends, until `stop`."""
        backoff = CrashBackoff()
        while not self._stopping:
            launch = self.around.launch(self.spec)
            if launch.refused:
                self._show({"waiting": {"reason": "ImagePullBackOff", "message": launch.refused}})
                return
            began = time.monotonic()
            await self._once(launch)
            if self._stopping:
                return
            self.restarts += 1
            await self._back_off(backoff.after(time.monotonic() - began))

    async def _back_off(self, delay: float) -> None:
        log.info("%s %s: %s, restart %d in %g s", self.ip, self.name, self.last_state, self.restarts, delay)
        self._retry.clear()
        if not delay or self._stopping:
            return
        text = f"back-off {delay:g}s restarting failed container={self.name}"
        self._show({"waiting": {"reason": "CrashLoopBackOff", "message": text}})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._retry.wait()

    async def _once(self, launch: Launch) -> None:
        """One run, from start to end."""
        self._launch, self._reason, started_at = launch, "", now()
        self._over.clear()
        self._prober = Prober(self.spec, self.ip, self.around.changed, self._probe_failed)
        self._show({"running": {"startedAt": started_at}})
        probing = asyncio.create_task(self._prober.run())
        self.around.began(self)
        try:
            code = await self._process(launch)
        finally:
            probing.cancel()
            self._over.set()
            self.process = self._prober = None
        reason = self._reason or ("Error" if code else "Completed")
        ended = {"exitCode": code, "reason": reason, "startedAt": started_at, "finishedAt": now()}
        self.last_state = {"terminated": ended}
        self._show({"terminated": ended})

    async def _process(self, launch: Launch) -> int:
        """The process itself; its exit code."""
        if launch.role == "pretended":
            await self._over.wait()
            return 0
        if not await self._loaded(launch):
            return KILLED
        self.process = await Process.start(launch.argv, launch.env, self.log_file)
        self.around.changed()
        if self._over.is_set():  # killed while it was being started
            self.process.kill()
        relaying = asyncio.create_task(self._relay(self.process, launch.relays))
        try:
            return await self.process.wait()
        finally:
            self.process.kill()  # where this is cancelled, it still runs
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)

    async def _loaded(self, launch: Launch) -> bool:
        """Wait as if a model were loaded; False when it was ended meanwhile."""
        end = time.monotonic() + launch.load_seconds
        while not self._over.is_set():
            held = self.around.held(launch.role)
            if not held and time.monotonic() >= end:
                return True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOLD_POLL if held else min(HOLD_POLL, max(0.0, end - time.monotonic()))):
                    await self._over.wait()
        return False

    async def _relay(self, process: Process, ports: tuple[int, ...]) -> None:
        """Relay the pod's ports once the process listens, and only then: until it does, a connection is refused."""
        pairs = {port: self.around.private(port) for port in ports}
        while not all([await listens(private) for private in pairs.values()]):
            await asyncio.sleep(0.05)
        argv = (str(self.around.relay), *(f"{self.ip}:{port}=127.0.0.1:{own}" for port, own in pairs.items()))
        while pairs and process.runs:
            relay = await Process.start(argv, {}, self.log_file)
            try:
                await relay.wait()
                await asyncio.sleep(HOLD_POLL)
            finally:
                relay.kill()

    # --- its end --------------------------------------------------------------------------------------------------------

    def kill(self, reason: str = "") -> None:
        """End the process at once; it is started again.

        Args:
            reason: what the status calls that: OOMKilled; empty for Error.
        """
        self._reason = reason
        self._over.set()
        if self.process:
            self.process.kill()

    def abandon(self) -> None:
        """End it at once and for good."""
        self._stopping = True
        self._retry.set()
        self.kill()

    def retry(self) -> None:
        """End a back-off that is under way."""
        self._retry.set()

    async def stop(self, grace: float) -> None:
        """End it for good: SIGTERM, and SIGKILL after so many seconds."""
        self._stopping = True
        self._retry.set()
        await self._terminate(grace)

    async def _probe_failed(self, probe: str) -> None:
        log.info("%s %s: its %s probe failed", self.ip, self.name, probe)
        # In a task of its own: the end of the process cancels the probes.
        self._ending = asyncio.create_task(self._terminate(self.grace))

    async def _terminate(self, grace: float) -> None:
        deadline = time.monotonic() + grace
        process, launch = self.process, self._launch
        if process is None or launch is None:
            self._over.set()
            return
        if launch.shutdown_timeout is not None:
            ports = [self.around.private(port) for port in launch.relays]
            await until_idle(process, ports, min(deadline, time.monotonic() + launch.shutdown_timeout))
        # vLLM without a shutdown timeout cuts requests off at SIGTERM.
        process.signal(signal.SIGKILL if launch.shutdown_timeout == 0 else signal.SIGTERM)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _show(self, state: dict[str, Any]) -> None:
        self.state = state
        self.around.changed()
