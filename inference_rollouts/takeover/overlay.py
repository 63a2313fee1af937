"""What has to be merged into a rendered part so that it becomes the wanted one: the inverse of `manifests.objects.merged`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTHING = object()
"""Says that the two are equal."""


def overlay(base: Any, wanted: Any) -> Any:
    """The overlay, or NOTHING. Merging takes nothing away: what the base has and the wanted lacks stays, and is found by
    whoever compares the result."""
    if base == wanted:
        return NOTHING
    if isinstance(base, Mapping) and isinstance(wanted, Mapping):
        parts = {key: overlay(base.get(key), value) for key, value in wanted.items()}
        return {key: part for key, part in parts.items() if part is not NOTHING} or NOTHING
    if _named(base) and _named(wanted):
        items = {item["name"]: item for item in base}
        parts = [(item["name"], overlay(items.get(item["name"]), item)) for item in wanted]
        return [part if "name" in part else {"name": name, **part} for name, part in parts if part is not NOTHING] or NOTHING
    return wanted


def _named(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(i, Mapping) and isinstance(i.get("name"), str) for i in value)
    )
