"""Setting, adding and removing one key of a stack file's text, whether its map is written in braces or as a block."""

from __future__ import annotations

import re
from typing import Any

from inference_rollouts.edit import words, yaml_text
from inference_rollouts.edit.document import Document, Keys, Pair
from inference_rollouts.edit.nodes import Node
from inference_rollouts.stages import Stage

NOT_IN_FLOW = re.compile(r"[,\[\]{}]")
"""What ends an unquoted scalar inside braces."""


def set_scalar(doc: Document, at: Keys, value: Stage | str, *, quotes: str | None = None) -> Document:
    """Another value for a key.

    Args:
        doc: the document.
        at: where the key is.
        value: a number is written without quotes; text keeps the quotes that stand there.
        quotes: those that text gets where a number stands, which has none of its own; None for none.

    Raises:
        InputError: when the value cannot be edited there.
    """
    node = doc.pair(at).value
    if node.kind != "scalar":
        doc.map_at(at)
        raise doc.refused(at, words.no_map())
    text = yaml_text.scalar(value, quotes if is_number(node) else quotes_of(node))
    return doc.replaced(node.start, node.end, text if node.end > node.start else f" {text}")


def is_number(node: Node) -> bool:
    """Whether a whole number stands there."""
    return node.kind == "scalar" and node.style is None and re.fullmatch("[0-9]+", node.text) is not None


def quotes_of(node: Node) -> str | None:
    """The quotes around a text; None for none."""
    return node.style if node.kind == "scalar" and node.style in ("'", '"') else None


def add(doc: Document, at: Keys, value: Any, source: Pair | None = None) -> Document:
    """A new key at the end of its map.

    Args:
        doc: the document.
        at: where it goes; its map is there already.
        value: what it means.
        source: the same key elsewhere in the document, whose text, comments included, is taken over where it can be.

    Raises:
        InputError: when its map cannot be edited there.
    """
    node = doc.map_at(at[:-1])
    written = f"{yaml_text.scalar(at[-1])}: {yaml_text.flow(value, spaced=spaced(doc))}"
    if node.flow:
        return _add_to_flow(doc, node, _inline(doc, source, flow=True) or written)
    return _add_lines(doc, node, written, source)


def spaced(doc: Document) -> bool:
    """Whether this file's braces have spaces inside."""
    for node in doc.root.walk():
        if node.kind == "map" and node.flow and node.pairs:
            return doc.text[node.start + 1].isspace()
    return True


def _add_to_flow(doc: Document, node: Node, text: str) -> Document:
    if not node.pairs:
        inside = f"{{ {text} }}" if spaced(doc) else f"{{{text}}}"
        return doc.replaced(node.start, node.end, inside)
    end = Pair(*node.pairs[-1]).end
    return doc.replaced(end, end, f", {text}")


def _add_lines(doc: Document, node: Node, written: str, source: Pair | None) -> Document:
    last = Pair(*node.pairs[-1])
    _, end = doc.lines_of(last, with_comments=False)
    column, newline = doc.column(last.start), doc.newline(last.end - 1)
    lines = _copied(doc, source, column) if source else None
    if lines is None:
        lines = " " * column + (_inline(doc, source, flow=False) or written) + newline
    if doc.text[:end].endswith(("\n", "\r")):
        return doc.replaced(end, end, lines)
    return doc.replaced(end, end, newline + lines.rstrip("\r\n"))


def _movable(source: Pair) -> bool:
    """Whether the text means the same elsewhere: an anchor or an alias may not."""
    nodes = [*source.key.walk(), *source.value.walk()]
    return not any(node.anchor or node.kind == "alias" for node in nodes)


def _inline(doc: Document, source: Pair | None, *, flow: bool) -> str | None:
    """The text of a key and its value on one line; None where it has several, or cannot stand there."""
    if source is None or not _movable(source):
        return None
    text, value = doc.text[source.start : source.end], source.value
    if re.search(r"[\r\n]", text) or value.style in ("|", ">") or (value.kind != "scalar" and not value.flow):
        return None
    plain = value.kind == "scalar" and value.style is None
    return None if flow and plain and NOT_IN_FLOW.search(value.text) else text


def _copied(doc: Document, source: Pair, column: int) -> str | None:
    """The whole lines of a key in a block map, moved to another column; None where there are none to move."""
    begins_a_line = not doc.text[doc.line_start(source.start) : source.start].strip(" ")
    shares_its_end = re.match(r"[ \t]*[,}]", doc.text[source.end :])
    if not begins_a_line or shares_its_end or not _movable(source):
        return None
    start, end = doc.lines_of(source, with_comments=True)
    shift = column - doc.column(source.start)
    lines = doc.text[start:end].splitlines(keepends=True)
    if not lines[-1].endswith(("\n", "\r")):
        lines[-1] += doc.newline(start)
    return "".join(_shifted(line, shift) for line in lines)


def _shifted(line: str, by: int) -> str:
    if by >= 0 or not line.strip():
        return " " * by + line if line.strip() else line
    return re.sub(f"^ {{0,{-by}}}", "", line)


def remove(doc: Document, at: Keys) -> Document:
    """Without a key: its lines, with the comment right above them; in braces, with its comma.

    Raises:
        InputError: when it cannot be taken out there.
    """
    node, pair = doc.map_at(at[:-1]), doc.pair(at)
    if node.flow:
        return doc.replaced(*_flow_span(doc, node, pair), "")
    start, end = doc.lines_of(pair, with_comments=True)
    if end == len(doc.text) and not doc.text.endswith(("\n", "\r")):
        # The file has no final newline, and keeps having none.
        start -= len(doc.text[:start]) - len(re.sub(r"(\r\n|\r|\n)\Z", "", doc.text[:start]))
    elif pair.start == node.start or doc.text[:start].endswith(("\n\n", "\n\r\n")):
        # Two blank lines in a row, or one at the top of a map, where there was one between two keys.
        end += len(re.match(r"([ \t]*(\r\n|\n))*", doc.text[end:])[0])  # pyright: ignore[reportOptionalSubscript]
    return doc.replaced(start, end, "")


def _flow_span(doc: Document, node: Node, pair: Pair) -> tuple[int, int]:
    """What to cut to take a key out of braces."""
    text, line = doc.text, doc.line_start(pair.start)
    alone = re.compile(r"[ \t]*,?[ \t]*(#[^\r\n]*)?(\r\n|\r|\n)").match(text, pair.end)
    if alone and not text[line : pair.start].strip():
        return line, alone.end()
    pairs = [Pair(*inner) for inner in node.pairs]
    index = next(i for i, other in enumerate(pairs) if other.start == pair.start)
    if index + 1 < len(pairs):
        return pair.start, pairs[index + 1].start
    return (pairs[index - 1].end if index else pair.start), pair.end
