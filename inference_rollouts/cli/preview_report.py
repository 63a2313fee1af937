"""What a changed stack file does, compared with a base: the report that `rollout preview` shows.

The base is taken as deployed afresh; the update to the working tree's file is previewed on that by the rehearsal, through the
program's real guards. The program is the working tree's for both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
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

LOOKED_AT = 50
"""Commits of the file in which a valid text is looked for where the base has none."""

COMMIT = re.compile("[0-9a-f]{40,}")
"""A commit's full hash."""

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
class Base:
    """What the working tree's file is compared with.

    Attributes:
        name: as a person says it.
        side: its text; None where it does not have the file, or where nothing can be read (`unread`).
        unread: why it is another text than the one that was asked for, or none; empty where it is that one.
    """

    name: str
    side: Side | None
    unread: str = ""

    @property
    def unknown(self) -> bool:
        """Whether there was a text, and none can be read: what moves cannot be told then."""
        return self.side is None and self.unread != ""


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
        compared: what it is compared with.
        after: None where there is no file.
        operations: of the update; none where there is no update.
    """

    stack: str
    file: Path
    compared: Base
    after: Side | None
    operations: tuple[Operation, ...]

    @property
    def base(self) -> str:
        """What it is compared with, as a person says it."""
        return self.compared.name

    @property
    def before(self) -> Side | None:
        """The text that it is compared with; None where there is none."""
        return self.compared.side

    @property
    def refusals(self) -> tuple[str, ...]:
        """Every reason for which something is refused."""
        return Preview(self.operations, {}).refusals

    @cached_property
    def changes(self) -> list[Change]:
        """The splits that change; none where no update follows, or where nobody can tell."""
        if self.after is None or self.compared.unknown:
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
        if self.compared.unknown:
            return report_words.compared_with_nothing(len(self.after.plan.services))
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
        """What is to be said besides: of the base, where it is not the one that was asked for, and of the plan."""
        of_plan = [note for service in self.after.plan.services for note in service.notes] if self.after else []
        return [self.compared.unread, *of_plan] if self.compared.unread else of_plan

    @property
    def added(self) -> list[costs.Nodes]:
        """Node pools that are new; none where nobody can tell."""
        if self.compared.unknown:
            return []
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
    compared, after = sides(stack, path, base)
    operations = _operations(compared.side, after) if after else ()
    return Report(stack_name(path), path, compared, after, operations)


def sides(stack: str, path: Path, base: str | None) -> tuple[Base, Side | None]:
    """The base, and the file in the working tree; None where it is not there.

    A base that is a commit need not have a valid text: what mends the file must not fail on what it mends. The newest valid text
    before it takes its place, so that what has moved since then is still seen.

    Raises:
        InputError: when it is in neither, or when the working tree's, or a base that is a file, has problems.
    """
    # A link to nothing is a file that cannot be read, and not one that is gone.
    after = _side(open_stack(stack), path.read_bytes()) if path.is_file() or path.is_symlink() else None
    compared = _base(path, base)
    if after is None and compared.side is None and not compared.unread:
        raise InputError([Problem("", report_words.no_stack_file(compared.name), stack)])
    return compared, after


def _base(path: Path, base: str | None) -> Base:
    """What to compare with."""
    if base is not None and Path(base).is_file():
        return Base(base, _base_side(path, base, Path(base).read_bytes()))
    repository = Repository.around(path)
    branch = base or repository.main_branch()
    commit = repository.branched_from(branch) if branch and base is None else repository.commit(branch or "HEAD")
    if commit is None and base is not None:
        raise InputError([Problem("--base", report_words.unknown_base(base))])
    if commit is None and branch is not None:
        raise InputError([Problem("--base", report_words.no_common_commit(branch))])
    name = branch or "HEAD"
    return _at_commit(repository, commit, path, name) if commit else Base(name, None)


def _at_commit(repository: Repository, commit: str, path: Path, name: str) -> Base:
    """The file at a commit, or at the newest one before it where it is valid."""
    data = repository.data(commit, path)
    if data is None:
        return Base(name, None)
    try:
        return Base(name, _base_side(path, _short(name), data))
    except InputError as e:
        first, more = str(e.problems[0]), len(e.problems) - 1
    instead, side = _last_valid(repository, commit, path, data)
    unread = report_words.base_unread(_short(name), first, more, instead, LOOKED_AT)
    return Base(instead or name, side, unread)


def _last_valid(repository: Repository, commit: str, path: Path, broken: bytes) -> tuple[str | None, Side | None]:
    """The newest commit before one at which the file is valid, and the file there; no text is tried twice."""
    tried = {broken}
    for before in islice(repository.log(path, commit), LOOKED_AT):
        data = repository.data(before.id, path)
        if data is None or data in tried:
            continue
        tried.add(data)
        try:
            return _short(before.id), _base_side(path, before.id, data)
        except InputError:
            continue
    return None, None


def _short(name: str) -> str:
    """A commit's hash as people say it; other names as they are."""
    return name[:10] if COMMIT.fullmatch(name) else name


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
