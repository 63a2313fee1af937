"""Values as YAML text that every parser reads alike."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*")
"""Text that needs no quotes, whatever parser reads it, but for WORDS."""

WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
"""Words that some parsers take for something else than text."""


def scalar(value: Any, style: str | None = None) -> str:
    """A scalar as text.

    Args:
        value: text, number, boolean or None.
        style: the quotes to use for text, `'` or `"`; None for none where they are not needed.

    >>> scalar("prepare"), scalar(10), scalar("it's", "'"), scalar("no"), scalar("1.30")
    ('prepare', '10', "'it''s'", '"no"', '"1.30"')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str):
        return str(value)
    if style == "'" and not re.search(r"[\x00-\x1f]", value):
        return "'" + value.replace("'", "''") + "'"
    if style != '"' and SAFE.fullmatch(value) and value.lower() not in WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def flow(value: Any, *, spaced: bool) -> str:
    """A value on one line.

    Args:
        value: as `settings` reads it.
        spaced: whether braces have spaces inside.

    >>> flow({"to": "llm-new", "steps": [1, 100], "stage": "prepare"}, spaced=True)
    '{ to: llm-new, steps: [1, 100], stage: prepare }'
    """
    if isinstance(value, Mapping):
        inside = ", ".join(f"{scalar(str(key))}: {flow(inner, spaced=spaced)}" for key, inner in value.items())
        return f"{{ {inside} }}" if spaced and inside else f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(flow(item, spaced=spaced) for item in value)}]"
    return scalar(value)
