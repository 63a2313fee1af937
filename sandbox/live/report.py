"""What a live rehearsal found: plain values, their JSON, and the verdict. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.traffic.counts import PhaseCount
from sandbox.traffic.verdict import Share


@dataclass(frozen=True)
class Counted:
    """Requests of some time.

    Attributes:
        requests, failed: all, and those that were not answered well.
        kinds: failures by kind.
        samples: some of the failures, a sentence each.
        p50, p99: milliseconds until the whole reply.
    """

    requests: int
    failed: int
    kinds: Mapping[str, int]
    samples: tuple[str, ...]
    p50: float
    p99: float

    @classmethod
    def of(cls, phase: PhaseCount) -> Counted:
        """A phase's."""
        samples = tuple(
            f"{s.kind} after {s.after:.0f} ms, {s.model} by {s.version or 'nobody'}: {s.detail}" for s in phase.samples
        )
        kinds = {kind: failures.count for kind, failures in phase.failures.items()}
        return cls(phase.ok + phase.failed, phase.failed, kinds, samples, phase.latency.p50, phase.latency.p99)


@dataclass(frozen=True)
class Moved:
    """One move and what it did.

    Attributes:
        origin, to: stages; origin is None for the creation.
        seconds: of the preview, of the update, and from the beginning of the route's write until it took effect (None where
            nothing can say).
        refusals: why it was refused; then nothing else was done.
        error: why the update ended half-way.
        during: requests sent from before the update until it had taken effect.
        after: requests sent afterwards.
        shares: each version's share afterwards, wanted and observed.
        notes: what else was seen, a sentence each, that is not as it should be.
        faulty: requests that met a fault which was made on purpose: its price, and no failure of the rollout.
    """

    origin: str | None
    to: str
    seconds: Mapping[str, float | None] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    error: str = ""
    during: Counted | None = None
    after: Counted | None = None
    shares: tuple[Share, ...] = ()
    notes: tuple[str, ...] = ()
    faulty: Counted | None = None

    @property
    def requests(self) -> int:
        """All that were sent."""
        return sum(counted.requests for counted in (self.during, self.after, self.faulty) if counted)

    @property
    def failed(self) -> int:
        """All that failed."""
        return sum(counted.failed for counted in (self.during, self.after) if counted)

    @property
    def done(self) -> bool:
        """Whether it was made, whatever became of the requests."""
        return not self.refusals and not self.error

    @property
    def wrong(self) -> list[str]:
        """What is not as it should be, a sentence each."""
        name = f"{self.origin or 'nothing'} to {self.to}"
        said = [f"{name} was refused: {reason}" for reason in self.refusals]
        said += [f"{name} ended half-way: {self.error}"] if self.error else []
        said += [f"{name}: {self.failed:,} of {self.requests:,} requests failed{self._such_as()}"] if self.failed else []
        said += [f"{name}: {share.sentence}" for share in self.shares if share.verdict == "fail"]
        said += [f"{name}: too few requests to judge: {s.sentence}" for s in self.shares if s.verdict == "unknown"]
        return said + [f"{name}: {note}" for note in self.notes]

    def _such_as(self) -> str:
        samples = [sample for counted in (self.during, self.after) if counted for sample in counted.samples]
        return f", such as: {samples[0]}" if samples else ""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "from": self.origin,
            "to": self.to,
            "seconds": {key: None if value is None else round(value, 3) for key, value in self.seconds.items()},
            "refusals": list(self.refusals),
            "error": self.error or None,
            "requests": self.requests,
            "failed": self.failed,
            "during": self.during and dataclasses.asdict(self.during),
            "after": self.after and dataclasses.asdict(self.after),
            "split": [_share_json(share) for share in self.shares],
            "faulty": self.faulty and dataclasses.asdict(self.faulty),
            "notes": list(self.notes),
        }


def _share_json(share: Share) -> dict[str, Any]:
    return {
        "version": share.version,
        "wanted": share.wanted,
        "observed": round(share.observed, 5),
        "interval": [round(share.interval.low, 5), round(share.interval.high, 5)],
        "tolerance": round(share.tolerance, 5),
        "requests": share.n,
        "verdict": share.verdict,
    }


@dataclass(frozen=True)
class Streams:
    """Long generations that were under way while everything moved.

    Attributes:
        seconds: how long each was to take at least.
        finished, failed: how many.
        samples: some of the failures, a sentence each.
        median: seconds that those that finished took; None where none did.
    """

    seconds: float
    finished: int
    failed: int
    samples: tuple[str, ...] = ()
    median: float | None = None

    @property
    def short(self) -> bool:
        """Whether they were shorter than they were to be; a clock's or a rounding's difference does not count."""
        return self.median is not None and self.median < 0.95 * self.seconds


@dataclass(frozen=True)
class LiveRollout:
    """One rollout, rehearsed live.

    Attributes:
        service, adapter, kind: what is rolled out; adapter is None for servers.
        stable, canary: versions.
        moves: in the order in which they were made.
        streams: long generations meanwhile; None where none were wanted.
        fault: what is reported of a fault that was made on purpose.
        complete: whether the story came to its end.
    """

    service: str
    adapter: str | None
    kind: str
    stable: str
    canary: str
    moves: tuple[Moved, ...]
    streams: Streams | None = None
    fault: Mapping[str, Any] | None = None
    complete: bool = False

    @property
    def requests(self) -> int:
        """All requests of the moves, and the streams."""
        streams = self.streams.finished + self.streams.failed if self.streams else 0
        return sum(move.requests for move in self.moves) + streams

    @property
    def failed(self) -> int:
        """All that failed."""
        return sum(move.failed for move in self.moves) + (self.streams.failed if self.streams else 0)

    @property
    def wrong(self) -> list[str]:
        """What is not as it should be, a sentence each."""
        said = [sentence for move in self.moves for sentence in move.wrong]
        if self.streams and self.streams.failed:
            such = f", such as: {self.streams.samples[0]}" if self.streams.samples else ""
            said.append(
                f"{self.streams.failed} of {self.streams.failed + self.streams.finished} long streams did not finish{such}"
            )
        if self.streams and not self.streams.failed + self.streams.finished:
            said.append("no long stream was under way")
        if self.streams and self.streams.short:
            said.append(
                f"long streams took {self.streams.median:.1f} s (median), and were to take {self.streams.seconds:g} s at least"
            )
        if not self.complete:
            said.append(f"the rollout of {self.adapter or self.service} ended early, after {len(self.moves)} moves")
        return said

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "service": self.service,
            "adapter": self.adapter,
            "kind": self.kind,
            "from": self.stable,
            "to": self.canary,
            "moves": [move.to_json() for move in self.moves],
            "streams": self.streams and dataclasses.asdict(self.streams),
            "fault": self.fault,
            "complete": self.complete,
            "requests": self.requests,
            "failed": self.failed,
        }


@dataclass(frozen=True)
class LiveReport:
    """A stack, rehearsed live.

    Attributes:
        stack: its name.
        gateway: gke or istio.
        machine: its size, in words.
        began: ISO 8601.
        seconds: how long it took.
        rollouts: each with its moves.
    """

    stack: str
    gateway: str
    machine: str
    began: str
    seconds: float
    rollouts: tuple[LiveRollout, ...]

    @property
    def wrong(self) -> list[str]:
        """What is not as it should be, a sentence each."""
        return [sentence for rollout in self.rollouts for sentence in rollout.wrong]

    @property
    def clean(self) -> bool:
        """Whether nothing was lost and every weight took effect."""
        return bool(self.rollouts) and not self.wrong

    @property
    def verdict(self) -> str:
        """One line.

        >>> LiveReport("s", "gke", "2 cores", "2026-01-01", 1.0, ()).verdict
        'not clean: no rollout in the file, so nothing was tried'
        """
        if not self.rollouts:
            return "not clean: no rollout in the file, so nothing was tried"
        if self.wrong:
            more = f" (and {len(self.wrong) - 1} more)" if len(self.wrong) > 1 else ""
            return f"not clean: {self.wrong[0]}{more}"
        return f"clean: {_figures(self.rollouts)}"

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "stack": self.stack,
            "gateway": self.gateway,
            "machine": self.machine,
            "began": self.began,
            "seconds": round(self.seconds, 1),
            "rollouts": [rollout.to_json() for rollout in self.rollouts],
            "clean": self.clean,
            "wrong": self.wrong,
            "verdict": self.verdict,
        }


def verdict_of(reports: Sequence[LiveReport]) -> str:
    """One line about several stacks: what is wrong with each that is not clean, or the figures of all.

    >>> verdict_of([LiveReport("s", "gke", "2 cores", "2026-01-01", 1.0, ())] * 2).partition(";")[0]
    'not clean: s: no rollout in the file, so nothing was tried'
    """
    unclean = [f"{report.stack}: {report.verdict.removeprefix('not clean: ')}" for report in reports if not report.clean]
    if unclean:
        return f"not clean: {'; '.join(unclean)}"
    return f"clean: {len(reports)} stacks, {_figures([rollout for report in reports for rollout in report.rollouts])}"


def _figures(rollouts: Sequence[LiveRollout]) -> str:
    """What was sent and moved in rollouts that are clean."""
    requests = sum(rollout.requests for rollout in rollouts)
    moves = sum(len(rollout.moves) for rollout in rollouts)
    faulty = [move.faulty for rollout in rollouts for move in rollout.moves if move.faulty]
    but = f" but for {sum(f.failed for f in faulty):,} that met the fault, none of them stable's" if faulty else ""
    return f"{requests:,} requests, 0 failed{but}, {moves} moves, every split within 4 sigma of its weights"
