"""The `pulumi` command in a process group of its own: Ctrl-C in the terminal reaches us, and Pulumi only when we say so.

Pulumi takes the first SIGINT as a wish to cancel, and the second as a wish to die, which leaves pending operations behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import IO

from pulumi import automation
from pulumi.automation.errors import create_command_error

OnOutput = Callable[[str], object] | None


class Command(automation.PulumiCommand):
    """The Automation API's command, but for how it is started.

    Attributes:
        last: how the last command ended.
    """

    last: automation.CommandResult | None = None
    _running: subprocess.Popen[str] | None = None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput = None,
        on_error: OnOutput = None,
    ) -> automation.CommandResult:
        """Run a command to its end.

        Raises:
            automation.CommandError: when it fails.
        """
        environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        texts: tuple[list[str], list[str]] = ([], [])
        with subprocess.Popen(
            [self.command, "--non-interactive", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        ) as process:
            self._running = process
            pairs = zip((process.stdout, process.stderr), (on_output, on_error), texts, strict=True)
            readers = [threading.Thread(target=_read, args=pair, daemon=True) for pair in pairs]
            for reader in readers:
                reader.start()
            try:
                _join(readers)
            except KeyboardInterrupt:  # where nobody takes it as a wish: Pulumi must not go on alone, or be cut off
                self.interrupt()
                _join(readers)
                raise
            code = process.wait()
        self._running = None
        self.last = automation.CommandResult("\n".join(texts[0]), "\n".join(texts[1]), code)
        if code:
            raise create_command_error(self.last)
        return self.last

    @property
    def running(self) -> bool:
        """Whether a command runs."""
        return self._running is not None

    def interrupt(self) -> None:
        """Say to the command that runs that it shall cancel; each further time harder."""
        process = self._running
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)


def _join(readers: list[threading.Thread]) -> None:
    for reader in readers:
        reader.join()


def _read(stream: IO[str], told: OnOutput, lines: list[str]) -> None:
    for line in stream:
        lines.append(line.rstrip())
        if told:
            told(lines[-1])
