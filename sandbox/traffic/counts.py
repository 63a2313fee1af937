"""What was counted: one phase, and a whole run, as the load tool reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


class _Reported:
    """Made from a JSON object of the load tool: a missing key is an error, a further one is not."""

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """From the JSON object."""
        return cls(**{f.name: told[f.name] for f in fields(cls)})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Served(_Reported):
    """Replies of one version to requests for one model."""

    ok: int
    failed: int

    @property
    def replies(self) -> int:
        """All of them."""
        return self.ok + self.failed


@dataclass(frozen=True)
class Seen(_Reported):
    """When a version's first and last replies were asked for and came: seconds since the beginning of the phase.

    What makes a version answer takes effect between the sending of its first request and its reply: the two are bounds.
    """

    first_sent: float
    first_reply: float
    last_sent: float
    last_reply: float


@dataclass(frozen=True)
class Failures(_Reported):
    """Failed requests of one kind: how many, and when the first and the last one ended (seconds into the phase)."""

    count: int
    first: float
    last: float


@dataclass(frozen=True)
class Sample(_Reported):
    """One failed request.

    Attributes:
        kind: connect, no_reply, status, truncated, malformed, timeout, wrong_version, no_version, wrong_model, overflow or
            cancelled.
        request: its number, as in its header X-Load-Request.
        at: when it ended, in seconds since the beginning of the phase.
        after: milliseconds since it was sent.
        status: of the reply, 0 without one.
        version: that served it, if a reply told.
        model: asked for.
        detail: what was wrong; for a status the beginning of the body.
    """

    kind: str
    request: int
    at: float
    after: float
    status: int
    version: str
    model: str
    detail: str


@dataclass(frozen=True)
class Latency(_Reported):
    """Milliseconds, at most 1/32 too high; of good replies, from when the request was due."""

    count: int
    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True)
class Timeline:
    """Replies of a phase, in bins by the time when their requests were sent.

    Attributes:
        width: of a bin, in seconds; a hundredth in the first ten minutes, then twice that for each doubling of the time.
        versions: version → replies in each bin; all equally long.
    """

    width: float
    versions: Mapping[str, tuple[int, ...]]

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Timeline:
        """From the JSON object."""
        longest = max((len(bins) for bins in told["versions"].values()), default=0)
        padded = {version: (*bins, *[0] * (longest - len(bins))) for version, bins in told["versions"].items()}
        return cls(told["bin_ms"] / 1000, padded)


@dataclass(frozen=True)
class PhaseCount:
    """The counts of one phase: of the requests that were sent in it. `requests` is the sum of ok, failed and in_flight.

    Attributes:
        name: of the phase; empty for the whole run.
        since: when it began, in seconds since 1970.
        seconds: since then.
        requests, ok, failed, in_flight: begun, answered well, not answered well, still under way.
        versions: version → model asked for → replies; under "" those that do not tell theirs, such as the gateway's own 500.
        seen: version → its first and last replies.
        failures: kind → how many and when.
        statuses: HTTP status → how many; the failures of the kind "status".
        samples: up to 20 failed requests, up to 5 of a kind.
        latency, first_byte: until the whole reply, and until the body's first byte or the stream's first event.
        lag: milliseconds by which an open loop sent late at worst.
        timeline: where it was asked for.
    """

    name: str
    since: float
    seconds: float
    requests: int
    ok: int
    failed: int
    in_flight: int
    versions: Mapping[str, Mapping[str, Served]]
    seen: Mapping[str, Seen]
    failures: Mapping[str, Failures]
    statuses: Mapping[str, int]
    samples: tuple[Sample, ...]
    latency: Latency
    first_byte: Latency
    lag: float
    timeline: Timeline | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> PhaseCount:
        """From the JSON object."""
        plain = {name: told[name] for name in ("since", "seconds", "requests", "ok", "failed", "in_flight", "statuses", "lag")}
        return cls(
            name=told["phase"],
            versions={v: {m: Served.read(s) for m, s in models.items()} for v, models in told["versions"].items()},
            seen={version: Seen.read(when) for version, when in told["seen"].items()},
            failures={kind: Failures.read(count) for kind, count in told["failures"].items()},
            samples=tuple(map(Sample.read, told["samples"])),
            latency=Latency.read(told["latency"]),
            first_byte=Latency.read(told["first_byte"]),
            timeline=Timeline.read(told["timeline"]) if "timeline" in told else None,
            **plain,
        )

    @property
    def replies(self) -> dict[str, int]:
        """Version → replies, good or failed, of those that tell their version: what a split is judged by."""
        return {v: sum(s.replies for s in models.values()) for v, models in self.versions.items() if v}

    def failed_of(self, version: str) -> int:
        """Failed replies of one version; a request that got no reply is nobody's."""
        return sum(served.failed for served in self.versions.get(version, {}).values())

    @property
    def wrongly_answered(self) -> int:
        """Replies of versions that were not allowed to answer; the counts do not say whose each was."""
        return self.failures["wrong_version"].count if "wrong_version" in self.failures else 0

    def excusable_of(self, version: str) -> int:
        """Failed replies that a fault of a version explains: its own, but for those that it should not have given at all."""
        return max(0, self.failed_of(version) - self.wrongly_answered)


@dataclass(frozen=True)
class Traffic:
    """A whole run.

    Attributes:
        phases: in the order in which their last requests finished, each complete.
        whole: all of them together; it has no timeline.
    """

    phases: tuple[PhaseCount, ...]
    whole: PhaseCount

    @property
    def lost(self) -> int:
        """Requests that were not answered well."""
        return self.whole.failed

    def phase(self, name: str) -> PhaseCount:
        """The last phase of that name; KeyError without one."""
        for phase in reversed(self.phases):
            if phase.name == name:
                return phase
        raise KeyError(name)
