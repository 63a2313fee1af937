"""One process in a session of its own, so that it can be ended with all that it started; it ends with the agent too."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
"""From util-linux: the kernel ends what runs behind it when the thread that started it ends, which is the agent's main one."""


class Process:
    """A process that runs, or ran.

    Attributes:
        pid: its number, also of its process group.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, argv: Sequence[str], env: Mapping[str, str], log_file: Path) -> Process:
        """Start it; its output is appended to a file."""
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as out:
            started = await asyncio.create_subprocess_exec(
                *(*WITH_PARENT, *argv),
                env={"PATH": os.defpath, **env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return cls(started)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Its exit code when it ends: 128 and the number of the signal, where one ended it."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to all that it started."""
        if self.runs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it now."""
        self.signal(signal.SIGKILL)


async def listens(port: int) -> bool:
    """Whether something listens on a loopback port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
