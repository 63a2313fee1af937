"""A rollout in which something goes wrong: what the user sees, who loses requests, and how long the way back takes."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.rehearsal.walk import Step, at
from sandbox.home import SandboxError
from sandbox.live.conduct import Conductor
from sandbox.live.faults import Fault, Scene, killed_after_the_route
from sandbox.live.report import Counted, Moved
from sandbox.traffic.counts import PhaseCount

KNOWN_TIMEOUT = 150.0
"""Seconds within which the cluster's status must tell of a fault."""

IMPATIENT = 20.0
"""Seconds that an update waits for what never becomes ready; Pulumi waits ten minutes, or as `server.loadTimeout` says."""

LONG = 10.0
"""Seconds of waiting from which on a user wonders what for."""

LASTS = 8.0
"""Seconds for which traffic meets a fault before anybody does anything."""


@dataclass
class Faulty:
    """A story with a fault.

    Attributes:
        conductor: performs the moves.
        scene: where the fault strikes.
        fault: which one.
        file: path of the stack file.
        found: what is reported of it, in the order in which it was found.
        complete: whether the story came to its end.
    """

    conductor: Conductor
    scene: Scene
    fault: Fault
    file: str
    found: dict[str, Any] = field(default_factory=dict)
    complete: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if len(self._rungs) < 2:
            raise SandboxError(f"--fault takes a ladder with a rung below 100, not {self._rungs}: add one to rollout.steps")

    def perform(self) -> Iterator[Moved]:
        """Up to the rung where it strikes, and back."""
        self.found = {"fault": f"{self.fault.name}: {self.fault.words}"}
        match self.fault.where:
            case "before":
                yield from self._before()
            case "during":
                yield from self._during()
            case "standing":
                yield from self._standing()

    # --- the three kinds ----------------------------------------------------------------------------------------------

    def _before(self) -> Iterator[Moved]:
        """The canary cannot be built: the update fails, a raise is refused, and the way back is to take it down again."""
        if self._stopped:
            return
        with self._strike():
            phase = self._mark("prepare, with the fault", self.scene.stable)
            self.conductor.deployer.patience = IMPATIENT
            built = self.conductor.deployer.up(self._config("prepare"))
            self._see(built.error or "the update to prepare was done")
            yield self._fault_phase(phase, "baseline", "prepare", struck=bool(built.error))
            if self._stopped:
                return
            yield from self._refused("prepare", self._rungs[0])
            yield from self._back("prepare", "baseline")

    def _during(self) -> Iterator[Moved]:
        """An update does not get through; the next one continues it."""
        origin, to = self._rungs[-2], self._rungs[-1]
        if to == 100 and len(self._rungs) > 2:
            origin, to = self._rungs[-3], self._rungs[-2]
        if not (yield from self._climb(origin)):
            return
        phase = self._mark(f"{origin} → {to}, with the fault", self.scene.stable, self.scene.canary)
        with self._strike():
            if self.fault.name == "killed":
                code = killed_after_the_route(self.scene, to, self.file)
                struck = code == -signal.SIGKILL
                self._see(f"the update's process ended with {code}")
            else:
                applied = self.conductor.deployer.up(self._config(to))
                struck = bool(applied.error)
                self._see(
                    applied.error or "; ".join(applied.preview.refusals) or "the update was done as if nothing had happened"
                )
        yield self._fault_phase(phase, str(origin), str(to), struck=struck)
        if self._stopped:
            return
        continued = self.conductor.move(origin, to)
        self.found["continued by the next update"] = continued.done
        yield continued
        if self._stopped:
            return
        yield from self._back(to, "prepare")

    def _standing(self) -> Iterator[Moved]:
        """The fault strikes at the rung below 100: the next raise is refused, and the way back works."""
        rung, above = self._rungs[-2], self._rungs[-1]
        if not (yield from self._climb(rung)):
            return
        with self._strike():
            phase = self._mark(f"{rung}, with the fault", self.scene.stable, self.scene.canary)
            self._last(phase)
            if self._stopped:
                return
            yield self._fault_phase(phase, str(rung), str(rung))
            if self.fault.refuses:
                yield from self._refused(rung, above)
            yield from self._back(rung, "prepare")

    def _last(self, phase: PhaseCount) -> None:
        """Let traffic meet the fault, and the cluster's status tell of it: before that nobody could refuse."""
        self.found["seconds until the cluster knew"] = self._await_known(phase)
        self.conductor.stop.wait(max(0.0, phase.since + LASTS - time.time()))
        self._await_known(phase)  # what crashes again and again is well in between

    def _await_known(self, phase: PhaseCount) -> float | None:
        """Seconds until it told; None where it never does. Nodes that vanish take it most of a minute."""
        if self.fault.known is None:
            return None
        while not self.fault.known(self.scene):
            if self._stopped or time.time() > phase.since + KNOWN_TIMEOUT:
                return None
            time.sleep(0.2)
        return round(time.time() - phase.since, 1)

    # --- their parts --------------------------------------------------------------------------------------------------

    @property
    def _rungs(self) -> list[int]:
        return [stage for stage in self.conductor.rollout.ladder if isinstance(stage, int)]

    @property
    def _stopped(self) -> bool:
        """Whether nothing more is wanted."""
        return self.conductor.stop.is_set()

    def _strike(self) -> AbstractContextManager[None]:
        self.conductor.told(self.fault.words)
        return self.fault.strike(self.scene)

    def _climb(self, rung: int) -> Generator[Moved, None, bool]:
        """Up to the rung where the fault strikes; whether that was reached."""
        ladder = self.conductor.rollout.ladder
        moved = None
        for moved in self.conductor.perform(ladder[: ladder.index(rung) + 1]):
            yield moved
        return not self._stopped and (moved is None or moved.done)

    def _config(self, step: Step) -> Mapping[str, Any]:
        return at(self.conductor.config, self.conductor.rollout, step)

    def _mark(self, name: str, *allow: str) -> PhaseCount:
        return self.conductor.load.mark(name, allow=list(allow) if self.conductor.load.requests.versions else None)

    def _see(self, text: str) -> None:
        self.found.setdefault("the user sees", []).append(text)

    def _fault_phase(self, phase: PhaseCount, origin: str, to: str, *, struck: bool = True) -> Moved:
        """The requests of the fault: what the canary lost is its price, all else is wrong; so is a fault that did not strike."""
        counts = self.conductor.load.counts()
        lost = {version: counts.failed_of(version) for version in counts.versions if version}
        if nobodys := counts.failed - sum(lost.values()):
            lost["nobody's"] = nobodys
        self.found["failed while it lasted"] = lost
        self.found["requests while it lasted"] = counts.ok + counts.failed
        notes = [] if struck else ["the fault did not strike: the update went through"]
        notes += [
            f"{number} requests failed that are {whose}, to a fault of the canary"
            for name, whose in ((self.scene.stable, "stable's"), ("nobody's", "nobody's"))
            if (number := lost.get(name, 0))
        ]
        if number := counts.wrongly_answered:
            notes.append(f"{number} requests failed that a version without weight answered, which no fault explains")
        return Moved(origin, to, {"lasted": time.time() - phase.since}, notes=tuple(notes), faulty=Counted.of(counts))

    def _refused(self, origin: Step, to: Step) -> Iterator[Moved]:
        """The next raise: it must be refused, and say why."""
        applied = self.conductor.deployer.up(self._config(to))
        for reason in applied.preview.refusals:
            self._see(reason)
        self.found["the next raise is refused"] = bool(applied.preview.refusals)
        if not applied.preview.refusals:
            yield Moved(str(origin), str(to), notes=("the raise was not refused although the canary is broken",))

    def _back(self, origin: Step, to: Step) -> Iterator[Moved]:
        began = time.time()
        moved = self.conductor.move(origin, to, excused=self.scene.canary)
        effect = moved.seconds.get("effect")
        self.found["rollback: seconds from the write of the route to its effect"] = None if effect is None else round(effect, 2)
        update = moved.seconds.get("update")
        self.found["rollback: seconds of the whole update"] = None if update is None else round(update, 2)
        self.found["rollback: seconds from the command to the effect"] = self._until_effect(began)
        self.complete = moved.done
        for step in self.conductor.applied.steps if self.conductor.applied else ():
            if step.waited_for and (waited := step.ready - step.written) > LONG:
                self._see(f"the update waited {waited:.0f} s for {step.operation.title}: {step.waited_for}")
        yield moved

    def _until_effect(self, began: float) -> float | None:
        return None if self.conductor.effect_at is None else round(self.conductor.effect_at - began, 2)
