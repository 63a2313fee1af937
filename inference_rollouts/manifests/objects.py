"""What all Kubernetes objects have in common, and merging of free-form settings into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]


def metadata(
    name: str, namespace: str, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
) -> Manifest:
    """Object metadata; empty parts are left out. The physical name is always given: no autonaming."""
    out: Manifest = {"name": name, "namespace": namespace}
    if labels:
        out["labels"] = dict(labels)
    if annotations:
        out["annotations"] = dict(annotations)
    return out


def merged(base: Any, over: Any) -> Any:
    """Free-form settings on a rendered part: maps merge, lists of named items merge by name, all else replaces."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}
    if isinstance(base, list) and isinstance(over, list | tuple) and _named(base) and _named(over):
        items = {item["name"]: item for item in base}
        return list({**items, **{item["name"]: merged(items.get(item["name"]), item) for item in over}}.values())
    return list(over) if isinstance(over, tuple) else over


def _named(items: Any) -> bool:
    return all(isinstance(item, Mapping) and "name" in item for item in items)


def without_none(part: Mapping[str, Any]) -> Manifest:
    """The part without the keys that have no value."""
    return {key: value for key, value in part.items() if value is not None}
