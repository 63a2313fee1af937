"""What a changed stack file does, compared with a base: the report that `rollout preview` shows.

The base is taken as deployed afresh; the update to the working tree's file is previewed on that by the rehearsal, through the
program's real guards. The program is the working tree's for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from inference_rollouts.cli.project import find_project, open_stack, plan_of, stack_path
from inference_rollouts.edit import costs, report_words
from inference_rollouts.edit.changes import Change, changes
from inference_rollouts.edit.differences import unified
from inference_rollouts.edit.operations import parsed
from inference_rollouts.edit.repository import Repository
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.plan import Plan
from inference_rollouts.plan.questions import asked_no_more, questions
from inference_rollouts.raises import Raise, raised
from inference_rollouts.rehearsal.engine import Operation, Preview, preview, state_of
from inference_rollouts.rehearsal.program import Recording, run
from inference_rollouts.settings import Stack
from inference_rollouts.settings.stack_file import StackFile, stack_name

WORDS = ("refused", "deleted", "replaced", "updated", "created", "protected", "unprotected", "unchanged")
"""What happens to a resource, in the order in which a reader cares."""

PAST = {"refuse": "refused", "delete": "deleted", "replace": "replaced", "update": "updated", "create": "created"}


@dataclass(frozen=True)
class Side:
    """One text of the stack file, and what it means."""

    file: StackFile
    text: str
    settings: Stack
    plan: Plan

    @property
    def meaning(self) -> tuple[Stack, Plan]:
        """Settings and plan."""
        return self.settings, self.plan


@dataclass(frozen=True)
class Asked:
    """What `pulumi up` asks the cluster of one service.

    Attributes:
        service: its name.
        raised: what is in question.
        questions: a phrase each.
        no_more: conditions of this move that the change itself makes weaker, or takes out.
    """

    service: str
    raised: Raise
    questions: tuple[str, ...]
    no_more: tuple[str, ...]

    @property
    def retires(self) -> bool:
        """Whether no weight rises, and the old version gives up the quick way back."""
        return not self.raised.names


@dataclass(frozen=True)
class Report:
    """What a change of a stack file does.

    Attributes:
        stack: the stack's name.
        file: its file, as it is said.
        base: what it is compared with, as a person says it.
        before, after: None where there is no file.
        operations: of the update; none where there is no update.
    """

    stack: str
    file: Path
    base: str
    before: Side | None
    after: Side | None
    operations: tuple[Operation, ...]

    @property
    def refusals(self) -> tuple[str, ...]:
        """Every reason for which something is refused."""
        return Preview(self.operations, {}).refusals

    @cached_property
    def changes(self) -> list[Change]:
        """The splits that change; none where no update follows."""
        if self.after is None:
            return []
        sides = (side and side.meaning for side in (self.before, self.after))
        return [change for change in changes(*sides) if change.moved]

    @property
    def happens(self) -> dict[str, list[Operation]]:
        """Resources by what happens to them, in the order of WORDS; components only where they are refused."""
        shown = [o for o in self.operations if o.op == "refuse" or o.object]
        return {word: found for word in WORDS if (found := [o for o in shown if word in _words(o)])}

    @property
    def headline(self) -> str:
        """The whole of it in a sentence."""
        if self.after is None:
            return report_words.deleted_stack(self.stack, self.base)
        if self.refusals:
            begun = any(operation.op in ("create", "update", "replace") for operation in self.operations)
            return report_words.refused_headline(begun=begun)
        if self.before is None:
            return report_words.new_stack(
                self.stack, self.base, len(self.after.plan.services), len(self.happens.get("created", ()))
            )
        if self.before.text == self.after.text:
            return report_words.nothing_changes(self.base)
        if self.changes:
            return "; ".join(change.sentence for change in self.changes)
        return report_words.nothing_moves() if self.happens.keys() - {"unchanged"} else report_words.no_operations()

    @property
    def counts(self) -> str:
        """How many resources each thing happens to; what happens to none is said too."""
        happens = self.happens
        none = [word for word in ("created", "replaced", "deleted") if word not in happens]
        return report_words.counted([f"{len(found)} {word}" for word, found in happens.items()], none)

    @cached_property
    def asked(self) -> list[Asked]:
        """What `pulumi up` asks live before it does this; nothing where it falls, or is refused."""
        if self.before is None or self.after is None or self.refusals:
            return []
        before = {service.name: service for service in self.before.plan.services}
        pairs = [(before[service.name], service) for service in self.after.plan.services if service.name in before]
        moves = [(old, new, raised(old.record, new.record)) for old, new in pairs]
        return [Asked(new.name, r, tuple(questions(new, r)), tuple(asked_no_more(old, new, r))) for old, new, r in moves if r]

    @property
    def notes(self) -> list[str]:
        """What the plan has to say besides."""
        return [note for service in self.after.plan.services for note in service.notes] if self.after else []

    @property
    def added(self) -> list[costs.Nodes]:
        """Node pools that are new."""
        nodes = [costs.nodes_of(*side.meaning) if side else [] for side in (self.before, self.after)]
        return costs.added(nodes[0], nodes[1])

    @property
    def surge(self) -> list[costs.Nodes]:
        """The nodes of every second version that stands after the update."""
        return costs.surge(*self.after.meaning) if self.after else []

    @property
    def diff(self) -> str:
        """The stack file's own diff."""
        texts = [side.text if side else "" for side in (self.before, self.after)]
        return unified(self.file, texts[0], texts[1])


def _words(operation: Operation) -> set[str]:
    """What happens to a resource: one thing, and a change of its protection besides."""
    happens = {PAST[operation.op]} if operation.op in PAST else set()
    if "protect" in operation.diff and operation.op != "refuse":
        happens.add("protected" if operation.protected else "unprotected")
    return happens or {"unchanged"}


# --- making it --------------------------------------------------------------------------------------------------------


def report(stack: str, base: str | None = None) -> Report:
    """What the working tree's file does, compared with a base.

    Args:
        stack: a stack of the project, or a path.
        base: a file, or a commit, branch or tag; None for where this branch left origin's default branch, or for HEAD.

    Raises:
        InputError: when there is nothing to compare, or one of the two has problems.
    """
    path = stack_path(stack)
    called, before, after = sides(stack, path, base)
    operations = _operations(before, after) if after else ()
    return Report(stack_name(path), path, called, before, after, operations)


def sides(stack: str, path: Path, base: str | None) -> tuple[str, Side | None, Side | None]:
    """The base as a person says it, and the file there and in the working tree.

    Raises:
        InputError: when it is in neither, or one of the two has problems.
    """
    called, data = _base(path, base)
    if not path.is_file() and data is None:
        raise InputError([Problem("", report_words.no_stack_file(called), stack)])
    after = _side(open_stack(stack), path.read_bytes()) if path.is_file() else None
    return called, None if data is None else _base_side(path, called, data), after


def _base(path: Path, base: str | None) -> tuple[str, bytes | None]:
    """What to compare with: its name, and its bytes; None where it does not have the file."""
    if base is not None and Path(base).is_file():
        return base, Path(base).read_bytes()
    repository = Repository.around(path)
    branch = base or repository.main_branch()
    commit = repository.branched_from(branch) if branch and base is None else repository.commit(branch or "HEAD")
    if commit is None and base is not None:
        raise InputError([Problem("--base", report_words.unknown_base(base))])
    if commit is None and branch is not None:
        raise InputError([Problem("--base", report_words.no_common_commit(branch))])
    return branch or "HEAD", repository.data(commit, path) if commit else None


def _base_side(shown: Path, called: str, data: bytes) -> Side:
    try:
        return _side(parsed(shown, data), data)
    except InputError as e:
        raise InputError(p.at(f"{shown} in {called}") for p in e.problems) from None


def _side(file: StackFile, data: bytes) -> Side:
    settings = file.settings()
    return Side(file, data.decode("utf-8-sig"), settings, plan_of(file, settings))


def _operations(before: Side | None, after: Side) -> tuple[Operation, ...]:
    """The update from a fresh deployment of the one to the other; hooks can be asked only while the program runs."""
    project, stack = find_project().folder, after.file.stack
    state = state_of(run(project, stack, before.file.config)) if before else {}
    found: list[Preview] = []

    def ask(recording: Recording) -> None:
        found.append(preview(state, recording))

    run(project, stack, after.file.config, ask)
    return found[0].operations
