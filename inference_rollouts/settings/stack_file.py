"""A stack file to the same mapping that the program gets from `pulumi.Config`, with the line of every key.

Any bytes are taken: the outcome is a mapping, or problems that name file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference_rollouts.errors import InputError, Problem, all_of, allowed, below, named, shown
from inference_rollouts.settings.load import PROJECT, load
from inference_rollouts.settings.model import Stack
from inference_rollouts.settings.yaml_nodes import MAX_BYTES, Node, ambiguity, compose, decode, plain_value

TOP_LEVEL = ("config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment")
"""Keys that Pulumi knows in a stack file."""

MAX_VALUES = 100_000
"""What aliases may unfold to."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""What an escape in quotes can say, and no text can hold."""

PREFIX = f"{PROJECT}:"


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
        own = {key.removeprefix(PREFIX): value for key, value in self.config.items() if key.startswith(PREFIX)}
        try:
            stack = load(own, broken=[problem.path for problem in self.problems])
        except InputError as e:
            raise self.placed([*self.problems, *e.problems]) from None
        if self.problems:
            raise self.placed(self.problems)
        return stack

    def placed(self, problems: Iterable[Problem]) -> InputError:
        """Problems of these settings, each with the file and the line of its path."""
        return InputError(p.at(str(self.path), p.line or self._line(p.path)) for p in problems)

    def _line(self, path: str) -> int | None:
        """Line of a path, or of the nearest map around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = re.sub(r"(\.?(\"[^\"]*\"|[^.\[\]\"]+)|\[[0-9]+\]|.)\Z", "", path, count=1, flags=re.DOTALL)
        return None


def stack_name(path: Path) -> str:
    """The stack's name from a file's: less `Pulumi.` and the suffix."""
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml").removesuffix(".yml")


def read(path: Path) -> StackFile:
    """Read a stack file.

    Raises:
        InputError: when it cannot be read as a stack file at all.
    """
    found = StackFile(path, stack_name(path))
    try:
        with path.open("rb") as file:
            root = compose(decode(file.read(MAX_BYTES + 1)))
        _Reader(found).file(root)
    except OSError as e:
        raise found.placed([Problem("", f"cannot be read: {e.strerror or e}")]) from None
    except InputError as e:
        raise found.placed([*found.problems, *e.problems]) from None
    return found


class _Reader:
    """Nodes to values, with the problems of the text on the way."""

    def __init__(self, found: StackFile) -> None:
        self.found = found
        self.values = 0
        self.open: list[Node] = []

    def file(self, root: Node | None) -> None:
        if root is None:
            raise InputError([Problem("", "is empty; a stack file is a map with the key config")])
        if root.kind != "map":
            raise InputError([Problem("", "is no stack file: a map with the key config is wanted", line=root.line)])
        top, lines = dict(self._pairs(root, "")), dict(self.found.lines)
        self.found.lines.clear()  # from here on they are those of our own keys
        astray = [key for key in top if key.removeprefix(PREFIX) in Stack.model_fields]
        if "config" not in top and astray:
            message = f"is missing: {all_of(astray)} stand at the top of the file; put all config keys under config"
            raise InputError([Problem("config", message, line=lines[below("", astray[0])])])
        for key in top:
            if key not in TOP_LEVEL:
                self._say(below("", key), f"is no key of a stack file{allowed(key, TOP_LEVEL)}", lines[below("", key)])
        if "config" not in top:
            if not any("did you mean config?" in p.message for p in self.found.problems):
                self._say("config", f"is missing: a map with the project's keys, as {PREFIX}services, is wanted", root.line)
            raise InputError(self.found.problems)
        self._config(top["config"], lines["config"])

    def _config(self, node: Node, line: int) -> None:
        if node.kind != "map":
            what = "a list" if node.kind == "list" else shown(node.text) if node.text else "nothing"
            self._say("config", f"{what} is given, a map with the project's keys is wanted, as {PREFIX}services", line)
            raise InputError(self.found.problems)
        config = self.found.config
        for key, value in self._pairs(node, "", namespace=PREFIX):
            full = key if ":" in key else f"{PREFIX}{key}"
            own = below("", full.removeprefix(PREFIX))
            config[full] = self._value(value, own) if full.startswith(PREFIX) else self._foreign(value, own)

    def _say(self, path: str, message: str, line: int) -> None:
        self.found.problems.append(Problem(path, message, line=line))

    def _enter(self, node: Node, path: str) -> None:
        """Count a node, and refuse what aliases make endless."""
        self.values += 1
        if self.values > MAX_VALUES:
            message = f"unfolds to more than {MAX_VALUES} values through its aliases; write out what is meant"
            raise InputError([Problem(path, message)])
        if node in self.open:
            raise InputError([Problem(path, "contains itself through an alias; write out what is meant")])

    def _pairs(self, node: Node, path: str, *, namespace: str = "") -> list[tuple[str, Node]]:
        """Keys and values of a map; `<<` merges maps that have an anchor."""
        self._enter(node, path)
        self.open.append(node)
        pairs: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for key, value in node.pairs:
            if key.kind == "scalar" and key.plain and key.text == "<<":
                merged = {**self._merged(value, path, namespace), **merged}
            elif (name := self._key(key, path)) is not None:
                place = below(path, name.removeprefix(namespace))
                if place in lines:
                    self._say(place, f"is written twice (first in line {lines[place]}); keep one", key.line)
                pairs[name] = value
                lines.setdefault(place, key.line)
        self.found.lines |= lines
        self.open.pop()
        return list({**merged, **pairs}.items())

    def _merged(self, source: Node, path: str, namespace: str) -> dict[str, Node]:
        if source.kind == "list":
            found: dict[str, Node] = {}
            for item in source.items:
                found = {**self._merged(item, path, namespace), **found}
            return found
        if source.kind == "scalar":
            self._say(path, "merges (<<) what is no map; name the anchor of a map", source.line)
            return {}
        return dict(self._pairs(source, path, namespace=namespace))

    def _key(self, key: Node, path: str) -> str | None:
        if key.kind != "scalar":
            self._say(path, f"has {'a map' if key.kind == 'map' else 'a list'} for a key; keys are text", key.line)
            return None
        place = below(path, key.text)
        if not isinstance(self._scalar(key, place, key=True), str):
            message = (
                f"{named(key.text)} is no text, and keys are text: put it in quotes" if key.text else "is empty; write a key"
            )
            self._say(place, message, key.line)
        return key.text

    def _value(self, node: Node, path: str) -> Any:
        if node.kind == "scalar":
            self._enter(node, path)
            return self._scalar(node, path)
        self._no_tag(node, path)
        if node.kind == "map":
            pairs = self._pairs(node, path)
            self.open.append(node)
            value = {key: self._value(inner, below(path, key)) for key, inner in pairs}
        else:
            self._enter(node, path)
            self.open.append(node)
            value = [self._item(item, below(path, i)) for i, item in enumerate(node.items)]
        self.open.pop()
        return value

    def _item(self, node: Node, path: str) -> Any:
        self.found.lines[path] = node.line
        return self._value(node, path)

    def _no_tag(self, node: Node, path: str) -> bool:
        if node.tag is not None:
            self._say(
                path, f"has the tag {named(node.tag)}; a stack file has no tags: take it out, and put text in quotes", node.line
            )
        return node.tag is None

    def _scalar(self, node: Node, path: str, *, key: bool = False) -> Any:
        if not self._no_tag(node, path):
            return node.text
        if SURROGATE.search(node.text):
            self._say(path, "holds half a character (a lone surrogate); write the character itself", node.line)
        if not node.plain:
            return node.text
        if message := ambiguity(node.text, key=key):
            self._say(path, message, node.line)
            return node.text
        return plain_value(node.text)

    def _foreign(self, node: Node, path: str) -> Any:
        """Another namespace's value: none of our business, but the program gets it, as text."""
        self._enter(node, path)
        if node.kind == "scalar":
            return node.text
        self.open.append(node)
        if node.kind == "list":
            value: Any = [self._foreign(item, path) for item in node.items]
        else:
            value = {key.text: self._foreign(inner, path) for key, inner in node.pairs}
        self.open.pop()
        return value


__all__ = ["StackFile", "read", "stack_name"]
