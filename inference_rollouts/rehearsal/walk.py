"""The ladder of each rollout of a stack, walked stage by stage; and every move of it, allowed or refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inference_rollouts import stages
from inference_rollouts.errors import InputError
from inference_rollouts.plan import ModelServiceArgs, plan_for
from inference_rollouts.rehearsal.engine import Operation, Preview, State, preview, state_of
from inference_rollouts.rehearsal.program import run
from inference_rollouts.rehearsal.recording import Recording
from inference_rollouts.settings import PROJECT, AdapterRollout, Stack, load
from inference_rollouts.settings.kind import pool_kind

Step = stages.Stage | Literal["finish"]


@dataclass(frozen=True)
class RolloutOf:
    """One rollout of a stack.

    Attributes:
        service: its service.
        adapter: its adapter, or None for a rollout of pools.
        kind: node, base-model or adapter.
        stable, canary: the version being left and the one being moved to.
        ladder: all stages, without finish.
        stage: the one in the file.
    """

    service: str
    adapter: str | None
    kind: str
    stable: str
    canary: str
    ladder: tuple[stages.Stage, ...]
    stage: stages.Stage

    @property
    def steps(self) -> tuple[Step, ...]:
        """All stages, and finish."""
        return (*self.ladder, "finish")


@dataclass(frozen=True)
class StagePreview:
    """What the update to one stage does."""

    stage: Step
    weights: Mapping[str, int]
    notes: tuple[str, ...]
    preview: Preview


@dataclass(frozen=True)
class MoveVerdict:
    """Whether one move is allowed, from a deployed stack."""

    origin: stages.Stage
    to: stages.Stage
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Rehearsal:
    """A stack to rehearse.

    Attributes:
        project: the folder with Pulumi.yaml.
        stack: the stack's name.
        config: all config keys to their values, as in the stack file.
    """

    project: Path
    stack: str
    config: Mapping[str, Any]
    _recordings: dict[tuple[RolloutOf, Step], Recording] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def settings(self) -> Stack:
        """The typed settings of the file."""
        return load(own_keys(self.config))

    def rollouts(self) -> tuple[RolloutOf, ...]:
        """Every rollout in the file: of pools first, then of adapters."""
        return tuple(_rollouts(self.settings))

    def walk(self, rollout: RolloutOf) -> Iterator[StagePreview]:
        """Each stage's preview on the state that the stage before has left, from nothing to finish.

        It ends at a stage, further up than the file's, that the settings refuse: as `retire` for a canary on spot nodes.

        Raises:
            InputError: when the config has a problem at the file's stage or before.
        """
        state: State = {}
        for step in rollout.steps:
            try:
                service = self._planned(rollout, step)
            except InputError as e:
                if rollout.steps.index(step) <= rollout.steps.index(rollout.stage):
                    raise
                yield StagePreview(step, {rollout.canary: 100}, (), Preview((_refusal(rollout, e),), state))
                return
            split = service.record.adapters[rollout.adapter] if rollout.adapter else service.record.pools
            result = self._previews(rollout, step, [state])[0]
            state = result.state
            yield StagePreview(step, dict(split.weights), service.notes, result)

    def moves(self, rollout: RolloutOf) -> list[MoveVerdict]:
        """Every ordered pair of stages, staying included, each from a stack deployed at the first.

        A stage that the settings refuse (as `retire` for a canary on spot nodes) is no place to come from, and none to go to.

        Raises:
            InputError: when the config has a problem at the file's stage.
        """
        ladder = rollout.ladder
        refused = self._refused(rollout)
        origins: list[stages.Stage] = [stage for stage in ladder if stage not in refused]
        states = [state_of(self.recorded(rollout, stage)) for stage in origins]
        verdicts = dict[tuple[stages.Stage, stages.Stage], tuple[str, ...]]()
        for to in ladder:
            found = [refused[to]] * len(origins) if to in refused else [p.refusals for p in self._previews(rollout, to, states)]
            verdicts |= {(origin, to): reasons for origin, reasons in zip(origins, found, strict=True)}
        return [MoveVerdict(origin, to, verdicts[origin, to]) for origin in origins for to in ladder]

    def _refused(self, rollout: RolloutOf) -> dict[stages.Stage, tuple[str, ...]]:
        """The stages, other than the file's, that the settings refuse, and why."""
        found: dict[stages.Stage, tuple[str, ...]] = {}
        for stage in rollout.ladder:
            try:
                self._planned(rollout, stage)
            except InputError as e:
                if stage == rollout.stage:
                    raise
                found[stage] = _refusal(rollout, e).reasons
        return found

    def recorded(self, rollout: RolloutOf, step: Step) -> Recording:
        """What the program registers at a stage; it runs once for it."""
        if (rollout, step) not in self._recordings:
            self._previews(rollout, step, [])
        return self._recordings[rollout, step]

    def _previews(self, rollout: RolloutOf, step: Step, states: Sequence[State]) -> list[Preview]:
        """The update to one stage from each of the states; one run, since its hooks may be asked about all of them."""
        self._planned(rollout, step)
        results: list[Preview] = []

        def ask(recording: Recording) -> None:
            results.extend(preview(state, recording) for state in states)

        config = at(self.config, rollout, step)
        self._recordings[rollout, step] = run(self.project, self.stack, config, ask)
        return results

    def _planned(self, rollout: RolloutOf, step: Step) -> ModelServiceArgs:
        """The service as planned: what is wrong with the config is said as problems, before the program stops at it."""
        plan = plan_for(load(own_keys(at(self.config, rollout, step))))
        return next(service for service in plan.services if service.name == rollout.service)


def _refusal(rollout: RolloutOf, error: InputError) -> Operation:
    """What the settings refuse, as an operation that is refused."""
    reasons = tuple(f"{problem.path}: {problem.message}" for problem in error.problems)
    return Operation("refuse", "service", rollout.service, None, protected=False, reasons=reasons)


def own_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """The project's own keys, without their namespace."""
    prefix = f"{PROJECT}:"
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


def _rollouts(stack: Stack) -> Iterator[RolloutOf]:
    for name, service in stack.services.items():
        if service.rollout:
            kind = pool_kind(service.versions[service.serving], service.versions[service.rollout.to])
            yield _rollout(name, None, kind, service.serving, service.rollout)
        for key, adapter in service.adapters.items():
            if adapter.rollout:
                yield _rollout(name, key, "adapter", adapter.serving, adapter.rollout)


def _rollout(service: str, adapter: str | None, kind: str, serving: str, rollout: AdapterRollout) -> RolloutOf:
    return RolloutOf(service, adapter, kind, serving, rollout.to, rollout.ladder, rollout.stage)


def at(config: Mapping[str, Any], rollout: RolloutOf, step: Step) -> dict[str, Any]:
    """The config with one rollout at another stage, or finished; all others stay as they are in the file."""
    changed = copy.deepcopy(dict(config))
    service = changed[f"{PROJECT}:services"][rollout.service]
    block = service["adapters"][rollout.adapter] if rollout.adapter else service
    if step == "finish":
        block["serving"] = rollout.canary
        del block["rollout"]
    else:
        block["rollout"]["stage"] = step
    others = [service, *(service.get("adapters") or {}).values()]
    for other in others:
        # In one service only one rollout may be above baseline, and one at baseline is as good as none.
        if other is not block and (other.get("rollout") or {}).get("stage") == "baseline":
            del other["rollout"]
    return changed
