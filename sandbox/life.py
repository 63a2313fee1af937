"""The life of one part: waiting, starting, ready; and how it may end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from sandbox.home import Home
from sandbox.parts import Part

Status = Literal["waiting", "starting", "ready", "done", "not answering", "slow", "crashed", "stopped"]

FINE: tuple[Status, ...] = ("ready", "done")
DOWN: tuple[Status, ...] = ("crashed", "stopped")

POLL_SECONDS = 0.03
START_SECONDS = 120.0
"""After this a part that is not ready is called slow; it goes on being asked."""
STOP_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""


class Life:
    """One part.

    Args:
        part: what is run.
        home: of the sandbox.
        sockets: file descriptors that a door gets.
        registered: told the process number at once, so that the end of the process is not missed.
    """

    def __init__(self, part: Part, home: Home, sockets: Sequence[int], registered: Callable[[int, Life], None]) -> None:
        self.part = part
        self.status: Status = "waiting"
        self.pid: int | None = None
        self.seconds: float | None = None
        """From its start until it was ready."""
        self.ended: str | None = None
        """How it ended, in words."""
        self._home, self._sockets, self._registered = home, sockets, registered
        self._began = 0.0
        self._changed = asyncio.Event()

    async def bring_up(self, others: Mapping[str, Life], env: Mapping[str, str]) -> None:
        """Wait for what it needs, start it, and ask until it is ready, has ended, or is slow."""
        self.status, self.ended, self.seconds = "waiting", None, None
        for name in self.part.after:
            await others[name].until(*FINE)
        self._spawn({**env, **self.part.env})
        while self.status in ("starting", "slow"):
            if not self.part.once and await self.part.ready.passes() and self.pid:
                self._set("ready")
                return
            if time.monotonic() - self._began > START_SECONDS:
                self._set("slow")
            await asyncio.sleep(POLL_SECONDS)

    async def until(self, *wanted: Status) -> None:
        """Wait for one of these."""
        while self.status not in wanted:
            self._changed.clear()
            await self._changed.wait()

    async def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, by force if it takes too long."""
        if self.pid is None:
            self._set("stopped")
            return
        self.ended = "stopped"
        self.signal(number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.until(*DOWN), STOP_SECONDS)
            return
        self.signal(signal.SIGKILL)
        await self.until(*DOWN)

    def signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def has_ended(self, code: int) -> None:
        """The process is gone.

        Args:
            code: exit code; negative: the signal that ended it.
        """
        if self.pid:
            # What it has left behind must not go on beside the next one's, as an Envoy that listens on the same port.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        asked, self.pid = self.ended == "stopped", None
        if asked:
            self._set("stopped")
        elif self.part.once and code == 0:
            self._set("done")
        else:
            self.ended = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
            self._set("crashed")

    async def look(self) -> dict[str, Any]:
        """What it is now, for `status`; a part that was ready is asked again."""
        status = self.status
        if status == "ready" and not await self.part.ready.passes() and self.status == "ready":
            status = "not answering"
        return {
            "part": self.part.name,
            "status": status,
            "pid": self.pid,
            "seconds": None if self.seconds is None else round(self.seconds, 2),
            "ended": self.ended if status == "crashed" else None,
        }

    def _set(self, status: Status) -> None:
        self.status = status
        if status in FINE:
            self.seconds = time.monotonic() - self._began
        self._changed.set()

    def _spawn(self, env: Mapping[str, str]) -> None:
        self._home.ready_file(self.part.name).unlink(missing_ok=True)
        log, append = str(self._home.log(self.part.name)), os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_OPEN, 1, log, append, 0o644), (os.POSIX_SPAWN_DUP2, 1, 2)]
        if self.part.door:
            actions += [(os.POSIX_SPAWN_DUP2, socket, 3 + n) for n, socket in enumerate(self._sockets)]
        argv = self.part.argv
        try:
            # setsigdef: the supervisor's handlers must not leave these ignored in its children.
            pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setpgroup=0, setsigdef=[signal.SIGINT, signal.SIGHUP])
        except OSError as e:
            self.ended = f"{argv[0]} cannot be run: {e.strerror}"
            self._set("crashed")
            return
        self.pid, self._began = pid, time.monotonic()
        self._set("starting")
        self._registered(pid, self)
