"""A stack file as text to the same mapping that the program gets from `pulumi.Config`, with the line of every key.

Scalars that YAML parsers read differently are problems here: Pulumi's engine (Go) and this command must not disagree about a
file. Any bytes are taken: the outcome is a mapping, or problems that name file and line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from inference_rollouts.errors import InputError, Problem, nearest, path_of
from inference_rollouts.settings.load import PROJECT, load
from inference_rollouts.settings.model import Stack

TOP_LEVEL = ("config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment")
"""Keys that Pulumi knows in a stack file."""

AMBIGUOUS = re.compile(
    r"""
    (?P<boolean>(?i:y|n|yes|no|on|off))
  | (?P<sexagesimal>[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)
  | (?P<octal>[-+]?0o[0-9_]+|[-+]?0[0-9_]+|[-+]?0b[01_]+)
  | (?P<underscored>[-+]?[0-9][0-9_.]*_[0-9_.]*)
  | (?P<exponent>[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))
  | (?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\ ].*)?)
    """,
    re.VERBOSE,
)
ALSO_READ_AS = {
    "boolean": "true or false",
    "sexagesimal": "a number in base 60",
    "octal": "a number in another base",
    "underscored": "a number without the underscores",
    "exponent": "a number",
    "date": "a date",
}

MAX_NODES = 100_000


@dataclass
class StackFile:
    """A stack file that could be read.

    Attributes:
        path: as it was given.
        stack: the stack's name.
        config: all config keys, with their namespace, to their values.
        lines: line of each key of the project's own namespace, by dotted path.
        problems: what is wrong with the text itself.
    """

    path: Path
    stack: str
    config: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def settings(self) -> Stack:
        """Typed settings.

        Raises:
            InputError: with every problem of text and settings, each with its file and line.
        """
        prefix = f"{PROJECT}:"
        own = {key.removeprefix(prefix): value for key, value in self.config.items() if key.startswith(prefix)}
        found = list(self.problems)
        stack = None
        try:
            stack = load(own)
        except InputError as e:
            found += [p for p in e.problems if not any(_below(p.path, known.path) for known in self.problems)]
        if found or stack is None:
            raise InputError(p.at(str(self.path), p.line or self._line(p.path)) for p in found)
        return stack

    def _line(self, path: str) -> int | None:
        """Line of a path, or of the nearest map around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = re.sub(r"(\.?(\"[^\"]*\"|[^.\[\]\"]+)|\[[0-9]+\])$", "", path)
        return None


def _below(path: str, known: str) -> bool:
    return path == known or (bool(known) and path.startswith((f"{known}.", f"{known}[")))


def stack_name(path: Path) -> str:
    """The stack's name from a file's: less `Pulumi.` and the suffix."""
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml").removesuffix(".yml")


def read(path: Path) -> StackFile:
    """Read a stack file.

    Raises:
        InputError: when it cannot be read as a stack file at all.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as e:
        raise InputError([Problem("", f"cannot be read: {e.strerror or e}", str(path))]) from None
    except UnicodeDecodeError as e:
        raise InputError([Problem("", f"is no text in UTF-8: byte {e.start} is {e.object[e.start]:#04x}", str(path))]) from None
    found = StackFile(path, stack_name(path))
    try:
        _top(_compose(text), found)
    except InputError as e:
        raise InputError(p.at(str(path)) for p in e.problems) from None
    except RecursionError:
        raise InputError([Problem("", "is nested too deeply to be a stack file", str(path))]) from None
    return found


def _compose(text: str) -> Node | None:
    try:
        return YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        what = " ".join(str(part) for part in (e.context, e.problem) if part)
        raise InputError([Problem("", f"is no valid YAML: {what}", line=mark.line + 1 if mark else None)]) from None
    except (YAMLError, ValueError, TypeError, AttributeError, IndexError, KeyError, AssertionError) as e:
        raise InputError([Problem("", f"is no valid YAML: {' '.join(str(e).split())[:200] or type(e).__name__}")]) from None


def _top(root: Node | None, found: StackFile) -> None:
    if not isinstance(root, MappingNode):
        raise InputError([Problem("", "is no stack file: a map with the key config is wanted")])
    config: Node | None = None
    for key, value in root.value:
        if key.value == "config":
            config = value
        elif key.value not in TOP_LEVEL:
            hint = nearest(str(key.value), TOP_LEVEL)
            found.problems.append(
                Problem(
                    str(key.value),
                    f"is no key of a stack file{hint}; allowed: {', '.join(TOP_LEVEL)}",
                    line=_line_of(key),
                )
            )
    if not isinstance(config, MappingNode):
        raise InputError(
            [Problem("config", "is missing: a map with the project's keys, as inference-rollouts:services, is wanted")]
        )
    _Reader(found).config(config)


def _line_of(node: Node) -> int:
    return node.start_mark.line + 1


class _Reader:
    """Nodes to values, with the problems of the text on the way."""

    def __init__(self, found: StackFile) -> None:
        self.found = found
        self.nodes = 0
        self.open: list[int] = []

    def config(self, node: MappingNode) -> None:
        prefix = f"{PROJECT}:"
        for key, value in self._pairs(node, ()):
            full = key if ":" in key else f"{prefix}{key}"
            if full in self.found.config:
                self._problem((key.removeprefix(prefix),), "is written twice, with and without its namespace; keep one", node)
            if full.startswith(prefix):
                self.found.config[full] = self._value(value, (full.removeprefix(prefix),))
            else:
                self.found.config[full] = value.value if isinstance(value, ScalarNode) else self._foreign(value)

    def _foreign(self, node: Node) -> Any:
        """Another namespace's value: none of our business, but the program gets it."""
        if isinstance(node, SequenceNode):
            return [self._foreign(item) for item in node.value]
        if isinstance(node, MappingNode):
            return {str(key.value): self._foreign(value) for key, value in node.value}
        return node.value

    def _problem(self, at: tuple[str | int, ...], message: str, node: Node) -> None:
        self.found.problems.append(Problem(path_of(*at), message, line=_line_of(node)))

    def _pairs(self, node: MappingNode, at: tuple[str | int, ...]) -> list[tuple[str, Node]]:
        """Keys and values of a map; `<<` merges maps that have an anchor."""
        pairs: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._problem(at, "has a key that is no text; keys are words", key)
                continue
            if key.value == "<<" and key.style is None:
                for source in value.value if isinstance(value, SequenceNode) else [value]:
                    if isinstance(source, MappingNode) and id(source) not in self.open:
                        merged = {**dict(self._pairs(source, at)), **merged}
                continue
            name = str(key.value)
            if name in pairs:
                self._problem(
                    (*at, name.removeprefix(f"{PROJECT}:")),
                    f"is written twice (first in line {lines[name]}); keep one",
                    key,
                )
            pairs[name], lines[name] = value, _line_of(key)
            self.found.lines.setdefault(path_of(*at, name.removeprefix(f"{PROJECT}:")), _line_of(key))
        return list({**merged, **pairs}.items())

    def _value(self, node: Node, at: tuple[str | int, ...]) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise InputError(
                [Problem(path_of(*at), f"unfolds to more than {MAX_NODES} values: too many aliases", line=_line_of(node))]
            )
        if id(node) in self.open:
            raise InputError([Problem(path_of(*at), "contains itself through an alias", line=_line_of(node))])
        if isinstance(node, ScalarNode):
            return self._scalar(node, at)
        self.open.append(id(node))
        try:
            if isinstance(node, SequenceNode):
                return [self._item(item, (*at, i)) for i, item in enumerate(node.value)]
            assert isinstance(node, MappingNode), "YAML has three kinds of nodes"
            return {key: self._value(value, (*at, key)) for key, value in self._pairs(node, at)}
        finally:
            self.open.pop()

    def _item(self, node: Node, at: tuple[str | int, ...]) -> Any:
        self.found.lines.setdefault(path_of(*at), _line_of(node))
        return self._value(node, at)

    def _scalar(self, node: ScalarNode, at: tuple[str | int, ...]) -> Any:
        text = str(node.value)
        if node.style is not None:
            return text
        tag = str(node.tag or "")
        if tag and not tag.startswith("tag:yaml.org,2002:"):
            self._problem(at, f"has the tag {tag}; stack files have none", node)
            return text
        ambiguous = AMBIGUOUS.fullmatch(text)
        if ambiguous is None:
            return plain(text)
        other = next(ALSO_READ_AS[kind] for kind, part in ambiguous.groupdict().items() if part is not None)
        self._problem(at, f"{text} is read as text by some YAML parsers and as {other} by others: put it in quotes", node)
        return text


def plain(text: str) -> Any:
    """An unquoted scalar that all parsers read alike."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false") and text in (text.lower(), text.upper(), text.capitalize()):
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    if re.fullmatch(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)", text):
        return float(text)
    return text


__all__ = ["StackFile", "read", "stack_name"]
