"""The record: what ModelService's inputs say of what stands, and so what the guard can compare.

It travels through Pulumi's state, where every number is a float: cast at the door, in `from_wire`. What is no record there is
refused at that door, in words, so that no rule ever judges a guess.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference_rollouts.limits import Limits
from inference_rollouts.stages import NAMED, Stage, weights

PICKER, FAILURE_MODE, REPLICAS, BACKEND = "picker", "failureMode", "replicas", "backend"
"""What is recorded of a version beside its frozen fields. Each may change under traffic, but some changes of it hurt (move.py),
and all but the replicas (None where an autoscaler has them) are what a probe vouches for."""

CREATED = "createdGateway"
"""The part of the door that is there where the stack creates the Gateway: class, address, and listeners by name."""


class Unreadable(ValueError):
    """These inputs hold no record. The text names the field and what stands there."""


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

    def at(self, stage: Stage) -> Split:
        """The same split at another stage of its ladder."""
        return replace(self, stage=stage, weights=weights(stage, self.serving, self.to))

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
        """From JSON values whose numbers may be floats.

        Raises:
            Unreadable: when they are no split.
        """
        data = _map(whole(wire), "split")
        to = data.get("to")
        return cls(
            serving=_text(data.get("serving"), "serving"),
            to=None if to is None else _text(to, "to"),
            steps=tuple(_percent(step, "steps") for step in _list(data.get("steps"), "steps")),
            stage=_stage(data.get("stage"), "stage"),
            weights={name: _percent(weight, f"weights.{name}") for name, weight in _map(data.get("weights"), "weights").items()},
            override=_override(data.get("override")),
            decommission=_flag(data.get("decommission", False), "decommission"),
        )

    @classmethod
    def from_json(cls, text: str) -> Split:
        """From the text of an annotation.

        Raises:
            ValueError: when it is no JSON, or (as Unreadable) no split.
        """
        return cls.from_wire(json.loads(text))


@dataclass(frozen=True, kw_only=True)
class Record:
    """What stands of one service.

    Attributes:
        pools: the split between the versions.
        adapters: the split of each adapter, by the name that clients ask for.
        sources: source of each adapter version that the servers hold, by `<version>/<adapter version>`.
        versions: frozen fields of each version that stands, as rendered, and PICKER, FAILURE_MODE, REPLICAS, BACKEND.
        in_place: versions whose servers may be updated although they carry traffic.
        door: gateway, route name, namespace, hostnames, matches, parentRefs, inferenceApi; and CREATED.
        limits: freeze windows and capacity.
    """

    pools: Split
    adapters: Mapping[str, Split] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    in_place: tuple[str, ...] = ()
    door: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def to_wire(self) -> dict[str, Any]:
        """As plain JSON values: the inputs of ModelService."""
        return {
            "pools": self.pools.to_wire(),
            "adapters": {name: split.to_wire() for name, split in self.adapters.items()},
            "sources": dict(self.sources),
            "versions": {name: dict(fields) for name, fields in self.versions.items()},
            "inPlace": list(self.in_place),
            "door": dict(self.door),
            "limits": self.limits.to_wire(),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Record:
        """From inputs as a hook gets them.

        Raises:
            Unreadable: when they are no record.
        """
        data = _map(whole(wire), "inputs")
        versions = _optional(data, "versions")
        return cls(
            pools=_within("pools", data.get("pools")),
            adapters={name: _within(f"adapters.{name}", split) for name, split in _optional(data, "adapters").items()},
            sources={key: _text(source, f"sources.{key}") for key, source in _optional(data, "sources").items()},
            versions={name: _map(fields, f"versions.{name}") for name, fields in versions.items()},
            in_place=tuple(_text(name, "inPlace") for name in _list(data.get("inPlace"), "inPlace")),
            door=_optional(data, "door"),
            limits=_limits(_optional(data, "limits")),
        )


def _within(place: str, wire: Any) -> Split:
    try:
        return Split.from_wire(wire)
    except Unreadable as e:
        raise Unreadable(f"{place}: {e}") from e


def _limits(data: Mapping[str, Any]) -> Limits:
    try:
        return Limits.from_wire(data)
    except (AttributeError, KeyError, TypeError, ValueError) as e:
        raise Unreadable(f"limits is {_given(data)}, which holds no limits of a raise") from e


def _override(value: Any) -> Override | None:
    if value is None:
        return None
    data = _map(value, "override")
    return Override(
        origin=_stage(data.get("from"), "override.from"),
        to=_stage(data.get("to"), "override.to"),
        reason=_text(data.get("reason"), "override.reason"),
        by=_text(data.get("by"), "override.by"),
    )


def _stage(value: Any, field: str) -> Stage:
    if value in NAMED:
        return value
    if _whole_number(value) and 1 <= value <= 100:
        return value
    raise Unreadable(f"{field} is {_given(value)}, which is no stage")


def _percent(value: Any, field: str) -> int:
    if _whole_number(value) and 0 <= value <= 100:
        return value
    raise Unreadable(f"{field} is {_given(value)}, which is no weight in percent")


def _text(value: Any, field: str) -> str:
    if isinstance(value, str):
        return value
    raise Unreadable(f"{field} is {_given(value)}, which is no text")


def _flag(value: Any, field: str) -> bool:
    if isinstance(value, bool):
        return value
    raise Unreadable(f"{field} is {_given(value)}, which is neither true nor false")


def _map(value: Any, field: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise Unreadable(f"{field} is {_given(value)}, which is no map")


def _optional(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {} if data.get(key) is None else _map(data[key], key)


def _list(value: Any, field: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise Unreadable(f"{field} is {_given(value)}, which is no list")


def _whole_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _given(value: Any) -> str:
    """What was found, short; the kind alone for what is no plain value, as an Output or an unknown."""
    if value is None:
        return "missing"
    return repr(value)[:60] if isinstance(value, str | int | float | bool | list | dict) else f"of type {type(value).__name__}"


def whole(value: Any) -> Any:
    """The value with whole floats as ints, all the way down."""
    if isinstance(value, Mapping):
        return {str(key): whole(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [whole(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
