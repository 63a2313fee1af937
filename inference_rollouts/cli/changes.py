"""What changes about a resource, as lines of text: one wording for every reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from inference_rollouts.rehearsal.engine import Operation

ADAPTER_LIST = 'data["adapters.json"]'
"""Path of the adapter list in its ConfigMap, which would not fit a line as it is."""

FITS = 60
"""Characters of a value that a line has room for."""


def details(operation: Operation) -> Iterator[str]:
    """What changes about a resource, and why it is refused or happens without a change."""
    for path, (old, new) in zip(operation.diff, operation.values, strict=False):
        if path != "protect":
            texts = [_shown(path, value) for value in (old, new)]
            fits = all(len(text) <= FITS for text in texts)
            yield f"{path}: {texts[0]} → {texts[1]}" if fits else path
    yield from operation.reasons


def _shown(path: str, value: Any) -> str:
    if isinstance(value, dict) and "weight" in value:
        name = value.get("name") or value.get("modelRewrite")
        return f"{value.get('kind', '')} {name} weight {value['weight']}".strip()
    if path == ADAPTER_LIST and isinstance(value, str):
        return ", ".join(_adapter(adapter) for adapter in json.loads(value)["adapters"]) or "none"
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _adapter(adapter: dict[str, Any]) -> str:
    return adapter["name"] if adapter["routed"] else f"{adapter['name']} (not routed)"
