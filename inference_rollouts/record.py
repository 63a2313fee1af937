"""The record: what ModelService's inputs say of what stands, and so what the guard can compare.

It travels through Pulumi's state, where every number is a float: cast at the door, in `from_wire`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.stages import Stage


@dataclass(frozen=True)
class Override:
    """Allows exactly one move that the ladder refuses."""

    origin: Stage
    to: Stage
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Split:
    """How traffic is split between versions, for pools and for an adapter alike.

    Attributes:
        serving: the version that serves.
        to: the version of the rollout that is under way, or None.
        steps: canary weights of its ladder, in percent.
        stage: where it stands; `baseline` without a rollout.
        weights: percent by version, for those that have a backend, with the zeros.
        override: the one move that was allowed beyond the ladder; once it is recorded it is spent.
        decommission: whether the next update may take it away.
    """

    serving: str
    to: str | None = None
    steps: tuple[int, ...] = ()
    stage: Stage = "baseline"
    weights: Mapping[str, int]
    override: Override | None = None
    decommission: bool = False

    def to_wire(self) -> dict[str, Any]:
        """As plain JSON values, without what is not set."""
        out: dict[str, Any] = {"serving": self.serving, "stage": self.stage, "weights": dict(self.weights)}
        if self.to is not None:
            out |= {"to": self.to, "steps": list(self.steps)}
        if self.override:
            o = self.override
            out["override"] = {"from": o.origin, "to": o.to, "reason": o.reason, "by": o.by}
        if self.decommission:
            out["decommission"] = True
        return out

    def to_json(self) -> str:
        """As text for an annotation."""
        return json.dumps(self.to_wire(), sort_keys=True)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Split:
        """From JSON values whose numbers may be floats."""
        data = whole(wire)
        o = data.get("override")
        return cls(
            serving=data["serving"],
            to=data.get("to"),
            steps=tuple(data.get("steps", ())),
            stage=data["stage"],
            weights=data["weights"],
            override=Override(o["from"], o["to"], o["reason"], o["by"]) if o else None,
            decommission=data.get("decommission", False),
        )

    @classmethod
    def from_json(cls, text: str) -> Split:
        """From the text of an annotation."""
        return cls.from_wire(json.loads(text))

    @property
    def carriers(self) -> frozenset[str]:
        """The versions that have weight."""
        return frozenset(name for name, weight in self.weights.items() if weight)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What stands of one service.

    Attributes:
        pools: the split between the versions.
        adapters: the split of each adapter, by the name that clients ask for.
        sources: source of each adapter version that the servers hold, by `<version>/<adapter version>`.
        versions: frozen fields of each version that stands, as rendered.
        in_place: versions whose servers may be updated although they carry traffic.
        door: gateway, route name, namespace, hostnames, matches, parentRefs, inferenceApi.
    """

    pools: Split
    adapters: Mapping[str, Split] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    in_place: tuple[str, ...] = ()
    door: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """As plain JSON values: the inputs of ModelService."""
        return {
            "pools": self.pools.to_wire(),
            "adapters": {name: split.to_wire() for name, split in self.adapters.items()},
            "sources": dict(self.sources),
            "versions": {name: dict(fields) for name, fields in self.versions.items()},
            "inPlace": list(self.in_place),
            "door": dict(self.door),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Record:
        """From inputs as a hook gets them."""
        data = whole(wire)
        return cls(
            pools=Split.from_wire(data["pools"]),
            adapters={name: Split.from_wire(split) for name, split in (data.get("adapters") or {}).items()},
            sources=data.get("sources") or {},
            versions=data.get("versions") or {},
            in_place=tuple(data.get("inPlace") or ()),
            door=data.get("door") or {},
        )


def whole(value: Any) -> Any:
    """The value with whole floats as ints, all the way down."""
    if isinstance(value, Mapping):
        return {str(key): whole(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [whole(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
