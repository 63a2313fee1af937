"""YAML text to nodes with their lines: one document, of bounded depth, without what parsers read differently.

Pulumi's engine (Go) and this command must not disagree about a file, so what YAML parsers disagree about is a problem here.
Any bytes are taken: the outcome is nodes, or problems that name the line. What a node means is `stack_file`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml_events
from ruamel.yaml.error import MarkedYAMLError

from inference_rollouts.errors import InputError, Problem, named
from inference_rollouts.settings.report import MAX_DEPTH

MAX_BYTES = 500_000
"""A stack file has some kilobytes; this much still parses in seconds."""

UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Control characters, and line breaks that only some parsers take for one."""

AMBIGUOUS = re.compile(
    r"""
    (?P<boolean>(?i:y|n|yes|no|on|off))
  | (?P<sexagesimal>[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)
  | (?P<based>[-+]?0o[0-9_]+|[-+]?0[0-9_]+|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+)
  | (?P<underscored>[-+]?[0-9][0-9_.]*_[0-9_.]*)
  | (?P<exponent>[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))
  | (?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\ ].*)?)
  | (?P<long>[-+]?(?=[0-9.]{16})[0-9]*\.?[0-9]*)
    """,
    re.VERBOSE,
)
ALSO_READ_AS = {
    "boolean": ("true or false", "write true or false, or put it in quotes"),
    "sexagesimal": ("a number in base 60", "put it in quotes"),
    "based": ("a number in another base", "write the number in plain digits, or put it in quotes"),
    "underscored": ("a number", "write the number in plain digits, or put it in quotes"),
    "exponent": ("a number", "write the number in plain digits, or put it in quotes"),
    "date": ("a date", "put it in quotes"),
    "long": ("a rounded number", "write the number in fewer digits, or put it in quotes"),
}
"""What some parsers take such a scalar for, and what to write instead."""

SYNTAX = {
    r"found character '\\t' that cannot start any token": "holds a tab where YAML takes spaces only; indent with spaces",
    r"found character '(.)' that cannot start any token": r"has a value that begins with \1; put it in quotes",
    r"mapping values are not allowed here": "has a colon where no key can stand; quote the value, or mend the indentation",
    r"found unexpected end of stream": "ends in the middle of a text in quotes; close the quotes",
    r"expected ',' or '(.)', but got .*": r"has a bracket that is not closed before here; close it with \1",
    r"expected <block end>, .*": "does not fit the lines above it; mend the indentation, or a bracket",
}
"""What the parser says, in words that say what to do."""


@dataclass(eq=False)
class Node:
    """A scalar, a list or a map, as it is written; an alias is the very node that it names.

    Attributes:
        line: 1-based.
        text: of a scalar.
        plain: whether a scalar is unquoted.
        tag: an explicit tag, as `!!str`; None without.
        items: of a list.
        pairs: of a map, in order, with duplicates.
    """

    kind: Literal["scalar", "list", "map"]
    line: int
    text: str = ""
    plain: bool = False
    tag: str | None = None
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


class Number(float):
    """A number with a fraction that remembers how it is written: 1.30 is 1.3, but a sentence should not say so."""

    written: str

    @classmethod
    def of(cls, text: str) -> Number:
        """The number that a text is."""
        number = cls(text)
        number.written = text
        return number

    def __str__(self) -> str:
        return self.written

    __repr__ = float.__repr__


def ambiguity(text: str, *, key: bool = False) -> str | None:
    """Why an unquoted scalar is not one thing to all parsers, and what to write; None where they agree."""
    if not (found := AMBIGUOUS.fullmatch(text)):
        return None
    other, remedy = next(ALSO_READ_AS[kind] for kind, part in found.groupdict().items() if part is not None)
    return f"{named(text)} is read as text by some YAML parsers and as {other} by others: {'put it in quotes' if key else remedy}"


def plain_value(text: str) -> str | int | float | bool | None:
    """An unquoted scalar that all parsers read alike."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false") and text in (text.lower(), text.upper(), text.capitalize()):
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    if re.fullmatch(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)", text):
        return Number.of(text)
    return text


def decode(data: bytes) -> str:
    """The text of a file.

    Raises:
        InputError: when the bytes are no text.
    """
    if len(data) > MAX_BYTES:
        raise _fatal(f"has more than {MAX_BYTES} bytes; a stack file has some thousand")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        raise _fatal(f"is no text in UTF-8: byte {e.start} is {e.object[e.start]:#04x}; save it as UTF-8", line) from None
    if found := UNREADABLE.search(text):
        line = text[: found.start()].count("\n") + 1
        raise _fatal(f"holds the character U+{ord(found[0]):04X}, which no stack file needs; take it out", line)
    return text


def compose(text: str) -> Node | None:
    """The one document of a text; None when it is empty.

    Raises:
        InputError: when it is no YAML, or not one document of bounded depth.
    """
    builder = _Builder()
    for event in _events(text):
        builder.take(event)
    return builder.root


def _events(text: str) -> Iterator[Any]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        raise _fatal(_syntax(e), mark.line + 1 if mark else None) from None
    except Exception as e:  # a parser's bug is no reason for a traceback
        raise _fatal(f"is no valid YAML: {' '.join(str(e).split())[:200] or type(e).__name__}") from None


def _syntax(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    for pattern, words in SYNTAX.items():
        if found := re.fullmatch(pattern, problem):
            return found.expand(words)
    context = f"{error.context}: " if error.context and error.problem else ""
    return f"is no valid YAML: {context}{problem}"


def _fatal(message: str, line: int | None = None) -> InputError:
    return InputError([Problem("", message, line=line)])


class _Builder:
    """Parser events to nodes, without recursion, so that no depth of nesting can hurt."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[Node] = []
        self.keys: list[Node | None] = []
        self.anchors: dict[str, Node] = {}

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        match event:
            case yaml_events.DocumentStartEvent():
                self._document(event, line)
            case yaml_events.AliasEvent():
                if event.anchor not in self.anchors:
                    raise _fatal(f"has the alias *{event.anchor}, but no anchor &{event.anchor} before it", line)
                self._place(self.anchors[event.anchor])
            case yaml_events.ScalarEvent():
                self._start(event, Node("scalar", line, str(event.value), event.style is None, _tag(event)))
            case yaml_events.SequenceStartEvent():
                self._enter(event, Node("list", line, tag=_tag(event)))
            case yaml_events.MappingStartEvent():
                self._enter(event, Node("map", line, tag=_tag(event)))
            case yaml_events.SequenceEndEvent() | yaml_events.MappingEndEvent():
                self.open.pop()
                self.keys.pop()

    def _document(self, event: Any, line: int) -> None:
        if self.root is not None:
            raise _fatal("begins a second YAML document here; a stack file is one document", line)
        if event.version and tuple(event.version) != (1, 2):
            raise _fatal("has a %YAML directive of another version than 1.2; take it out", line)

    def _enter(self, event: Any, node: Node) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise _fatal(f"is nested more than {MAX_DEPTH} deep here; a stack file has about ten levels", node.line)
        self._start(event, node)
        self.open.append(node)
        self.keys.append(None)

    def _start(self, event: Any, node: Node) -> None:
        if event.anchor is not None:
            self.anchors[str(event.anchor)] = node
        self._place(node)

    def _place(self, node: Node) -> None:
        """Put a node where the parser stands: as the root, in a list, or as a key and then its value."""
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if parent.kind == "list":
            parent.items.append(node)
        elif (key := self.keys[-1]) is None:
            self.keys[-1] = node
        else:
            parent.pairs.append((key, node))
            self.keys[-1] = None


def _tag(event: Any) -> str | None:
    return None if event.tag is None else str(event.tag).replace("tag:yaml.org,2002:", "!!")
