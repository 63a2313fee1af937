"""Which rollout a command means, and where it may go: pure, and judged by the same `move` as the guard's.

Going up is judged here on the file: the deployed stage is not known without the state. The guard judges it again, on that.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference_rollouts import move, stages
from inference_rollouts.edit import words
from inference_rollouts.edit.meaning import Place
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.plan import plan_for
from inference_rollouts.record import Split
from inference_rollouts.settings import Stack
from inference_rollouts.stages import Stage


class Refused(Exception):
    """The ladder does not allow this from the stage in the file. Its text says what to do instead; one reason a line."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))


@dataclass(frozen=True)
class Target:
    """One rollout, or what one can be started for.

    Attributes:
        place: its service or adapter.
        split: how its traffic is split at the stage in the file.
        versions: names of all its versions.
        stack: what the command line calls the stack, for the commands that are said.
    """

    place: Place
    split: Split
    versions: tuple[str, ...]
    stack: str

    @property
    def what(self) -> str:
        """As a person says it."""
        service = f"service {self.place.service}"
        return service if self.place.adapter is None else f"adapter {self.place.adapter} of {service}"

    @property
    def ladder(self) -> tuple[Stage, ...]:
        """All stages in order."""
        return stages.ladder(self.split.steps)

    def command(self, verb: str) -> str:
        """The command line of a verb for this rollout, as a shell takes it."""
        return f"rollout {verb} {shlex.quote(self.stack)} {shlex.quote(str(self.place))}"

    def at(self, stage: Stage) -> Split:
        """The split at another stage."""
        return replace(self.split, stage=stage, weights=stages.weights(stage, self.split.serving, self.split.to))


@dataclass(frozen=True)
class Step:
    """Where to go; with no stage: nothing to edit.

    Attributes:
        to: the stage to write.
        said: what else there is to know.
    """

    to: Stage | None
    said: str | None = None


# --- which ------------------------------------------------------------------------------------------------------------


def targets(stack: Stack, name: str) -> list[Target]:
    """Every service and adapter of a stack, in the order of the file.

    Args:
        stack: the settings.
        name: what the command line calls the stack.
    """
    records = {service.name: service.record for service in plan_for(stack).services}
    found = []
    for key, service in stack.services.items():
        found.append(Target(Place(key), records[key].pools, tuple(service.versions), name))
        for inner, adapter in service.adapters.items():
            found.append(Target(Place(key, inner), records[key].adapters[inner], tuple(adapter.versions), name))
    return found


def named(stack: Stack, name: str, wanted: str) -> Target:
    """The service or adapter that SERVICE[/ADAPTER] means.

    Raises:
        InputError: when there is none.
    """
    known = targets(stack, name)
    found = next((target for target in known if str(target.place) == wanted), None)
    if found is None:
        raise _problem(words.unknown_target(wanted, [str(target.place) for target in known]))
    return found


def under_way(stack: Stack, name: str, wanted: str | None) -> Target:
    """The rollout that SERVICE[/ADAPTER] means, or the only one of the stack.

    Raises:
        InputError: when there is none, or more than one without a name.
    """
    rolling = [target for target in targets(stack, name) if target.split.to is not None]
    if wanted is not None:
        found = named(stack, name, wanted)
        if found.split.to is None:
            raise _problem(words.not_rolling(found.what, [str(target.place) for target in rolling]))
        return found
    if not rolling:
        startable = [str(target.place) for target in targets(stack, name) if len(target.versions) > 1]
        raise _problem(words.no_rollout(shlex.quote(name), map(shlex.quote, startable or stack.services)))
    if len(rolling) > 1:
        raise _problem(words.several_rollouts([str(target.place) for target in rolling]))
    return rolling[0]


def _problem(message: str) -> InputError:
    return InputError([Problem("", message)])


# --- where to ---------------------------------------------------------------------------------------------------------


def advance(target: Target, to: str | None = None) -> Step:
    """The next rung, or the stage that is asked for.

    Args:
        target: a rollout.
        to: a stage of the ladder to go to instead; also one further down.

    Raises:
        InputError: when there is no such stage.
        Refused: when the ladder does not allow it from here.
    """
    here, ladder = target.split.stage, target.ladder
    if to is None and here == ladder[-1]:
        raise Refused(words.only_finish_is_left(target.what, target.command("finish")))
    there = ladder[ladder.index(here) + 1] if to is None else stage_of(to, ladder)
    if there == here:
        return Step(None, words.stands_already(target.what, here))
    _allowed(target, target.at(there))
    return Step(there)


def stage_of(text: str, ladder: Sequence[Stage]) -> Stage:
    """A stage by its text.

    Raises:
        InputError: when it is not on the ladder.
    """
    for stage in ladder:
        if str(stage) == text:
            return stage
    raise InputError([Problem("--to", words.unknown_stage(text, ladder))])


def rollback(target: Target) -> Step:
    """`prepare`, where the old version has all the traffic; from `retire` that takes two steps, `100` first."""
    here = target.split.stage
    if here in ("baseline", "prepare"):
        return Step(None, words.nothing_to_roll_back(target.what, here, target.split.serving))
    if here == "retire":
        return Step(100, words.back_by_100(target.what, target.command("rollback")))
    return Step("prepare")


def finish(target: Target) -> None:
    """Whether the rollout may be finished.

    Raises:
        Refused: when it does not stand at `retire`.
    """
    split = target.split
    if split.stage != "retire":
        raise Refused(words.finish_from_retire(target.what, split.stage, target.command("advance")))
    _allowed(target, Split(serving=str(split.to), weights={str(split.to): 100}, decommission=split.decommission))


def start(target: Target, to: str, steps: Sequence[int] | None, default: Sequence[int]) -> Step:
    """A new rollout; one that stands at `baseline` with the same aim goes on to `prepare`.

    Args:
        target: a service or adapter.
        to: the version to go to.
        steps: canary weights that are asked for; None for none.
        default: what is taken then.

    Raises:
        InputError: when there is no such version.
        Refused: when a rollout is in the file already.
    """
    split = target.split
    others = [name for name in target.versions if name != split.serving]
    if split.to is not None and (split.stage, split.to) != ("baseline", to):
        raise Refused(words.rolling_already(target.what, split.to, split.stage))
    if to == split.serving:
        raise InputError([Problem("--to", words.serves_already(target.what, to, others))])
    if to not in others:
        raise InputError([Problem("--to", words.unknown_version(target.what, to, others))])
    if split.to is not None and steps is not None and tuple(steps) != split.steps:
        raise Refused(words.other_steps(target.what, split.steps, steps))
    rungs = split.steps if split.to is not None else tuple(steps or default)
    entered = replace(split, to=to, steps=rungs, stage="prepare")
    _allowed(target, replace(entered, weights=stages.weights("prepare", split.serving, to)))
    return Step("prepare")


def _allowed(target: Target, wanted: Split) -> None:
    """What the guard would say, were the file's stage deployed; an override in the file is taken for a new one."""
    if reasons := move.judge_split(target.what, replace(target.split, override=None), wanted):
        raise Refused(*reasons)
