"""Performs the moves of one rollout while clients send requests, and counts what happens to them.

At each move: preview, update (as `pulumi up`: the guard asks, then everything is written and awaited), the moment from which the
weight acts, then a sample of requests large enough to judge the split. A version may answer a request if it has weight before
or after the move in which it was sent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol

from inference_rollouts.errors import InputError
from inference_rollouts.plan import plan_for
from inference_rollouts.rehearsal.walk import RolloutOf, Step, at, own_keys
from inference_rollouts.settings import load as load_settings
from inference_rollouts.stages import Stage, weights
from sandbox.live.deployer import Applied, Deployer
from sandbox.live.report import Counted, Moved
from sandbox.live.story import moves
from sandbox.metrics import EVERY
from sandbox.traffic.counts import PhaseCount
from sandbox.traffic.effect import took_effect
from sandbox.traffic.load import Load
from sandbox.traffic.requests import OpenLoop
from sandbox.traffic.split import sample_size, surely
from sandbox.traffic.verdict import within

SLOW = 10.0
"""Requests a second that are sent in any case, also where the machine is busy and the rate is higher."""

EFFECT_TIMEOUT = 30.0
"""Seconds within which a written weight must have taken effect; the sandbox's gateway takes tenths, GKE's about eight."""

SCRAPES = 3
"""Times that Prometheus looks before what it knows is taken for what was."""

SURE = 1.25
"""Times the smallest sample that allows a verdict."""


class Decisions(Protocol):
    """Who counts where requests went."""

    def served(self, phase: PhaseCount) -> Mapping[str, int]:
        """Version → requests of the present phase."""
        ...

    def begin(self) -> None:
        """A phase begins."""
        ...

    def portion(self, models: Mapping[str, float]) -> float:
        """The part of all requests that is counted, by the models asked for and their shares."""
        ...


class ByReply:
    """Pools tell in each reply which of them served it."""

    def begin(self) -> None:
        """Nothing to note: the load tool counts by phase."""

    def served(self, phase: PhaseCount) -> Mapping[str, int]:
        """The phase's own counts."""
        return phase.replies

    def portion(self, models: Mapping[str, float]) -> float:  # noqa: ARG002 (a reply tells, whatever was asked for)
        """All."""
        return 1.0


@dataclass
class Conductor:
    """Performs moves of one rollout.

    Attributes:
        deployer: of its stack.
        config: of the stack file.
        rollout: the rollout.
        load: the traffic that flows.
        decisions: who counts where requests went.
        requests: least requests after each move; more where the split takes more to judge.
        evidence: requests that the canary must have answered before its metric checks say anything; 0 without such checks.
        watch: what must not change during a move, as something that can be compared; asked before and after.
        let_end: called before a version is taken away, whose last replies may be under way.
        told: called with the words for what is being done.
        stop: set by whoever wants no further move.
    """

    deployer: Deployer
    config: Mapping[str, Any]
    rollout: RolloutOf
    load: Load
    decisions: Decisions
    requests: int
    evidence: int = 0
    watch: Callable[[], Mapping[str, Any]] = dict
    let_end: Callable[[], None] = lambda: None
    told: Callable[[str], None] = lambda _: None
    stop: Event = field(default_factory=Event)
    effect_at: float | None = field(default=None, init=False)
    """When the last move took effect, in seconds since 1970."""
    applied: Applied | None = field(default=None, init=False)
    """What came of the last move's update."""

    def perform(self, steps: Sequence[Step]) -> Iterator[Moved]:
        """Each move of a story; the first step stands already. After one that was not done, nothing more is tried."""
        for origin, to in moves(steps)[1:]:
            if self.stop.is_set():
                return
            moved = self.move(origin, to)
            yield moved
            if not moved.done:
                return

    def move(self, origin: Step | None, to: Step, excused: str | None = None) -> Moved:
        """One move.

        Args:
            origin: the stage that stands.
            to: the stage that is wanted.
            excused: a version that suffers from a fault: what it loses until the move has taken effect is the fault's.
        """
        config = at(self.config, self.rollout, to)
        if refusals := _refused(config):
            return Moved(_said(origin), str(to), refusals=refusals)
        before, after = self.weights(origin), self.weights(to)
        name = f"{origin} → {to}"
        if to in ("baseline", "finish"):
            self.told(f"{name}: waiting for the last replies")
            self.let_end()
        self.told(f"{name}: preview")
        start = time.time()
        self.deployer.preview(config)
        previewed = time.time() - start
        stood = self.watch()
        phase = self.load.mark(name, allow=self._allowed(before, after))
        self.told(f"{name}: update")
        applied = self.applied = self.deployer.up(config)
        seconds: dict[str, float | None] = {"preview": previewed, "update": applied.ended - applied.began}
        if not applied.done:
            during = Counted.of(self.load.counts())
            return Moved(_said(origin), str(to), seconds, applied.preview.refusals, applied.error, during)
        self.told(f"{name}: waiting for the effect")
        seconds["effect"], during = self._effect(applied, phase, before, after)
        needed = self.sample(before, after)
        self.told(f"{to}: {needed} requests")
        settled = self._sample(str(to), needed, after)
        notes = _changes(stood, self.watch())
        written = applied.began_writing("HTTPRoute") is not None
        if seconds["effect"] is None and written and self._moves(before, after) and isinstance(self.decisions, ByReply):
            notes.append(f"the weights did not take effect within {self._in_time(before, after):.0f} s")
        shares = tuple(within(after, self.decisions.served(settled)))
        counted, faulty = (None, Counted.of(during)) if _only(excused, during) else (Counted.of(during), None)
        return Moved(_said(origin), str(to), seconds, (), "", counted, Counted.of(settled), shares, tuple(notes), faulty)

    def weights(self, step: Step | None) -> dict[str, int]:
        """Weights by version; at finish the canary serves alone."""
        if step is None or step == "finish":
            return {self.rollout.canary if step == "finish" else self.rollout.stable: 100}
        stage: Stage = step
        return weights(stage, self.rollout.stable, self.rollout.canary)

    def sample(self, before: Mapping[str, int], after: Mapping[str, int]) -> int:
        """How many requests are needed to judge weights, also that they are not those from before."""
        moved = [(before.get(version, 0) / 100, after.get(version, 0) / 100) for version in before.keys() | after.keys()]
        counted: float = max(sample_size(*shares) for shares in moved)
        if share := after.get(self.rollout.canary, 0) / 100:
            counted = max(counted, surely(self.evidence) / share)
        return max(self.requests, math.ceil(SURE * counted / self.decisions.portion(self.load.requests.models)))

    def _moves(self, before: Mapping[str, int], after: Mapping[str, int]) -> bool:
        return before.get(self.rollout.canary, 0) != after.get(self.rollout.canary, 0)

    def _allowed(self, *sides: Mapping[str, int]) -> list[str] | None:
        if not self.load.requests.versions:
            return None
        return sorted({version for side in sides for version, weight in side.items() if weight})

    def _effect(
        self, applied: Applied, phase: PhaseCount, before: Mapping[str, int], after: Mapping[str, int]
    ) -> tuple[float | None, PhaseCount]:
        """Seconds from the beginning of the route's write to its effect (None: nobody can tell), and the counts until then."""
        self.effect_at = None
        written = applied.began_writing("HTTPRoute")
        counts = self.load.counts()
        if not self._moves(before, after) or written is None:
            return None, counts
        canary = self.rollout.canary
        shares = [side.get(canary, 0) / 100 for side in (before, after)]
        began, patience = time.time(), self._in_time(before, after)
        while True:
            found = counts.timeline and took_effect(counts.timeline, canary, *shares)
            if found:
                self.effect_at = phase.since + found.at
                return max(0.0, self.effect_at - written), counts
            waited = time.time() - began
            if waited > patience:
                return None, counts
            time.sleep(max(0.2, waited / 50))  # the longer the timeline, the longer it takes to read
            counts = self.load.counts()

    def _in_time(self, before: Mapping[str, int], after: Mapping[str, int]) -> float:
        """Seconds within which weights must have taken effect, and enough requests gone by to tell."""
        shares = [side.get(self.rollout.canary, 0) / 100 for side in (before, after)]
        return EFFECT_TIMEOUT + self._lasts(sample_size(shares[0], shares[1]))

    def _sample(self, name: str, needed: int, wanted: Mapping[str, int]) -> PhaseCount:
        """A phase of its own, long enough to judge the split."""
        self.decisions.begin()
        sampled = self.load.sample(name, needed, 60 + self._lasts(needed), allow=self._allowed(wanted))
        if self.evidence:  # the next raise is judged by what Prometheus knows
            time.sleep(SCRAPES * EVERY)
        return sampled

    def _lasts(self, requests: int) -> float:
        """Seconds that so many requests may take: at their rate twice what they should, and of no more than SLOW a second."""
        pace = self.load.requests.pace
        return requests / (min(SLOW, pace.rate / 2) if isinstance(pace, OpenLoop) else SLOW)


def _said(step: Step | None) -> str | None:
    return None if step is None else str(step)


def _refused(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Why the settings refuse a stage, as `retire` for a canary on spot nodes; the program would end with it."""
    try:
        plan_for(load_settings(own_keys(config)))
    except InputError as e:
        return tuple(f"{problem.path}: {problem.message}" for problem in e.problems)
    return ()


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is another, has come, or has gone."""
    words = dict.fromkeys(after.keys() - before, "has come") | dict.fromkeys(before.keys() - after, "has gone")
    words |= {name: "has changed" for name in before.keys() & after if before[name] != after[name]}
    return [f"{name} {words[name]}" for name in sorted(words)]


def _only(version: str | None, phase: PhaseCount) -> bool:
    """Whether a fault of this version explains every failure of a phase; it explains none that nobody answered."""
    return version is not None and 0 < phase.failed == phase.excusable_of(version)
