"""`rollout rehearse`: the walk up each ladder, as JSON or as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inference_rollouts.cli.changes import details
from inference_rollouts.cli.project import find_project
from inference_rollouts.rehearsal.engine import Operation
from inference_rollouts.rehearsal.walk import MoveVerdict, Rehearsal, RolloutOf, StagePreview
from inference_rollouts.settings.stack_file import StackFile

BAR = 30
"""Cells of a bar of 100 %."""

INDENT = 14
WORD = 12
"""Columns of the stage, and of the word for what happens."""

WORDS = {
    "create": ("+", "create", "green"),
    "update": ("~", "update", "yellow"),
    "replace": ("±", "replace", "magenta"),
    "delete": ("-", "delete", "red"),
    "refuse": ("!", "refuse", "bold red"),
    "protect": ("#", "protect", "cyan"),
    "unprotect": ("#", "unprotect", "cyan"),
    "same": (" ", "stays", "dim"),
}


@dataclass(frozen=True)
class Walked:
    """One rollout with all its stages, and its moves when they were asked for."""

    rollout: RolloutOf
    stages: tuple[StagePreview, ...]
    moves: tuple[MoveVerdict, ...] | None


@dataclass(frozen=True)
class Document:
    """A stack, rehearsed."""

    stack: str
    rollouts: tuple[Walked, ...]

    @property
    def refused(self) -> bool:
        """Whether something on the way up was refused."""
        return any(stage.preview.refusals for walked in self.rollouts for stage in walked.stages)


def rehearse(file: StackFile, *, all_moves: bool) -> Document:
    """Walk every rollout of a stack file."""
    rehearsal = Rehearsal(find_project().folder, file.stack, file.config)
    return Document(file.stack, tuple(_walked(rehearsal, rollout, all_moves=all_moves) for rollout in rehearsal.rollouts()))


def _walked(rehearsal: Rehearsal, rollout: RolloutOf, *, all_moves: bool) -> Walked:
    return Walked(rollout, tuple(rehearsal.walk(rollout)), tuple(rehearsal.moves(rollout)) if all_moves else None)


# --- JSON -------------------------------------------------------------------------------------------------------------


def as_json(document: Document) -> dict[str, Any]:
    """The document as plain JSON values."""
    return {"stack": document.stack, "rollouts": [_rollout_json(walked) for walked in document.rollouts]}


def _rollout_json(walked: Walked) -> dict[str, Any]:
    rollout = walked.rollout
    out: dict[str, Any] = {
        "service": rollout.service,
        "adapter": rollout.adapter,
        "kind": rollout.kind,
        "from": rollout.stable,
        "to": rollout.canary,
        "stages": [
            {
                "stage": stage.stage,
                "weights": dict(stage.weights),
                "operations": [operation.to_json() for operation in stage.preview.operations],
            }
            for stage in walked.stages
        ],
    }
    if walked.moves is not None:
        out["moves"] = [
            {"from": move.origin, "to": move.to, "allowed": not move.reasons, "reasons": list(move.reasons)}
            for move in walked.moves
        ]
    return out


# --- text -------------------------------------------------------------------------------------------------------------


def render(documents: Sequence[Document], console: Console) -> None:
    """All stacks as text."""
    for document in documents:
        if not document.rollouts:
            console.print(f"[bold]{document.stack}[/bold]: no rollout in the file; every service stands at baseline")
        for walked in document.rollouts:
            _heading(document.stack, walked.rollout, console)
            seen: set[str] = set()
            for stage in walked.stages:
                _stage(walked.rollout, stage, seen, console)
            if walked.moves is not None:
                _moves(walked, console)
    console.print(
        Text(
            "This was a rehearsal: the real program on a model of Pulumi's engine. "
            "pulumi preview tells the truth, with the real state.",
            style="dim",
        )
    )


def _heading(stack: str, rollout: RolloutOf, console: Console) -> None:
    what = f"service {rollout.service}" + (f", adapter {rollout.adapter}" if rollout.adapter else "")
    console.print()
    title = Text.assemble(
        (stack, "bold"), f"  {what}  ", (f"{rollout.kind} rollout", "bold"), f"  {rollout.stable} → {rollout.canary}"
    )
    console.print(title)


def _stage(rollout: RolloutOf, stage: StagePreview, seen: set[str], console: Console) -> None:
    console.print()
    width = max(len(rollout.stable), len(rollout.canary))
    for i, (version, weight) in enumerate(stage.weights.items()):
        label = Text(f"{stage.stage if i == 0 else '':<{INDENT}}", style="bold")
        mark = Text("  ◂ the file stands here", style="dim") if i == 0 and stage.stage == rollout.stage else Text()
        console.print(Text.assemble(label, bar(version, weight, width, canary=version == rollout.canary), mark))
    for note in stage.notes:
        if note not in seen:
            seen.add(note)
            _line(console, "note", "cyan", Text(note))
    for word, lines in _grouped(stage.preview.operations):
        sign, verb, style = WORDS[word]
        for i, line in enumerate(lines):
            _line(console, f"{sign} {verb}" if i == 0 else "", style, line)


def bar(version: str, weight: int, width: int, *, canary: bool) -> Text:
    """A weight as a bar."""
    cells = round(weight * BAR / 100)
    filled = max(cells, 1) if weight else 0
    colour = "green" if canary else "blue"
    return Text.assemble(f"{version:<{width}}  ", ("█" * filled, colour), ("·" * (BAR - filled), "dim"), f" {weight:>3} %")


def _line(console: Console, word: str, style: str, text: Text) -> None:
    """A word and what follows it, set beneath its beginning; on a terminal long lines are folded there too."""
    if console.is_terminal:
        table = Table.grid(padding=0)
        table.add_column(width=WORD, no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(Text(word, style=style), text)
        console.print(Padding(table, (0, 0, 0, INDENT)))
        return
    first, *rest = text.split("\n")
    console.print(Text.assemble(" " * INDENT, (f"{word:<{WORD}}", style), first), soft_wrap=True)
    for line in rest:
        console.print(Text.assemble(" " * (INDENT + WORD), line), soft_wrap=True)


def _grouped(operations: Iterable[Operation]) -> Iterator[tuple[str, list[Text]]]:
    """What happens, in the order in which a reader cares; components only where they are refused."""
    shown = [o for o in operations if o.op == "refuse" or o.object]
    for word in ("refuse", "delete", "replace", "update"):
        lines = [_detailed(o) for o in shown if o.op == word]
        if lines:
            yield word, lines
    named = {
        "create": [o for o in shown if o.op == "create"],
        "protect": [o for o in shown if "protect" in o.diff and o.protected],
        "unprotect": [o for o in shown if "protect" in o.diff and not o.protected],
        "same": [o for o in shown if o.op == "same" and not o.diff],
    }
    for word, found in named.items():
        if found:
            yield (
                word,
                [
                    Text(", ".join(o.title for o in group), style=WORDS[word][2] if word == "same" else "")
                    for group in _by_version(found)
                ],
            )


def _by_version(operations: Iterable[Operation]) -> list[list[Operation]]:
    """A line a version: its logical names begin with `<service>.<version>`."""
    groups: dict[str, list[Operation]] = {}
    for operation in operations:
        groups.setdefault(".".join(operation.name.split(".")[:2]), []).append(operation)
    return [groups[key] for key in sorted(groups)]


def _detailed(operation: Operation) -> Text:
    text = Text(operation.title, style="bold")
    for line in details(operation):
        text.append(f"\n{line}", style="not bold")
    return text


def _moves(walked: Walked, console: Console) -> None:
    """The matrix of all moves, and why those that are refused are."""
    ladder = walked.rollout.ladder
    allowed = {(move.origin, move.to): not move.reasons for move in walked.moves or ()}
    width = max(len(str(stage)) for stage in ladder) + 1
    console.print("\nMoves, from the deployed stage (left) to the stage in the config (top):\n")
    console.print(" " * (width + 2) + "".join(f"{stage!s:>{width}}" for stage in ladder))
    for origin in dict.fromkeys(move.origin for move in walked.moves or ()):
        row = Text(f"  {origin!s:<{width}}")
        for to in ladder:
            row.append(f"{'yes' if allowed[origin, to] else '·':>{width}}", style="green" if allowed[origin, to] else "red")
        console.print(row)
    console.print()
    for move in walked.moves or ():
        for reason in move.reasons:
            console.print(Text(f"  {move.origin} to {move.to}: ", style="red").append(reason, style="default"), soft_wrap=True)
