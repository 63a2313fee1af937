"""Parts of objects that may have any shape: what is not as the API has it reads as nothing, and never raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def part(value: Any, *keys: str) -> Mapping[str, Any]:
    """The map at some keys; empty where there is none.

    >>> part({"spec": {"a": 1}}, "spec"), part({"spec": []}, "spec", "template")
    ({'a': 1}, {})
    """
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def parts(value: Any) -> list[Mapping[str, Any]]:
    """The maps in a list; none where it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def texts(value: Any) -> list[str]:
    """The items of a list as text; none where it is no list."""
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
