"""What a driver tells while it goes on: events, which a run leaves behind, and waits, which pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from inference_rollouts.checks import Finding
from inference_rollouts.rehearsal.engine import Operation
from inference_rollouts.stages import Stage

Kind = Literal[
    "plan",
    "preview",
    "write",
    "update",
    "rung",
    "checks",
    "reached",
    "held",
    "rolled back",
    "stopped",
    "stuck",
    "declined",
    "watched",
    "failing",
    "lock",
    "pending",
    "refresh",
    "standing",
    "mended",
]
"""What an event is about. `reached` to `failing` end a run or a watch, `standing` and `mended` a recovery."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that has happened, or is now known.

    Attributes:
        at: when.
        kind: what it is about.
        sentence: what it is, for a person.
        stage: the stage that it is about.
        reasons: why, a sentence each.
        operations: of a preview.
        findings: of checks.
        next: the one command to go on with.
        code: exit code, of the last event only.
    """

    at: datetime
    kind: Kind
    sentence: str
    stage: Stage | None = None
    reasons: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    findings: tuple[Finding, ...] = ()
    next: str | None = None
    code: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, without what is not set."""
        out: dict[str, Any] = {
            "at": self.at.isoformat(timespec="seconds"),
            "event": self.kind,
            "sentence": self.sentence,
            "stage": self.stage,
            "reasons": list(self.reasons),
            "operations": [o.to_json() for o in self.operations if o.op != "same" or o.diff],
            "findings": [
                {"check": f.check, "verdict": f.verdict, "seen": f.seen, "wanted": f.wanted, "at": f.at} for f in self.findings
            ],
            "next": self.next,
        }
        return {key: value for key, value in out.items() if value not in (None, [])}


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A moment of waiting; for a progress bar, and kept nowhere.

    Attributes:
        sentence: what is waited for.
        left: seconds that are left; None where nobody knows.
        total: seconds in all, where that is known.
    """

    sentence: str
    left: float | None
    total: float | None
