"""One object that carries weights: what it should carry by the file, what it carries, and what it was written for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from inference_rollouts import stages
from inference_rollouts.observe.bake import Write, age, last_writer
from inference_rollouts.observe.cluster import Absent, Answer, Found, Unreadable
from inference_rollouts.observe.patch import Now, now_of
from inference_rollouts.observe.splits import listed, live_weights, recorded_split
from inference_rollouts.observe.targets import SplitTarget
from inference_rollouts.record import Split
from inference_rollouts.stages import Stage


@dataclass(frozen=True, kw_only=True)
class SplitStatus:
    """What an object wants and has.

    Attributes:
        target: the object, with the split in the file.
        at: its place, as `HTTPRoute default/llm`.
        adapter: whose split it is; None for the pools'.
        wanted: the split in the file.
        shown: its weights, by what the object calls the versions.
        live: the live weights likewise; None where they cannot be told.
        stage: where the live weights stand on the ladder; None where that cannot be told, or they are on no rung.
        unknown: why not; empty where it can be told.
        recorded: the split that the object was written for, by its annotation; None where it cannot be told.
        not_recorded: why not.
        write: who wrote the weights last.
        seconds: how long ago.
        now: who wrote them past Pulumi, until it applies the object again.
        disagrees: whether the live weights are others than the annotation says.
    """

    target: SplitTarget
    at: str
    adapter: str | None
    wanted: Split
    shown: Mapping[str, int]
    live: Mapping[str, int] | None = None
    stage: Stage | None = None
    unknown: str = ""
    recorded: Split | None = None
    not_recorded: str = ""
    write: Write | None = None
    seconds: float | None = None
    now: Now | None = None
    disagrees: bool = False

    @property
    def as_wanted(self) -> bool:
        """Whether live weights and file agree."""
        return self.live is not None and self.live == self.shown

    @property
    def differences(self) -> tuple[str, ...]:
        """What is not as the file says, one sentence each."""
        if self.live is None:
            return (f"{self.at}: wanted {self.wanted.stage}, live unknown: {self.unknown}",)
        found = []
        if not self.as_wanted:
            stage = self.stage if self.stage is not None else f"unknown: {self.unknown}"
            found.append(f"{self.at}: wanted {self.wanted.stage} ({listed(self.shown)}), live {stage} ({listed(self.live)})")
        if self.recorded is None:
            found.append(f"{self.at}: the split it was written for is unknown: {self.not_recorded}")
        elif self.disagrees:
            by = f", last written by {self.write}" if self.write else ""
            found.append(f"{self.at}: its annotation says {self.recorded.stage}, its weights {listed(self.live)}{by}")
        elif self.as_wanted and _aim(self.recorded) != _aim(self.wanted):
            found.append(f"{self.at}: written for {told(self.recorded)}, and the file says {told(self.wanted)}")
        return tuple(found)


def split_status(target: SplitTarget, at: str, answer: Answer, now: datetime, adapter: str | None = None) -> SplitStatus:
    """What an object wants and has.

    Args:
        target: the object, with the split in the file.
        at: its place.
        answer: what was read.
        now: with a time zone.
        adapter: whose split it is; None for the pools'.
    """
    status = SplitStatus(target=target, at=at, adapter=adapter, wanted=target.split, shown=target.weights(target.split))
    match answer:
        case Absent():
            return replace(status, unknown="nothing of that name", not_recorded="nothing of that name")
        case Unreadable(reason):
            return replace(status, unknown=f"no answer: {reason}", not_recorded=f"no answer: {reason}")
        case Found(value):
            try:
                return _of(status, target, value, now)
            except (AttributeError, KeyError, TypeError, ValueError) as e:  # a shape that nobody foresaw
                return replace(status, unknown=f"of another shape than expected ({type(e).__name__}: {e})")


def _of(status: SplitStatus, target: SplitTarget, value: Mapping[str, Any], now: datetime) -> SplitStatus:
    recorded, live = recorded_split(value), live_weights(value)
    known = recorded if isinstance(recorded, Split) else None
    stage = None if live is None else stage_of(target, live, known)
    off = "they are on no rung" if live is not None else "backends without weights, or none"
    return replace(
        status,
        live=live,
        stage=stage,
        unknown="" if stage is not None else off,
        recorded=known,
        not_recorded="" if known else str(recorded),
        write=last_writer(value),
        seconds=age(value, now),
        now=now_of(value),
        disagrees=bool(known and live is not None and target.weights(known) != live),
    )


def stage_of(target: SplitTarget, live: Mapping[str, int], recorded: Split | None) -> Stage | None:
    """The stage that live weights stand at: by the file's rollout, else by the one that the object was written for.

    Several stages may look the same, as `prepare` and `baseline` where a weight of 0 cannot be shown: then the recorded one
    wins, then the file's, then the one with all versions in the split.
    """
    likely: list[str | int] = [split.stage for split in (recorded, target.split) if split]

    def unlikely(stage: str | int) -> tuple[int, bool]:
        return (likely.index(stage) if stage in likely else len(likely)), stage in ("baseline", "retire")

    for split in (target.split, recorded):
        rungs: tuple[Stage, ...] = _ladder(split) if split else ()
        matching: list[Stage] = [rung for rung in rungs if split and target.weights(split.at(rung)) == live]
        if matching:
            return min(matching, key=unlikely)
    return None


def _ladder(split: Split) -> tuple[Stage, ...]:
    if split.to is None:
        return ("baseline",)
    # A stage that its own steps no longer hold is still one.
    steps = sorted({*split.steps, split.stage} if isinstance(split.stage, int) else split.steps)
    return stages.ladder(steps)


def _aim(split: Split) -> tuple[object, ...]:
    return split.serving, split.to, split.steps, split.stage


def told(split: Split) -> str:
    """A split in a few words."""
    return f"{split.serving} → {split.to}, steps {list(split.steps)}, {split.stage}" if split.to else f"{split.serving} alone"
