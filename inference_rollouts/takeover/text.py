"""A stack config as the text of a stack file, with its comments: every parser reads it alike."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference_rollouts.errors import printable
from inference_rollouts.settings.yaml_nodes import ambiguity, plain_value

WIDTH = 100
"""Longest map or list on one line."""

COMMENT_WIDTH = 120

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*")
PLAIN_KEY = re.compile(r"[A-Za-z]([A-Za-z0-9_./@:-]*[A-Za-z0-9])?")
ALWAYS_BLOCK = frozenset({"config", "versions", "adapters", "services"})
Comments = Mapping[tuple[str, ...], Sequence[str]]


def stack_text(config: Mapping[str, Any], comments: Comments, head: Sequence[str], kept: str = "") -> str:
    """The whole file.

    Args:
        config: config keys, with their namespaces, to values.
        comments: lines above a key, by its place in `config`.
        head: comment lines at the top.
        kept: lines to stand before `config`, as an encryptionsalt.
    """
    lines = ["# yaml-language-server: $schema=schema.json", *(f"# {printable(line)}" for line in head)]
    return "\n".join([*lines, *kept.splitlines(), "config:", *_map(config, comments, (), 1)]) + "\n"


def _map(value: Mapping[str, Any], comments: Comments, at: tuple[str, ...], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for key, inner in value.items():
        place = (*at, str(key))
        yield from (text for line in comments.get(place, ()) for text in _comment(line, pad))
        yield from _entry(f"{pad}{_key(str(key))}:", inner, comments, place, depth)


def _comment(line: str, pad: str) -> list[str]:
    """A comment in lines that fit; what it is indented by is kept."""
    text = printable(line)
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text.strip(),
        COMMENT_WIDTH,
        initial_indent=f"{pad}# {indent}",
        subsequent_indent=f"{pad}# {indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _entry(start: str, inner: Any, comments: Comments, place: tuple[str, ...], depth: int) -> Iterator[str]:
    if isinstance(inner, str) and "\n" in inner:
        yield from _literal(start, inner, depth)
    elif isinstance(inner, Mapping) and inner and not _on_a_line(inner, start, comments, place):
        yield start
        yield from _map(inner, comments, place, depth + 1)
    elif isinstance(inner, list | tuple) and inner and not _on_a_line(inner, start, comments, place):
        yield start
        for item in inner:
            yield from _item(item, depth + 1)
    else:
        yield f"{start} {flow(inner)}"


def _item(item: Any, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(item, Mapping) and item and len(flow(item)) + len(pad) > WIDTH:
        for i, line in enumerate(_map(item, {}, (), depth + 1)):
            yield f"{pad}- {line[len(pad) + 2 :]}" if i == 0 else line
    else:
        yield f"{pad}- {flow(item)}"


def _on_a_line(inner: Any, start: str, comments: Comments, place: tuple[str, ...]) -> bool:
    if place[-1] in ALWAYS_BLOCK or any(other[: len(place)] == place and other != place for other in comments):
        return False
    return not _several_lines(inner) and len(start) + len(flow(inner)) < WIDTH


def _several_lines(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_several_lines, value.values()))
    return any(map(_several_lines, value)) if isinstance(value, list | tuple) else isinstance(value, str) and "\n" in value


def _literal(start: str, text: str, depth: int) -> Iterator[str]:
    """Text of several lines as a block, where a block says it exactly; else in quotes."""
    if re.search(r"[ \t]\n|[ \t]\Z|[^\n -~]|\A[\s#]", text) or text.endswith("\n\n") or not text.strip():
        yield f"{start} {_quoted(text)}"
        return
    yield f"{start} |{'' if text.endswith(chr(10)) else '-'}"
    for line in text.splitlines():
        yield f"{'  ' * (depth + 1)}{line}" if line else ""


def flow(value: Any) -> str:
    """A value on one line.

    >>> flow({"to": "llm-new", "steps": [1, 100], "on": "1.30"})
    '{ to: llm-new, steps: [1, 100], "on": "1.30" }'
    """
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(str(key))}: {flow(inner)}" for key, inner in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _scalar(value, PLAIN) if isinstance(value, str) else str(value)


def _key(key: str) -> str:
    return _scalar(key, PLAIN_KEY)


def _scalar(text: str, plain: re.Pattern[str]) -> str:
    if plain.fullmatch(text) and plain_value(text) == text and not ambiguity(text, key=plain is PLAIN_KEY):
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    """In double quotes, as JSON does it; what does not print by YAML's own escape, which knows no surrogates."""
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
