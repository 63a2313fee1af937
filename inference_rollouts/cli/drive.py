"""`rollout run`, `watch` and `recover`: the world that a driver needs, and how what it tells is shown.

A terminal gets a progress bar; a pipe plain lines; --json one document at the end.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from inference_rollouts.cli.app import print_json
from inference_rollouts.cli.drive_show import Show
from inference_rollouts.cli.project import find_project, open_stack
from inference_rollouts.drive import words
from inference_rollouts.drive.automation import PulumiEngine
from inference_rollouts.drive.clock import Stop, SystemClock
from inference_rollouts.drive.engine import EngineFailure
from inference_rollouts.drive.events import Event, Wait
from inference_rollouts.drive.live import LiveAsker
from inference_rollouts.drive.recover import Recovery
from inference_rollouts.drive.run import Driver, Telling
from inference_rollouts.drive.subject import Subject
from inference_rollouts.drive.vigil import Patience
from inference_rollouts.drive.watch import watch as watching
from inference_rollouts.edit.target import Refused, targets
from inference_rollouts.settings.stack_file import StackFile


@dataclass(frozen=True)
class How:
    """How a command asks and answers.

    Attributes:
        console: where text goes.
        yes: go on without asking.
        as_json: answer with one JSON document, and never ask.
    """

    console: Console
    yes: bool = False
    as_json: bool = False

    def agreed(self, question: str) -> bool:
        """Whether the answer is yes; where nobody can be asked, it is no."""
        if self.yes:
            return True
        if self.as_json or not sys.stdin.isatty():
            sys.stderr.write(f"{words.not_asked()}\n")
            return False
        return typer.confirm(question, default=False)


# --- the verbs --------------------------------------------------------------------------------------------------------


def run(stack: str, name: str | None, until: str, patience: Patience, how: How) -> None:
    """Up the ladder."""
    _drive(stack, name, patience, how, lambda driver: driver.run(until))


def watch(stack: str, name: str | None, duration: float, patience: Patience, how: How, *, abort: bool) -> None:
    """Only checks, and the way back."""
    _drive(stack, name, patience, how, lambda driver: watching(driver, duration, abort=abort))


def _drive(stack: str, name: str | None, patience: Patience, how: How, tell: Callable[[Driver], Telling]) -> None:
    """What a driver tells, with the real world around it."""
    file = open_stack(stack)
    subject = Subject.under_way(file, stack, name)
    engine = engine_of(file)
    stop = _stop(engine)
    show = Show(how.console, quiet=how.as_json)
    driver = Driver(subject, engine, LiveAsker(subject), SystemClock(), how.agreed, stop, patience, show.operation)
    with stop.listening():
        _finish(file, tell(driver), show, how)


def recover(stack: str, how: How) -> None:
    """After a runner that died."""
    file = open_stack(stack)
    rolling = [target for target in targets(file.settings(), stack) if target.split.to is not None]
    subjects = tuple(Subject(file.path, stack, target.place) for target in rolling)
    show = Show(how.console, quiet=how.as_json)
    recovery = Recovery(subjects, file.stack, engine_of(file), SystemClock(), how.agreed, backups(), show.operation)
    _finish(file, recovery.recover(), show, how)


def engine_of(file: StackFile) -> PulumiEngine:
    """Pulumi, for a stack file.

    Raises:
        InputError: when there is no project, no Pulumi CLI, or no such stack.
    """
    return PulumiEngine(find_project().folder, file.stack, file.path)


def _stop(engine: PulumiEngine) -> Stop:
    def said(number: int) -> None:
        # Past the buffer, which takes no second writer where the signal comes in the middle of a write.
        with contextlib.suppress(OSError):
            os.write(2, f"{words.wish(number, engine.command.running)}\n".encode())

    return Stop(engine.interrupt, said)


def backups() -> Path:
    """Where backups of the state go: the user's folder for such things (XDG base directories)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "inference-rollouts"


def _finish(file: StackFile, telling: Iterable[Event | Wait], show: Show, how: How) -> None:
    """Show what is told, and end with its exit code."""
    events: list[Event] = []
    try:
        with show:
            for told in telling:
                show.told(told)
                if isinstance(told, Event):
                    events.append(told)
    except (Refused, EngineFailure) as e:
        sys.stderr.write(f"{e}\n")
        refused = isinstance(e, Refused)
        if how.as_json:
            print_json(_not_begun(file, "refused" if refused else "stuck", str(e)))
        raise typer.Exit(3 if refused else 1) from None
    last = events[-1]
    if how.as_json:
        print_json(document(file, events))
    if last.code:
        raise typer.Exit(last.code)


def document(file: StackFile, events: list[Event]) -> dict[str, Any]:
    """The JSON document: how it ended, and everything on the way."""
    last = events[-1]
    return {
        "stack": file.stack,
        "file": str(file.path),
        "ended": last.kind,
        "stage": last.stage,
        "sentence": last.sentence,
        "reasons": list(last.reasons),
        "next": last.next,
        "events": [event.to_json() for event in events],
    }


def _not_begun(file: StackFile, ended: str, why: str) -> dict[str, Any]:
    """The same document where there was nothing to tell before: no event, and nothing was changed."""
    sentence, *reasons = why.splitlines()
    at = {"stack": file.stack, "file": str(file.path)}
    return {**at, "ended": ended, "stage": None, "sentence": sentence, "reasons": reasons, "next": None, "events": []}


# --- arguments --------------------------------------------------------------------------------------------------------


def seconds(option: str, text: str) -> int:
    """A time as the stack file writes it, as 90s, 30m or 1h30m.

    Raises:
        typer.BadParameter: when it is none.
    """
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if not text or not found:
        raise typer.BadParameter(f"{text!r} is no time; write it as 90s, 30m or 1h30m", param_hint=option)
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + rest
    if total == 0:
        raise typer.BadParameter("0 is no time to wait", param_hint=option)
    return total


def patience(interval: str, failures: int, limit: str) -> Patience:
    """From the command line."""
    return Patience(interval=seconds("--interval", interval), failures=failures, limit=seconds("--patience", limit))
