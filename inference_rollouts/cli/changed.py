"""`rollout changed`: the stacks whose file a branch has changed, and whether a weight rises or falls in them.

For pipelines: which stacks to deploy, which of them need somebody's consent, and which go first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from inference_rollouts.cli.preview_report import sides
from inference_rollouts.cli.project import find_project, shown
from inference_rollouts.edit import report_words
from inference_rollouts.edit.changes import Change, changes
from inference_rollouts.edit.repository import Repository
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.move import rises
from inference_rollouts.settings.stack_file import stack_name

Direction = Literal["raise", "fall", "same", "new", "deleted", "unknown"]


@dataclass(frozen=True)
class Changed:
    """One stack whose file has changed.

    Attributes:
        stack: its name.
        file: its file, as it is said.
        direction: `raise` when any canary's weight rises, or a rollout goes to retire; `fall` when one falls and none rises;
            `same` when no weight moves, as when a canary is built at prepare; `unknown` when the base has the file, and neither
            its text there nor one before it can be read.
        weight: the highest weight that is risen to, in percent; 0 without a raise.
        final: whether something that has served is taken away for good: by a finish, or with its service or adapter.
        sentences: what moves.
        note: why it is compared with another commit than the base, or with none; empty where it is the base.
    """

    stack: str
    file: Path
    direction: Direction
    weight: int
    final: bool
    sentences: tuple[str, ...]
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "stack": self.stack,
            "file": str(self.file),
            "direction": self.direction,
            "weight": self.weight,
            "final": self.final,
            "changes": list(self.sentences),
            "note": self.note or None,
        }


def changed(base: str) -> list[Changed]:
    """The changed stacks; those that fall first.

    Args:
        base: a commit, branch or tag.

    Raises:
        InputError: when there is no such commit, or a file of the working tree has problems; all of them at once.
    """
    stacks = find_project().stacks
    repository = Repository.around(stacks / "any")
    commit = repository.commit(base)
    if commit is None:
        raise InputError([Problem("--base", report_words.unknown_base(base))])
    found, problems = [], []
    for path in repository.changed_since(commit, stacks):
        if path.parent.resolve() != stacks.resolve() or not path.match("Pulumi.*.yaml"):
            continue
        try:
            found.append(_changed(shown(path), commit))
        except InputError as e:
            problems += e.problems
    if problems:
        raise InputError(problems)
    return sorted(found, key=lambda stack: (stack.direction != "fall", stack.stack))


def _changed(path: Path, commit: str) -> Changed:
    name = stack_name(path)
    compared, after = sides(name, path, commit)
    if compared.unknown and after is not None:
        return Changed(name, path, "unknown", 0, False, (), compared.unread)
    before = compared.side
    moved = [change for change in changes(before and before.meaning, after and after.meaning) if change.moved]
    raised = [change for change in moved if _raises(change)]
    weight = max((change.after.weights.get(str(change.after.to), 0) for change in raised if change.after), default=0)
    direction = "deleted" if after is None else "new" if before is None else _direction(moved, raised)
    final = after is not None and any(change.finishes or change.after is None for change in moved)
    return Changed(name, path, direction, weight, final, tuple(change.sentence for change in moved), compared.unread)


def _direction(moved: list[Change], raised: list[Change]) -> Direction:
    if raised:
        return "raise"
    return "fall" if any(_falls(change) for change in moved) else "same"


def _raises(change: Change) -> bool:
    """A finish is none: it takes away what carries nothing any more. Nor is a rollout that enters at prepare."""
    before, after = change.before, change.after
    return bool(before and after and after.to and before.to == after.to and rises(before, after) and after.stage != "prepare")


def _falls(change: Change) -> bool:
    before, after = change.before, change.after
    return bool(before and after and before.to and before.to == after.to and rises(after, before))


def render(found: list[Changed], base: str, console: Console) -> None:
    """A line a stack, and what moves beneath it."""
    if not found:
        console.print(f"no stack file differs from {base}", markup=False)
    for stack in found:
        weight = f" to {stack.weight}" if stack.weight else ""
        final = ", and takes something away for good" if stack.final else ""
        console.print(Text.assemble((stack.stack, "bold"), f"  {stack.direction}{weight}{final}"))
        for sentence in stack.sentences:
            console.print(Text(f"  {sentence}"), soft_wrap=True)
        if stack.note:
            console.print(Text.assemble("  ", ("note: ", "cyan"), stack.note), soft_wrap=True)
