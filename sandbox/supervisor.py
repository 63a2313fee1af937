"""The first process in the sandbox's namespaces: starts the parts, sees how they end, answers what is asked.

When it ends, the kernel ends every other process of its PID namespace. It starts nothing again by itself: a crash is to be
seen, and `rollout sandbox up` repairs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox import namespaces, talk
from sandbox.home import Home, SandboxError, State
from sandbox.life import DOWN, START_SECONDS, Life
from sandbox.parts import environment, parts

GRACE_SECONDS = 2.0
"""What parts get to end by themselves at `down`."""

LOOK_SECONDS = 1.0
LOG_BYTES = 64 * 2**20
"""A log that is longer is begun anew; what it held is kept once, as `<part>.log.old`."""


class Supervisor:
    """The parts of one sandbox.

    Args:
        home, state: of the sandbox.
        sockets: that listen outside, for the door.
    """

    def __init__(self, home: Home, state: State, sockets: Sequence[int]) -> None:
        self.home, self._id = home, state.id
        self._by_pid: dict[int, Life] = {}
        self._lives = {part.name: Life(part, home, sockets, self._by_pid.__setitem__) for part in parts(home, state)}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Bring all up, answer until told to end, end all."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._collect)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._over.set)
        async with await talk.listen(self.home, self.answer):
            for name in self._lives:
                self._start(name)
            while not self._over.is_set() and self._at_home():
                for log in self.home.logs.rglob("*.log"):
                    shorten(log, LOG_BYTES)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), LOOK_SECONDS)
        await self._end()

    async def answer(self, request: dict[str, Any]) -> Any:
        """What is asked: status, start, stop, restart, repair, down."""
        match request["do"]:
            case "status":
                return await asyncio.gather(*(life.look() for life in self._lives.values()))
            case "start" | "stop" | "restart" as verb:
                return await self._change(verb, request["part"], int(request.get("signal", signal.SIGTERM)))
            case "repair":
                down = [name for name, life in self._lives.items() if life.status in DOWN]
                for name in down:
                    self._start(name)
                return down
            case "down":
                self._over.set()
                return None
            case unknown:
                raise SandboxError(f"the supervisor does not know {unknown!r}")

    def _at_home(self) -> bool:
        """Whether the home is still this sandbox's. If somebody removes it the sandbox ends: nobody could reach it any more."""
        state = self.home.read()
        return state is not None and state.id == self._id

    async def _change(self, verb: str, name: str, number: int) -> Any:
        life = self._lives.get(name)
        if life is None:
            raise SandboxError(f"there is no part {name!r}; the parts are {', '.join(self._lives)}")
        if verb in ("stop", "restart"):
            self._stop_waiting(name)
            await life.stop(number)
        if verb in ("start", "restart") and life.pid is None:
            await asyncio.wait([self._start(name)], timeout=START_SECONDS)
        return await life.look()

    def _start(self, name: str) -> asyncio.Task[None]:
        self._stop_waiting(name)
        self._tasks[name] = task = asyncio.create_task(self._lives[name].bring_up(self._lives, environment(self.home)))
        return task

    def _stop_waiting(self, name: str) -> None:
        if task := self._tasks.pop(name, None):
            task.cancel()

    def _collect(self) -> None:
        """Take note of every process that has ended: parts, and orphans of parts, of which this is the parent now."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if life := self._by_pid.pop(ended[0], None):
                    code = os.waitstatus_to_exitcode(ended[1])
                    _note(f"{life.part.name} ended: {code}")
                    life.has_ended(code)

    async def _end(self) -> None:
        for name in self._lives:
            self._stop_waiting(name)
        running = [life for life in self._lives.values() if life.pid is not None]
        for life in running:
            life.ended = "stopped"
            life.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await asyncio.gather(*(life.until(*DOWN, "done") for life in running))


def shorten(log: Path, longest: int) -> None:
    """Begin a log anew that has grown too long. Parts append, so they go on at its new end."""
    if log.stat().st_size > longest:
        shutil.copyfile(log, log.with_suffix(".log.old"))
        os.truncate(log, 0)


def _note(text: str) -> None:
    sys.stderr.write(f"supervisor: {text}\n")
    sys.stderr.flush()


def main() -> None:
    """Run in new namespaces: `python -m sandbox.supervisor --home HOME --id ID --sockets 5,6,7`."""
    parser = argparse.ArgumentParser(prog="sandbox.supervisor")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--sockets", required=True)
    args = parser.parse_args()
    home = Home(args.home)
    # Out of the way of 3, 4, 5, where the door wants them, and closed in every other part.
    sockets = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 100) for fd in args.sockets.split(",")]
    for fd in args.sockets.split(","):
        os.close(int(fd))
    namespaces.set_up_loopback()
    state = home.read()
    if state is None or state.id != args.id:
        raise SystemExit(f"{home.state_file} is not of sandbox {args.id}")
    # /proc is the one outside: it knows this process by the number that it has there.
    state = state.running_as(int(os.readlink("/proc/self")))
    home.write(state)
    asyncio.run(Supervisor(home, state, sockets).run())


if __name__ == "__main__":
    main()
