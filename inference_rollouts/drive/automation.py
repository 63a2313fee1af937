"""The engine by Pulumi's Automation API: `pulumi` on PATH, with the real state."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation.errors import ConcurrentUpdateError, InvalidVersionError

from inference_rollouts.drive import words
from inference_rollouts.drive.command import Command
from inference_rollouts.drive.engine import EngineFailure, Locked, OnOperation, Update
from inference_rollouts.drive.engine_events import Told
from inference_rollouts.drive.state import Deployed, read_state
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.record import Unreadable

PLAIN: dict[str, Any] = {"color": "never", "suppress_outputs": True, "suppress_progress": True}
"""Flags of every preview and update."""


class Workspace(automation.LocalWorkspace):
    """A workspace that looks whether the stack is there, without making it the selected one of the user's shell."""

    def select_stack(self, stack_name: str) -> None:
        """Fail when there is no such stack."""
        self._run_pulumi_cmd_sync(["stack", "--stack", stack_name])


class PulumiEngine:
    """One stack.

    Args:
        project: the folder with Pulumi.yaml.
        stack: the stack, as Pulumi calls it.
        file: its stack file.

    Raises:
        InputError: when there is no Pulumi CLI, or no such stack.
    """

    def __init__(self, project: Path, stack: str, file: Path) -> None:
        self.command = _command()
        self._name, self._file = stack, str(file.resolve())
        self._workspace = Workspace(work_dir=str(project), pulumi_command=self.command)
        try:
            self._stack = automation.Stack.select(stack, self._workspace)
        except automation.CommandError as e:
            raise InputError([Problem("", words.no_stack(stack, _last(self.command, e)))]) from None
        self._cancelled = False

    def deployed(self) -> Deployed:
        """See Engine."""
        text = self._run("stack", "export", "--stack", self._name).stdout
        try:
            return read_state(json.loads(text))
        except (ValueError, Unreadable) as e:
            raise EngineFailure(f"the state of stack {self._name} cannot be read: {e}") from e

    def preview(self, config: Path) -> Update:
        """See Engine."""
        return self._update(lambda told: self._stack.preview(config_file=str(config), on_event=told, **PLAIN))

    def up(self, message: str, on_operation: OnOperation, config: Path | None = None) -> Update:
        """See Engine."""
        run, file = self._stack.up, str(config or self._file)

        def update(told: Callable[[Any], None]) -> Any:
            return run(config_file=file, message=message, show_secrets=False, on_event=told, **PLAIN)

        return self._update(update, on_operation)

    def _update(self, run: Callable[[Callable[[Any], None]], Any], on_operation: OnOperation = lambda _: None) -> Update:
        self._cancelled = False
        told = Told(on_operation)
        try:
            run(told)
        except ConcurrentUpdateError as e:
            return Update("locked", told.operations, _lines(_last(self.command, e)))
        except automation.CommandError as e:
            reasons = told.reasons or _lines(_last(self.command, e))
            return Update("cancelled" if self._cancelled else told.refused_or_failed, told.operations, reasons)
        except Exception as e:
            # The API asks for outputs and history after the update itself: when those fail, the update has still got through.
            if not told.summed_up or told.reasons:
                return Update("failed", told.operations, told.reasons or (f"{type(e).__name__}: {e}",))
        return Update("done", told.operations)

    def refresh(self, urns: Sequence[str], *, clear_pending_creates: bool) -> None:
        """See Engine."""
        try:
            self._stack.refresh(
                target=list(urns) or None,
                clear_pending_creates=clear_pending_creates or None,
                config_file=self._file,
                show_secrets=False,
                **PLAIN,
            )
        except ConcurrentUpdateError as e:
            raise Locked(_last(self.command, e)) from e
        except automation.CommandError as e:
            raise EngineFailure(_last(self.command, e)) from e

    def cancel(self) -> None:
        """See Engine."""
        self._run("cancel", "--yes", "--stack", self._name)

    def backup(self, path: Path) -> None:
        """See Engine."""
        text = self._run("stack", "export", "--stack", self._name).stdout
        try:
            with open(path, "x", encoding="utf-8", opener=_private) as out:
                out.write(text + "\n")
        except OSError as e:
            raise EngineFailure(f"no backup of the state can be written to {path}: {e.strerror or e}") from e

    def interrupt(self) -> None:
        """Cancel the update that runs."""
        self._cancelled = True
        self.command.interrupt()

    def _run(self, *args: str) -> automation.CommandResult:
        try:
            return self.command.run(list(args), self._workspace.work_dir, self._workspace.env_vars)
        except automation.CommandError as e:
            raise EngineFailure(f"pulumi {' '.join(args[:2])}: {_last(self.command, e)}") from e


def _command() -> Command:
    try:
        return Command()
    except FileNotFoundError:
        raise InputError([Problem("", words.no_cli())]) from None
    except (InvalidVersionError, OSError, subprocess.CalledProcessError) as e:
        raise InputError([Problem("", words.old_cli(" ".join(str(e).split())))]) from None


def _last(command: Command, error: Exception) -> str:
    """What the command said on stderr, without what is always there; never empty."""
    text = command.last.stderr if command.last else str(error)
    lines = [line.removeprefix("error: ").strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line) or f"pulumi ended with {command.last and command.last.code}"


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.splitlines())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
