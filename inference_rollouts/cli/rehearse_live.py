"""`rollout rehearse --live`: the rollouts of stacks on the sandbox, under traffic."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from inference_rollouts.cli.project import find_project, stack_path
from inference_rollouts.errors import InputError, Problem, one_of
from inference_rollouts.settings.stack_file import StackFile

if TYPE_CHECKING:
    from sandbox.live.rehearse import Live
    from sandbox.live.report import LiveReport

INTERRUPTED = 130
"""Exit code after a Ctrl-C, as a shell gives it."""


@dataclass(frozen=True)
class How:
    """What was asked for.

    Attributes:
        requests: least requests after each move.
        rate: requests a second; 0 for as many as are answered.
        whole: back from every stage, too.
        fault: what goes wrong; None for nothing.
        report: file for the JSON report, of several stacks a list; None for a file each in the sandbox's own folder.
    """

    requests: int
    rate: float
    whole: bool
    fault: str | None
    report: Path | None


def rehearse(stacks: list[str], files: list[StackFile], how: How, console: Console | None) -> tuple[dict | list[dict], bool]:
    """Rehearse each stack; the JSON document of all, and whether all of them are clean.

    Args:
        stacks: as they were named.
        files: their files.
        how: see there.
        console: where it is shown; None shows nothing.

    Raises:
        InputError: the sandbox is not up or does not do what it should, or a report cannot be written.
    """
    from sandbox.home import Home, SandboxError
    from sandbox.live.faults import FAULTS
    from sandbox.live.rehearse import Live, Options, Stopped
    from sandbox.live.report import verdict_of
    from sandbox.live.show import Screen

    if how.fault is not None and how.fault not in FAULTS:
        raise typer.BadParameter(f"{how.fault} is no fault; there is {one_of(list(FAULTS))}", param_hint="--fault")
    options = Options(requests=how.requests, rate=how.rate, whole=how.whole, fault=how.fault)
    screen = Screen(console or Console(quiet=True))
    home, project = Home.default(), find_project().folder
    reports: list[LiveReport] = []
    try:
        home.running()
        paths = [how.report or home.reports / f"{file.stack}.json" for file in files]
        for path in paths:
            _writable(path)
        for name, file, path in zip(stacks, files, paths, strict=True):
            report = _interruptible(Live(home, project, stack_path(name).resolve(), file, options, screen))
            reports.append(report)
            _write(path, document(reports if how.report else [report]))
            screen.console.print(f"report: {path}", soft_wrap=True, highlight=False)
            screen.console.print(report.verdict, soft_wrap=True, highlight=False, markup=False)
        if len(reports) > 1:  # the last line is about all of them
            screen.console.print(verdict_of(reports), soft_wrap=True, highlight=False, markup=False)
    except Stopped:
        sys.stderr.write("stopped, and everything of the stack is taken down\n")
        raise typer.Exit(INTERRUPTED) from None
    except SandboxError as e:
        raise InputError([Problem("", str(e))]) from None
    return document(reports), all(report.clean for report in reports)


def document(reports: Sequence[LiveReport]) -> dict | list[dict]:
    """Reports as one JSON document: of several, a list."""
    shown = [report.to_json() for report in reports]
    return shown[0] if len(shown) == 1 else shown


def _writable(path: Path) -> None:
    """What would be lost after minutes of traffic is refused before.

    Raises:
        InputError: the report cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError(None, "it is read-only")
    except OSError as e:
        raise _not_written(path, e) from None


def _write(path: Path, written: dict | list[dict]) -> None:
    from sandbox import files

    try:
        files.replace(path, json.dumps(written, indent=2, ensure_ascii=False) + "\n")
    except OSError as e:
        raise _not_written(path, e) from None


def _not_written(path: Path, why: OSError) -> InputError:
    return InputError(
        [Problem("", f"the report cannot be written: {why.strerror or why}; name another file (--report)", str(path))]
    )


def _interruptible(live: Live) -> LiveReport:
    """Run it beside, so that a Ctrl-C meets no update half-way: the first ends it after the move, the second at once.

    SIGTERM and SIGHUP do as Ctrl-C does.
    """

    def wished(*_: object) -> None:
        if live.stop.is_set():
            _say("ended at once: objects are left on the sandbox; the next rehearsal, or down, takes them away")
            # Threads that wait for the cluster would hold up any other exit. The clients end with their parent.
            os._exit(INTERRUPTED)
        live.stop.set()
        _say("stopping after this move, then taking everything down; Ctrl-C again ends it at once")

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else nohup wants it to go on
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, wished) for number in numbers}
    try:
        with ThreadPoolExecutor(1) as beside:
            return beside.submit(live.run).result()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(sentence: str) -> None:
    """To stderr, which a terminal that hung up has taken along."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
