"""Waiting at a rung with open eyes: until its least time is over and every check passes, or one keeps failing.

What a check of the metrics says once may be noise, so a few failing answers in a row count. Unknown is no failure, and no
consent either: it is waited for, and in the end it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from inference_rollouts.drive import words
from inference_rollouts.drive.clock import Clock, Stop
from inference_rollouts.drive.events import Event, Wait
from inference_rollouts.drive.live import Asked, Asker
from inference_rollouts.record import Record
from inference_rollouts.stages import Stage, canary_weight

SLICE = 1.0
"""Seconds between two looks at the wish to stop."""

Ended = Literal["passed", "failed", "by hand", "unclear", "stopped"]
"""`failed`: checks kept failing under traffic. `by hand`: somebody else moved it. `unclear`: the patience is over."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How a rung is watched.

    Attributes:
        interval: seconds between two questions.
        failures: failing answers in a row that count as failed.
        limit: seconds that are waited, once the least time is over, for what is unknown or not ready yet.
    """

    interval: float = 60
    failures: int = 2
    limit: float = 1800


@dataclass
class Vigil:
    """One who waits.

    Attributes:
        what: the rollout, as a person says it.
        asker, clock, stop, patience: what it needs of the world.
        last: the last answers.
        ended: how the last watch ended.
    """

    what: str
    asker: Asker
    clock: Clock
    stop: Stop
    patience: Patience
    last: Asked = field(default_factory=lambda: Asked(()))
    ended: Ended = "passed"

    def until_ready(self, here: Stage, following: Stage | None, deployed: Record) -> Iterator[Event | Wait]:
        """Wait until the rung has stood long enough and everything passes. What came of it stands in `ended`."""
        yield from self._watch(here, following, deployed, None)

    def for_a_time(self, here: Stage, deployed: Record, seconds: float) -> Iterator[Event | Wait]:
        """Watch a rung for a time, whatever its least time is."""
        yield from self._watch(here, None, deployed, seconds)

    def _watch(self, here: Stage, following: Stage | None, deployed: Record, seconds: float | None) -> Iterator[Event | Wait]:
        began, failing, said = self.clock.now(), 0, None
        over = None
        while True:
            asked = self.last = self._ask(here, following, deployed, seconds, (self.clock.now() - began).total_seconds())
            if (news := _verdicts(asked)) != said:
                said = news
                yield self._news(here, asked)
            bad, unknown = bool(asked.of("fail")), bool(asked.of("unknown"))
            failing = failing + 1 if bad else failing if unknown else 0
            if failing >= self.patience.failures and (canary_weight(here) or asked.by_hand):
                self.ended = "by hand" if asked.by_hand else "failed"
                return
            if not asked.left:
                if not bad and not unknown:
                    self.ended = "passed"
                    return
                over = over or self.clock.now()
                if seconds is not None or self.clock.now() - over >= timedelta(seconds=self.patience.limit):
                    self.ended = "unclear"
                    return
            yield from self._pause(here, following, asked)
            if self.stop.wished:
                self.ended = "stopped"
                return

    def _ask(self, here: Stage, following: Stage | None, deployed: Record, seconds: float | None, passed: float) -> Asked:
        asked = self.asker.ask(here, following, deployed, self.clock.now())
        return asked if seconds is None else Asked(asked.findings, max(0.0, seconds - passed), seconds)

    def _news(self, here: Stage, asked: Asked) -> Event:
        bad = (*asked.of("fail"), *asked.of("unknown"))
        sentence = words.checks(self.what, here, len(asked.findings), len(asked.of("fail")), len(asked.of("unknown")))
        reasons = tuple(dict.fromkeys(finding.sentence for finding in bad))
        return Event(at=self.clock.now(), kind="checks", sentence=sentence, stage=here, reasons=reasons, findings=asked.findings)

    def _pause(self, here: Stage, following: Stage | None, asked: Asked) -> Iterator[Wait]:
        """Until the next question: an interval, or what is left when that is less."""
        left = asked.left or 0.0
        calm = not asked.of("fail") and not asked.of("unknown")
        whole = min(self.patience.interval, left) if calm and left else self.patience.interval
        sentence = words.waiting(self.what, here, following, calm=calm)
        slept = 0.0
        while slept < whole and not self.stop.wished:
            yield Wait(sentence=sentence, left=max(0.0, left - slept) if left else None, total=asked.least or None)
            step = min(SLICE, whole - slept)
            self.clock.sleep(step)
            slept += step


def _verdicts(asked: Asked) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({(finding.check, finding.verdict) for finding in asked.findings}))
