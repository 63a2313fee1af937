"""What `rollback --now` finds to do: where the way back of each live object leads, and what becomes of the file.

Judged by what is live, by the annotation of each object, and not by the file, which may be ahead or behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from inference_rollouts.cli.edit import Opened
from inference_rollouts.cli.now_stable import warnings
from inference_rollouts.cli.status import Standing
from inference_rollouts.edit import live_words, operations, words
from inference_rollouts.edit.document import Document
from inference_rollouts.edit.target import Target
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.observe.access import Access, access_to
from inference_rollouts.observe.kubeconfig import NoConnection
from inference_rollouts.observe.live_split import SplitStatus
from inference_rollouts.observe.live_status import no_answer, splits_of
from inference_rollouts.observe.patch import Writer, Written
from inference_rollouts.plan import ModelServiceArgs, plan_for
from inference_rollouts.record import Split
from inference_rollouts.stages import Stage


@dataclass(frozen=True)
class Step:
    """What to write to one object.

    Attributes:
        status: the object as it stands.
        base: the split that it was written for, else the file's.
        wanted: the split to write; None where it stands there already.
        origin: the stage that Pulumi's state has, as far as the object tells.
    """

    status: SplitStatus
    base: Split
    wanted: Split | None
    origin: str


@dataclass
class Rollback:
    """One rollback.

    Attributes:
        opened: the stack file.
        found: the rollout in it.
        service: its plan.
        access: the way to the cluster.
        steps: what to write, for each object that stands.
        skipped: objects that cannot be written, and why.
        stage: where the way back leads; None where the cluster has nothing to roll back.
        edited: the file as it is to be; None where there is nothing to edit, or it cannot be edited.
        problem: why it cannot.
        written: what was written, with the seconds that it took, by object.
        failed: what could not be written.
        warnings: what speaks against it, and holds nothing up.
        notes: what else there is to know.
    """

    opened: Opened
    found: Target
    service: ModelServiceArgs
    access: Access
    steps: list[Step]
    skipped: list[str]
    stage: Stage | None
    edited: Document | None = None
    problem: str = ""
    written: list[tuple[Step, Written, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def to_write(self) -> list[Step]:
        """The objects that are not there yet."""
        return [step for step in self.steps if step.wanted]


def look(opened: Opened, found: Target, service: ModelServiceArgs) -> tuple[Writer, Rollback]:
    """The cluster as it stands, and what there is to write."""
    settings, file = opened.file.settings(), str(opened.file.path)
    standing = Standing(opened.file, settings, plan_for(settings))
    by_hand = live_words.instead(standing.by_hand(found.place))
    try:
        access = access_to(settings.cluster, standing.project)
    except NoConnection as e:
        raise InputError([Problem("cluster", f"{e}{by_hand}", file)]) from None
    writer = Writer(kubeconfig=access.kubeconfig, context=access.context)
    splits = [split for split in splits_of(writer, service, datetime.now(UTC)) if split.adapter == found.place.adapter]
    read = [split for split in splits if split.live is not None]
    skipped = [_skipped(split) for split in splits if split.live is None]
    if not read:
        reason = next((split.unknown for split in splits), "there is no object with weights")
        silent = reason.removeprefix("no answer: ")
        told = no_answer(access, silent) if silent != reason else "; ".join(skipped)
        raise InputError([Problem("cluster", f"{told}{by_hand}", file)])
    steps = [_step(split) for split in read]
    stages: list[Stage] = [step.wanted.stage for step in steps if step.wanted]
    return writer, Rollback(opened, found, service, access, steps, skipped, stages[0] if stages else None)


def warn(rollback: Rollback, writer: Writer) -> None:
    """Ask what speaks against it: at most now_stable.PATIENCE seconds, which no write waits for that needs no answer."""
    if rollback.to_write and rollback.found.place.adapter is None:  # both versions of an adapter are on the same pods
        rollback.warnings += warnings(writer, rollback.service, rollback.to_write[0].base.serving)


def _skipped(split: SplitStatus) -> str:
    return live_words.not_in_cluster(split.at, split.unknown, absent=split.unknown == "nothing of that name")


def _step(status: SplitStatus) -> Step:
    """Where the way back of one object leads, as the ladder has it."""
    # What was written for no rollout, and has other weights, says nothing of the rollout that is under way.
    split = status.recorded if status.recorded and (status.recorded.to or not status.disagrees) else status.wanted
    marked = status.now.origin if status.now else None
    here = status.stage
    if split.to is None or here in ("baseline", "prepare"):
        return Step(status, split, None, marked or str(here))
    # On no rung of the ladder, and without the old version among the backends: it has to be there before it gets traffic.
    stable = status.target.backends.get(split.serving, split.serving)
    gone = here == "retire" or (status.adapter is None and stable not in (status.live or {}))
    stage: Stage = 100 if gone else "prepare"
    return Step(status, split, split.at(stage), marked or str(here))


def edit_file(rollback: Rollback) -> None:
    """The file at the stage that the cluster is to have; what hinders that must not hinder the cluster."""
    split, base = rollback.found.split, rollback.steps[0].base
    if base.serving != split.serving or base.to not in (None, split.to):
        live, file = (f"{s.serving} → {s.to}" if s.to else f"{s.serving} alone" for s in (base, split))
        rollback.notes.append(live_words.other_rollout(rollback.found.what, live, file))
        return
    there: Stage = "baseline" if split.stage == "baseline" else "prepare"
    stage = rollback.stage or there
    if stage == split.stage:
        return
    try:
        opened, place = rollback.opened, rollback.found.place
        rollback.edited = operations.set_stage(opened.file, opened.document, place, stage, earlier=())  # waits for no Git
    except InputError as e:
        rollback.problem = live_words.file_not_edited(str(e))


def question(rollback: Rollback) -> str:
    """What to ask before anything is written."""
    path = rollback.opened.file.path
    if not rollback.to_write:
        return words.ask(path)
    return live_words.ask_now(len(rollback.to_write), path if rollback.edited else None, rollback.warnings)
