"""A stack file's text with the places in it: find a value, replace it, take lines out, put a key in.

Every change gives a new document and reads its nodes anew: so no place is ever out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from inference_rollouts.edit import words
from inference_rollouts.edit.nodes import Node, compose
from inference_rollouts.errors import InputError, Problem, path_of
from inference_rollouts.settings import PROJECT

BOM = b"\xef\xbb\xbf"
Keys = Sequence[str]
"""The way to a value, from `services` downward."""


@dataclass(frozen=True)
class Pair:
    """A key of a map with its value."""

    key: Node
    value: Node

    @property
    def start(self) -> int:
        """Where the key begins."""
        return self.key.start

    @property
    def end(self) -> int:
        """Where the value ends."""
        return max(self.key.end, self.value.end)


@dataclass(frozen=True)
class Document:
    """The text of a stack file.

    Attributes:
        path: the file, for what is said about it.
        text: without the byte order mark.
        mark: whether the file begins with one.
    """

    path: Path
    text: str
    mark: bool = False

    @classmethod
    def of(cls, path: Path, data: bytes) -> Document:
        """The document of a file's bytes, which `settings` could read."""
        return cls(path, data.decode("utf-8-sig"), data.startswith(BOM))

    @property
    def data(self) -> bytes:
        """The bytes to write."""
        return (BOM if self.mark else b"") + self.text.encode()

    @cached_property
    def root(self) -> Node:
        """The node of the whole file."""
        try:
            root = compose(self.text)
        except Exception:  # what settings could read can be read here; the text half-way through a finish may not
            raise InputError([Problem("", words.half_way(), str(self.path))]) from None
        assert root is not None, "settings reads no empty file"
        return root

    # --- finding ------------------------------------------------------------------------------------------------------

    def pair(self, path: Keys) -> Pair:
        """The key at a path and its value, which stand in the file for themselves.

        Args:
            path: keys from `services` downward.

        Raises:
            InputError: when the value is an alias, is merged from elsewhere, or is not there.
        """
        node, found = self._config(), None
        for i, key in enumerate(path):
            if i:
                node = self._own_map(node, path[:i])
            names = (f"{PROJECT}:{key}", key) if i == 0 else (key,)
            found = next((pair for name in names if (pair := node.value_of(name))), None)
            if found is None:
                source = next((m for m in node.merged() if m.value_of(key)), None)
                raise self.refused(path[: i + 1], words.merged(self.line(source.start)) if source else words.absent())
            node = found[1]
        assert found is not None, "a path has keys"
        return Pair(*found)

    def map_at(self, path: Keys) -> Node:
        """The map at a path, which stands there for itself.

        Raises:
            InputError: as `pair`.
        """
        return self._own_map(self.pair(path).value, path)

    def _config(self) -> Node:
        found = self.root.value_of("config")
        assert found is not None, "settings reads no file without config"
        return found[1].target or found[1]

    def _own_map(self, node: Node, path: Keys) -> Node:
        if node.kind == "alias":
            line = self.line(node.target.start) if node.target else self.line(node.start)
            raise self.refused(path, words.aliased(node.text, line), self.line(node.start))
        if node.kind != "map":
            raise self.refused(path, words.no_map(), self.line(node.start))
        return node

    def refused(self, path: Keys, why: str, line: int | None = None) -> InputError:
        """What cannot be edited, with its place."""
        return InputError([Problem(path_of(*path), why, str(self.path), line or self._nearest_line(path))])

    def _nearest_line(self, path: Keys) -> int | None:
        """Line of the last key of a path that is there."""
        node, line = self._config(), None
        for i, key in enumerate(path):
            found = node.value_of(f"{PROJECT}:{key}") if i == 0 else None
            found = found or node.value_of(key)
            if found is None:
                break
            line, node = self.line(found[0].start), found[1]
        return line

    # --- places -------------------------------------------------------------------------------------------------------

    def line(self, index: int) -> int:
        """1-based line of an index."""
        return len(re.findall(r"\r\n|\r|\n", self.text[:index])) + 1

    def column(self, index: int) -> int:
        """0-based column of an index."""
        return index - self.line_start(index)

    def line_start(self, index: int) -> int:
        """Index of the first character of the line."""
        return max(self.text.rfind(end, 0, index) for end in "\r\n") + 1

    def line_end(self, index: int) -> int:
        """Index after the line's break, or of the end of the text."""
        found = re.compile(r"[^\r\n]*(\r\n|\r|\n)?").match(self.text, index)
        assert found is not None, "the pattern takes anything"
        return found.end()

    def newline(self, index: int) -> str:
        """The line break that ends the line of an index; on a last line without one, that of the first line."""
        line = self.text[self.line_start(index) : self.line_end(index)]
        broken = line[len(line.rstrip("\r\n")) :]
        first = re.search(r"\r\n|\r|\n", self.text)
        return broken or (first[0] if first else "\n")

    def lines_of(self, pair: Pair, *, with_comments: bool) -> tuple[int, int]:
        """First and last index of the whole lines of a key in a block map.

        Args:
            pair: the key and its value.
            with_comments: whether the comment lines right above it, in the same column, count too.

        Raises:
            InputError: when something else stands on its first line.
        """
        start = self.line_start(pair.start)
        if self.text[start : pair.start].strip(" "):
            raise InputError([Problem("", words.shares_a_line(pair.key.text), str(self.path), self.line(pair.start))])
        column = pair.start - start
        end = self._deeper_comments(self.line_end(max(pair.start, pair.end - 1)), column)
        if with_comments:
            start = self._attached_comments(start, column)
        return start, end

    def _deeper_comments(self, end: int, column: int) -> int:
        """Past comment lines that stand deeper than the key: they belong to its value."""
        at = end
        while at < len(self.text):
            following = self.line_end(at)
            line = self.text[at:following]
            blank, indent = not line.strip(), len(line) - len(line.lstrip(" "))
            if not blank and not (line.lstrip(" ").startswith("#") and indent > column):
                break
            at = following
            end = end if blank else at
        return end

    def _attached_comments(self, start: int, column: int) -> int:
        while start > 0:
            above = self.line_start(start - 2 if self.text[start - 2 : start] == "\r\n" else start - 1)
            line = self.text[above:start]
            if not line.startswith(" " * column + "#"):
                break
            start = above
        return start

    # --- changing -----------------------------------------------------------------------------------------------------

    def replaced(self, start: int, end: int, text: str) -> Document:
        """With other characters in a place."""
        return Document(self.path, self.text[:start] + text + self.text[end:], self.mark)

    def shared(self) -> Iterator[tuple[Node, list[Node]]]:
        """Nodes with an anchor, each with the aliases that name it."""
        used: dict[int, tuple[Node, list[Node]]] = {}
        for node in self.root.walk():
            if node.kind == "alias" and node.target:
                used.setdefault(id(node.target), (node.target, []))[1].append(node)
        yield from used.values()
