"""Every example and every fixture at every stage, run once a session; and the questions that tests ask of a run."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest

from inference_rollouts.manifests.objects import Manifest
from inference_rollouts.plan import Plan, plan_for
from inference_rollouts.rehearsal import engine_rules
from inference_rollouts.rehearsal.program import run
from inference_rollouts.rehearsal.recording import Recording, Registration
from inference_rollouts.rehearsal.walk import MoveVerdict, Rehearsal, RolloutOf, StagePreview, Step, at, own_keys
from inference_rollouts.settings import load
from tests.conftest import EXAMPLES, FIXTURES, ROOT, example

T = TypeVar("T")

STACKS = (*EXAMPLES, *FIXTURES)


@dataclass(frozen=True)
class Place:
    """A stack with one of its rollouts at one stage; the others stay at the file's."""

    stack: str
    rollout: RolloutOf
    step: Step

    def __str__(self) -> str:
        return f"{self.stack}-{self.rollout.adapter or self.rollout.service}-{self.step}"


@functools.cache
def rehearsal_of(stack: str) -> Rehearsal:
    """The stack, to be rehearsed."""
    return Rehearsal(ROOT, stack, example(stack))


def places_of(stack: str) -> list[Place]:
    """Every stage of every rollout of a stack."""
    return [Place(stack, rollout, step) for rollout in rehearsal_of(stack).rollouts() for step in rollout.steps]


ROLLOUTS = [(stack, rollout) for stack in STACKS for rollout in rehearsal_of(stack).rollouts()]
PLACES = [place for stack in STACKS for place in places_of(stack)]

every_place = pytest.mark.parametrize("place", PLACES, ids=str)
every_stack = pytest.mark.parametrize("stack", STACKS)
every_rollout = pytest.mark.parametrize(
    ("stack", "rollout"), ROLLOUTS, ids=[f"{stack}-{rollout.adapter or rollout.service}" for stack, rollout in ROLLOUTS]
)


@functools.cache
def walked(stack: str, rollout: RolloutOf) -> tuple[StagePreview, ...]:
    """The previews on the way up."""
    return kept(tuple(rehearsal_of(stack).walk(rollout)))


def recorded(place: Place) -> Recording:
    """What the program registers there, as in a preview."""
    walked(place.stack, place.rollout)  # which runs every stage, so that one run serves both
    return rehearsal_of(place.stack).recorded(place.rollout, place.step)


@functools.cache
def walked_down(stack: str, rollout: RolloutOf) -> dict[Step, Recording]:
    """What the program registers at each stage on the way down, in runs of their own, and as in `pulumi up`."""
    down: dict[Step, Recording] = {}
    for step in reversed(rollout.steps):
        down[step] = run(ROOT, stack, at(rehearsal_of(stack).config, rollout, step), preview=False)
    return kept(down)


def kept(value: T) -> T:
    """The value, which stays for the session: the garbage collector need not look at it again (a sixth of the time)."""
    gc.freeze()
    return value


@functools.cache
def moves_of(stack: str, rollout: RolloutOf) -> tuple[MoveVerdict, ...]:
    """Every move of the ladder, allowed or refused."""
    recorded(Place(stack, rollout, "prepare"))
    return tuple(rehearsal_of(stack).moves(rollout))


@functools.cache
def planned(place: Place) -> Plan:
    """The plan there."""
    return plan_for(load(own_keys(at(rehearsal_of(place.stack).config, place.rollout, place.step))))


def customs(recording: Recording) -> Iterator[Registration]:
    """All resources but components and providers."""
    for registration in recording.resources.values():
        if registration.custom and not registration.type.startswith("pulumi:providers:"):
            yield registration


def kind(registration: Registration) -> str:
    """Last part of the type token."""
    return registration.type.rpartition(":")[2]


def of_kind(recording: Recording, *kinds: str) -> list[Registration]:
    """The resources of some kinds, without the components of the same name, in a fixed order."""
    return sorted((r for r in customs(recording) if kind(r) in kinds), key=lambda r: r.urn)


def components(recording: Recording, *kinds: str) -> list[Registration]:
    """The components of some kinds, of all when none is named, in a fixed order."""
    found = (r for r in recording.resources.values() if not r.custom and (not kinds or kind(r) in kinds))
    return sorted(found, key=lambda r: r.urn)


def manifests(recording: Recording) -> Iterator[Manifest]:
    """Every Kubernetes object."""
    for registration in customs(recording):
        if registration.type.startswith("kubernetes:"):
            yield dict(registration.inputs)


def below(urn: str, recording: Recording) -> set[str]:
    """What a resource waits for, directly or not: parents, provider, dependencies."""
    seen: set[str] = set()
    queue = [urn]
    while queue:
        new = (engine_rules.needs(recording.resources[queue.pop()]) & recording.resources.keys()) - seen
        seen |= new
        queue += new
    return seen


def owner(registration: Registration, recording: Recording, component: str) -> Registration | None:
    """The nearest component of a type around a resource."""
    here: Registration | None = registration
    while here and (here.custom or kind(here) != component):
        here = recording.resources.get(here.parent)
    return here
