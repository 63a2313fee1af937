"""Whether `rollout probe` has passed on a canary as it stands: the evidence, on the live route, and how it is judged.

Pure. `rollout probe` writes the evidence; the guard asks for it before the first raise where `rollout.test.required` says so.
The route itself carries the digest of the canary that it was written for (`CANARY_ANNOTATION`), so that a probe vouches for
what is deployed, and not for a stack file that is ahead of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inference_rollouts import naming
from inference_rollouts.checks import Finding
from inference_rollouts.record import REPLICAS, Record, whole

CHECK = "probe"

PROBE_ANNOTATION = f"{naming.DOMAIN}/probe"
"""On the live HTTPRoute, written by `rollout probe`: the evidence as JSON. The program does not own it, so an update keeps it."""

CANARY_ANNOTATION = f"{naming.DOMAIN}/canary"
"""On the HTTPRoute, written by the program where a rollout has `test`: the digest of the canary that is deployed with it."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A probe that passed.

    Attributes:
        to: the version that was probed.
        digest: of that version as it was deployed then (`digest`).
        time: when, as RFC 3339 in UTC.
        requests: how many requests it was sent.
        by: who sent them.
    """

    to: str
    digest: str
    time: str
    requests: int
    by: str

    def to_json(self) -> str:
        """As text for the annotation."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """From the text of the annotation; keys that it does not know are left alone.

        Raises:
            ValueError: when it is no evidence. The text says why.
        """
        data = whole(json.loads(text))
        if not isinstance(data, dict):
            raise ValueError("it is no map")
        texts = {key: data.get(key) for key in ("to", "digest", "time", "by")}
        lacking = [key for key, value in texts.items() if not isinstance(value, str)]
        requests = data.get("requests")
        if not isinstance(requests, int) or isinstance(requests, bool) or requests < 1:
            lacking.append("requests")
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        return cls(**texts, requests=requests)  # pyright: ignore[reportArgumentType]


def digest(record: Record, version: str) -> str:
    """16 hexadecimal digits over all that is recorded of a version but its size, and its adapters' sources.

    The same for a plan's record and for one from Pulumi's state, which drops nulls and makes numbers floats.

    Raises:
        KeyError: when the version does not stand.
    """
    sources = {key: source for key, source in record.sources.items() if key.startswith(f"{version}/")}
    fields = {key: value for key, value in record.versions[version].items() if key != REPLICAS}
    text = json.dumps(_bare([fields, sources]), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _bare(value: Any) -> Any:
    """The value without nulls in maps, its whole floats as ints."""
    if isinstance(value, Mapping):
        return {str(key): _bare(inner) for key, inner in value.items() if inner is not None}
    return [_bare(inner) for inner in value] if isinstance(value, list | tuple) else whole(value)


def judge(annotations: Mapping[str, str], canary: str, wanted: str, *, at: str, stack: str) -> Finding:
    """Whether the evidence on the live route is about this canary as it stands.

    Args:
        annotations: of the live HTTPRoute.
        canary: the version that is to get its first traffic.
        wanted: its digest.
        at: the route's place.
        stack: the stack, for what to say.
    """
    pass_ = f"a passed probe of {canary} as it stands"
    run = f"run: rollout probe {stack}"
    text = annotations.get(PROBE_ANNOTATION)
    if not text:
        return Finding(CHECK, "fail", "none on the route", pass_, at, run)
    try:
        found = Evidence.from_json(text)
    except ValueError as e:
        return Finding(CHECK, "unknown", f"an annotation {PROBE_ANNOTATION} that cannot be read ({e})", pass_, at, run)
    seen = f"{found.requests} requests to {found.to} by {found.by} at {found.time}"
    if found.to != canary:
        return Finding(CHECK, "fail", f"{seen}, which is another version", pass_, at, run)
    if found.digest != wanted:
        return Finding(CHECK, "fail", f"{seen}, and {canary} has changed since", pass_, at, run)
    return Finding(CHECK, "pass", seen, pass_, at)
