"""`rollout start`, `advance`, `rollback` and `finish`: edit the stack file, show what changes, ask, write, say what comes next.

Without --yes a terminal is asked, and no is the default. Where nobody can be asked (a pipe, --json) nothing is written and the
exit code is 1: so a script that forgets --yes fails instead of waiting, and gets the diff. With --yes the file is written even if
stdout cannot be; without, nothing is written that could not be shown.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from inference_rollouts.cli.app import print_json
from inference_rollouts.cli.output import dispensable, is_lost
from inference_rollouts.cli.project import find_project, is_path, open_stack
from inference_rollouts.edit import operations, target, words
from inference_rollouts.edit.differences import unified
from inference_rollouts.edit.document import Document
from inference_rollouts.edit.target import Refused, Target
from inference_rollouts.edit.writing import replace_file
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.settings.model import DEFAULT_STEPS
from inference_rollouts.settings.stack_file import StackFile
from inference_rollouts.stages import Stage

DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True)
class How:
    """How a command asks and answers.

    Attributes:
        console: where text goes.
        yes: write without asking.
        as_json: answer with one JSON document, and never ask.
    """

    console: Console
    yes: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Opened:
    """A stack file to edit.

    Attributes:
        name: what the command line calls the stack.
        data: its bytes as they were read.
    """

    name: str
    file: StackFile
    data: bytes

    @property
    def document(self) -> Document:
        """Its text."""
        return Document.of(self.file.path, self.data)


@dataclass(frozen=True)
class Outcome:
    """What a command has found to do.

    Attributes:
        origin, to: the stage before and after; `finish` after a finish, None before a start.
        edited: the edited document; None where there is nothing to edit.
        said: what else there is to know.
    """

    target: Target
    origin: Stage | None
    to: Any
    edited: Document | None
    said: str | None = None


# --- the verbs --------------------------------------------------------------------------------------------------------


def start(stack: str, name: str, to: str, steps: Sequence[int] | None, how: How) -> None:
    """Begin a rollout: `prepare` is written."""

    def find(opened: Opened) -> Outcome:
        found = target.named(opened.file.settings(), opened.name, name)
        step = target.start(found, to, steps, DEFAULT_STEPS)
        doc, split = opened.document, found.split
        if split.to is not None:
            edited = operations.set_stage(opened.file, doc, found.place, "prepare")
        else:
            edited = operations.add_rollout(opened.file, doc, found.place, to, steps or DEFAULT_STEPS)
        return Outcome(found, None if split.to is None else split.stage, step.to, edited, step.said)

    _run(stack, find, how)


def advance(stack: str, name: str | None, to: str | None, how: How, *, if_ready: bool = False) -> None:
    """One rung up, or to the stage that is asked for; with `if_ready` only when the guard's questions pass now."""

    def find(opened: Opened) -> Outcome:
        outcome = _staged(opened, name, lambda found: target.advance(found, to))
        if if_ready and outcome.edited:
            from inference_rollouts.cli.if_ready import why_not

            if reasons := why_not(opened.file, outcome.target, outcome.edited):
                raise Refused(*reasons)
        return outcome

    _run(stack, find, how)


def rollback(stack: str, name: str | None, how: How) -> None:
    """All the traffic back to the old version: `prepare`; from `retire`: `100`."""
    _run(stack, lambda opened: _staged(opened, name, target.rollback), how)


def finish(stack: str, name: str | None, how: How) -> None:
    """The new version serves; rollout and old version leave the file."""

    def find(opened: Opened) -> Outcome:
        found = target.under_way(opened.file.settings(), opened.name, name)
        target.finish(found)
        return Outcome(found, found.split.stage, "finish", operations.finish(opened.file, opened.document, found.place))

    _run(stack, find, how)


def _staged(opened: Opened, name: str | None, decide: Callable[[Target], target.Step]) -> Outcome:
    found = target.under_way(opened.file.settings(), opened.name, name)
    step, here = decide(found), found.split.stage
    if step.to is None:
        return Outcome(found, here, here, None, step.said)
    edited = operations.set_stage(opened.file, opened.document, found.place, step.to)
    return Outcome(found, here, step.to, edited, step.said)


# --- the road they share ----------------------------------------------------------------------------------------------


def _run(stack: str, find: Callable[[Opened], Outcome], how: How) -> None:
    """Read, decide, show, ask, write, say what comes next."""
    if how.yes:
        dispensable()
    it = opened(stack)
    file = it.file
    try:
        outcome = find(it)
    except Refused as e:
        _refused(it, e, how)
        raise typer.Exit(3) from None
    diff = unified(file.path, it.document.text, outcome.edited.text) if outcome.edited else ""
    if not how.as_json:
        _show(outcome, diff, how.console)
    written = outcome.edited is not None and may_write(words.ask(file.path), how)
    if outcome.edited and written:
        replace_file(file.path, it.data, outcome.edited.data)
    _answer(it, outcome, diff, written, how)
    if written and is_lost():
        sys.stderr.write(f"{words.wrote(file.path)}\n")
    if outcome.edited and not written:
        raise typer.Exit(1)


def opened(stack: str) -> Opened:
    """A stack file to edit.

    Raises:
        InputError: when there is none, or it cannot be read.
    """
    file = open_stack(stack)
    return Opened(stack, file, _bytes(file.path))


def _refused(it: Opened, refused: Refused, how: How) -> None:
    dispensable()  # a refusal is one, also where its document is lost
    sys.stderr.write(f"{refused}\n")
    if how.as_json:
        answer = {
            "stack": it.file.stack,
            "file": str(it.file.path),
            "changed": False,
            "refused": str(refused).splitlines(),
        }
        print_json(answer)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise InputError([Problem("", f"cannot be read: {e.strerror or e}", str(path))]) from None


def _show(outcome: Outcome, diff: str, console: Console) -> None:
    if outcome.edited:
        heading = words.moves(outcome.target.what, outcome.origin or "no rollout", outcome.to)
        console.print(Text(heading, style="bold"))
        show_diff(diff, console)
    if outcome.said:
        console.print(Text(outcome.said))


def show_diff(diff: str, console: Console) -> None:
    """A unified diff, in colours on a terminal."""
    for line in diff.splitlines():
        console.print(Text(line, style=_style(line)), soft_wrap=True)


def _style(line: str) -> str:
    return "bold" if line.startswith(("---", "+++")) else DIFF_STYLES.get(line[:1], "")


def may_write(question: str, how: How) -> bool:
    """Whether the answer is yes; where nobody can be asked, it is no.

    Raises:
        NoOutput: when what there is to agree to could not be shown.
    """
    if how.yes:
        return True
    if how.as_json or not sys.stdin.isatty():
        sys.stderr.write(f"{words.not_asked()}\n")
        return False
    sys.stdout.flush()
    if typer.confirm(question, default=False):
        dispensable()  # what is agreed to is done, and to its end
        return True
    sys.stderr.write(f"{words.declined()}\n")
    return False


def _answer(opened: Opened, outcome: Outcome, diff: str, written: bool, how: How) -> None:
    following = commands(opened) if outcome.edited else []
    if how.as_json:
        answer = {
            "stack": opened.file.stack,
            "file": str(opened.file.path),
            "service": outcome.target.place.service,
            "adapter": outcome.target.place.adapter,
            "changed": written,
            "from": outcome.origin,
            "to": outcome.to,
            "said": outcome.said,
            "diff": diff,
            "next": following,
        }
        print_json(answer)
    elif written:
        how.console.print(Text(words.wrote(opened.file.path)))
        how.console.print(Text.assemble("Next: ", (following[0], "bold"), ", then ", (following[1], "bold")), soft_wrap=True)


def commands(opened: Opened) -> list[str]:
    """What brings the edit to the cluster."""
    more = "" if _of_project(opened) else f" --config-file {shlex.quote(str(opened.file.path))}"
    return [f"pulumi {verb} -s {shlex.quote(opened.file.stack)}{more}" for verb in ("preview", "up")]


def _of_project(opened: Opened) -> bool:
    """Whether Pulumi finds the file by the stack's name."""
    if not is_path(opened.name):
        return True
    try:
        return opened.file.path.resolve().parent == find_project().stacks.resolve()
    except InputError:
        return False


def numbers(text: str | None) -> list[int] | None:
    """`--steps` as weights.

    Raises:
        typer.BadParameter: when it is no list of numbers.
    """
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text} is no list of weights; write them with commas, as 1,10,50,100") from None
