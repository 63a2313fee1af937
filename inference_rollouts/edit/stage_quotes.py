"""Which quotes a named stage gets where a number stands: those that it had in this rollout before.

A number has no quotes to remember, so earlier texts of the file are asked; where they cannot tell, the names in this one are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inference_rollouts.edit import committed, keys
from inference_rollouts.edit.document import Document
from inference_rollouts.edit.meaning import Place
from inference_rollouts.edit.nodes import Node
from inference_rollouts.errors import InputError


@dataclass(frozen=True)
class Rollout:
    """The nodes of a rollout in one text: the versions from and to which it goes, and where it stands."""

    serving: Node
    to: Node
    stage: Node

    @property
    def names(self) -> tuple[str, str]:
        """The versions; another rollout has others."""
        return self.serving.text, self.to.text


def found(doc: Document, place: Place, earlier: Iterable[bytes] | None = None) -> str | None:
    """The quotes of the rollout's last named stage; else those that the names of both its versions have; None for none.

    Args:
        doc: the text as it is.
        place: whose rollout.
        earlier: texts before this one, newest first; None for those that Git has.
    """
    try:
        here = _rollout(doc, place)
    except InputError:  # a name that is merged from elsewhere
        return None
    for data in _committed(doc) if earlier is None else earlier:
        before = _readable(doc, place, data)
        if before is None or before.names != here.names:
            break
        if not keys.is_number(before.stage):
            return keys.quotes_of(before.stage)
    to, serving = keys.quotes_of(here.to), keys.quotes_of(here.serving)
    return to if to == serving else None


def _committed(doc: Document) -> Iterator[bytes]:
    for text in committed.texts(doc.path):
        yield text.data


def _rollout(doc: Document, place: Place) -> Rollout:
    serving, to, stage = (doc.pair((*place.path, *key)).value for key in (("serving",), ("rollout", "to"), ("rollout", "stage")))
    return Rollout(*(node.target or node for node in (serving, to, stage)))


def _readable(doc: Document, place: Place, data: bytes) -> Rollout | None:
    """The rollout in an earlier text; None where it holds none, or is no stack file at all."""
    try:
        return _rollout(Document.of(doc.path, data), place)
    except Exception:  # a commit may hold anything under this name
        return None
