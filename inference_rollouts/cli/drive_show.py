"""How `rollout run`, `watch` and `recover` look: lines that stay, and on a terminal a bar for what is waited for."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from inference_rollouts.cli.preview import SIGNS, lines
from inference_rollouts.cli.preview_report import PAST, WORDS
from inference_rollouts.drive.events import Event, Wait
from inference_rollouts.rehearsal.engine import Operation
from inference_rollouts.wording import duration

STYLES = {
    "reached": "bold green",
    "rung": "green",
    "mended": "green",
    "watched": "green",
    "held": "bold yellow",
    "stopped": "bold yellow",
    "failing": "bold red",
    "rolled back": "bold red",
    "stuck": "bold red",
    "lock": "yellow",
    "plan": "bold",
}


class Show:
    """Shows what a driver tells.

    Args:
        console: where.
        quiet: show nothing.
    """

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self._progress: Progress | None = None
        self._task: Any = None
        self._waiting = ""

    def __enter__(self) -> Show:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._no_bar()

    def told(self, told: Event | Wait) -> None:
        """An event, or a moment of waiting."""
        if self._quiet:
            return
        if isinstance(told, Wait):
            self._wait(told)
            return
        self._no_bar()
        self._waiting = ""
        self._console.print(
            Text.assemble((f"{told.at:%H:%M:%S}  ", "dim"), (told.sentence, STYLES.get(told.kind, ""))), soft_wrap=True
        )
        for reason in told.reasons:
            self._detail(reason, "red" if told.kind in ("held", "stuck", "rolled back", "failing") else "")
        if told.operations:
            self._operations(told.operations)
        if told.next:
            self._console.print(Text.assemble("          Next: ", (told.next, "bold")), soft_wrap=True)

    def operation(self, operation: Operation) -> None:
        """One that begins; components are nothing that anybody waits for."""
        if self._quiet or not operation.object:
            return
        sign, style = SIGNS[PAST.get(operation.op, "unchanged")]
        self._console.print(Text.assemble(" " * 10, (f"{sign} ", style), operation.title), soft_wrap=True)

    def _detail(self, text: str, style: str) -> None:
        self._console.print(Text.assemble(" " * 10, (text, style)), soft_wrap=True)

    def _operations(self, operations: tuple[Operation, ...]) -> None:
        shown = [o for o in operations if o.object]
        for word in WORDS:
            sign, style = SIGNS[word]
            found = [o for o in shown if word in _words(o)]
            told = [f"{len(found)} resources"] if word == "unchanged" else lines(word, found)
            for line in told if found else ():
                self._console.print(Text.assemble(" " * 10, (f"{sign} {word:<12}", style), line), soft_wrap=True)

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _wait(self, wait: Wait) -> None:
        left = f"{duration(wait.left)} left" if wait.left is not None else ""
        if not self._console.is_terminal:
            if wait.sentence != self._waiting:
                self._waiting = wait.sentence
                self._detail(", ".join(part for part in (f"waiting: {wait.sentence}", left) if part), "")
            return
        if self._progress is None:
            columns = (TextColumn(" " * 9), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._task = self._progress.add_task(wait.sentence, total=None, left="")
            self._progress.start()
        done = wait.total - wait.left if wait.total and wait.left is not None else None
        self._progress.update(
            self._task, description=wait.sentence, total=wait.total if done is not None else None, completed=done or 0, left=left
        )

    def _no_bar(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _words(operation: Operation) -> set[str]:
    """What happens to a resource: one thing, and a change of its protection besides."""
    words = {PAST[operation.op]} if operation.op in PAST else set()
    if "protect" in operation.diff:
        words.add("protected" if operation.protected else "unprotected")
    return words or {"unchanged"}
