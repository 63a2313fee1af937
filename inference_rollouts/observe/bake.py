"""How long a split has stood at its rung: from the managedFields of the object that carries it.

The API server moves the time of a manager's entry when that manager changes a field; an update that changes nothing leaves
it. So the newest time among those who own the weights is when the rung was reached, or later (a changed label counts as a
change, too): never earlier. The clock is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from inference_rollouts.checks import Finding, LeastTime
from inference_rollouts.observe.cluster import Absent, Answer, Found, Unreadable
from inference_rollouts.wording import duration

WEIGHTS = {"HTTPRoute": "f:rules", "InferenceModelRewrite": "f:rules", "InferenceModel": "f:targetModels"}
"""The field under spec that holds the weights; its lists are atomic, so whoever changes a weight owns the whole of it."""


class Write(NamedTuple):
    """Who wrote the weights last, how and when."""

    manager: str
    operation: str
    time: datetime

    def __str__(self) -> str:
        return f"{self.manager} ({self.operation}) at {self.time.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def last_writer(value: Mapping[str, Any]) -> Write | None:
    """The newest write of the weights; None where the object does not say."""
    field = WEIGHTS.get(value.get("kind", ""))
    entries = (value.get("metadata") or {}).get("managedFields") or []
    owners = [e for e in entries if field in ((e.get("fieldsV1") or {}).get("f:spec") or {}) and e.get("time")]
    writes = [Write(str(e.get("manager")), str(e.get("operation")), _time(e["time"])) for e in owners]
    return max(writes, key=lambda write: write.time, default=None)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def age(value: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds that the object has stood as it is; None where it does not say. A clock that is behind makes it 0."""
    write = last_writer(value)
    return max(0.0, (now - write.time).total_seconds()) if write else None


def baked(answer: Answer, at: str, now: datetime, seconds: float, check: LeastTime = "bake") -> Finding:
    """The finding on the least time at a rung.

    Args:
        answer: the object that carries the weights.
        now: with a time zone.
        seconds: the least time.
        check: what the config calls it.
    """
    wanted = f"at least {duration(seconds)} at this weight"
    match answer:
        case Absent():
            return Finding(check, "unknown", "nothing of that name", wanted, at)
        case Unreadable(reason):
            return Finding(check, "unknown", f"no answer: {reason}", wanted, at)
        case Found(value):
            stood, write = age(value, now), last_writer(value)
    if stood is None:
        advice = "somebody took its managedFields away; write the deployed stage again (pulumi up --refresh)"
        return Finding(check, "unknown", "no time of the last change", wanted, at, advice)
    seen = f"{duration(stood)}, since {write}"
    if stood < seconds:
        return Finding(check, "fail", seen, wanted, at, f"wait another {duration(seconds - stood)}")
    return Finding(check, "pass", seen, wanted, at)
