"""What a field manager applies, out of a live object: the values of the fields that its managedFields entries name. Pure.

Server-side apply takes away what a manager owned and no longer sends, so whoever writes in a manager's name has to send all
of it. Format: FieldsV1 of sigs.k8s.io/structured-merge-diff v6 (`f:` a field, `k:` a list item by its keys, `v:` a value of a
set, `i:` an index, `.` the thing itself); an empty set of fields is the whole value, as it is with atomic lists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inference_rollouts.observe.bake import WEIGHTS

PULUMI = "pulumi-kubernetes"
"""The provider's managers: pulumi-kubernetes-<hex> (random, kept in state) with server-side apply, else this alone."""

MANAGER_ANNOTATION = "pulumi.com/patchFieldManager"

Entry = Mapping[str, Any]


def applier(value: Mapping[str, Any]) -> str | None:
    """The manager that will apply the object next: Pulumi's; else who applies its weights; None where nobody does.

    A new object is one of an Update by Pulumi's manager (the provider creates by POST), and of an Apply from its first update.
    """
    named = (value["metadata"].get("annotations") or {}).get(MANAGER_ANNOTATION)
    if named:
        return str(named)
    entries = [e for e in value["metadata"].get("managedFields") or () if not e.get("subresource")]
    ours = [e for e in entries if str(e.get("manager")).startswith(PULUMI)]
    field = WEIGHTS.get(value.get("kind", ""))
    applied = [e for e in entries if _applies(e) and field in ((e.get("fieldsV1") or {}).get("f:spec") or {})]
    for found in ([e for e in ours if _applies(e)], ours, applied):
        if found:
            return str(max(found, key=lambda e: str(e.get("time") or ""))["manager"])
    return None


def _applies(entry: Entry) -> bool:
    return entry.get("operation") == "Apply"


def applied_by(value: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """The part of a live object that a manager applies; empty where it applies nothing yet."""
    out: dict[str, Any] = {}
    for entry in value["metadata"].get("managedFields") or ():
        if _applies(entry) and entry.get("manager") == manager and not entry.get("subresource"):
            out = _union(out, _part(value, entry.get("fieldsV1") or {}))
    return out


def _part(value: Any, fields: Mapping[str, Any]) -> Any:
    """The part of a value that a set of fields names."""
    if not any(key != "." for key in fields):
        return value if not fields or not isinstance(value, Mapping | list) else type(value)()
    if isinstance(value, Mapping):
        names = {key[2:]: inner for key, inner in fields.items() if key.startswith("f:")}
        return {name: _part(value[name], inner) for name, inner in names.items() if name in value}
    if isinstance(value, list):
        return [item for found in (_items(value, key, inner) for key, inner in fields.items()) for item in found]
    return value


def _items(value: Sequence[Any], key: str, fields: Mapping[str, Any]) -> list[Any]:
    kind, _, text = key.partition(":")
    if kind not in ("k", "v", "i"):
        return []
    wanted = json.loads(text)
    if kind == "i":
        return [_part(value[wanted], fields)] if wanted < len(value) else []
    if kind == "v":
        return [item for item in value if item == wanted]
    return [
        _part(item, fields) for item in value if isinstance(item, Mapping) and all(item.get(k) == v for k, v in wanted.items())
    ]


def _union(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: _union(one[key], value) if key in one else value for key, value in other.items()}}
    return other
