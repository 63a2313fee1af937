"""Plain values, some of which a preview does not know yet; and judging that says what it could not read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from inference_rollouts.errors import path_of


class Unknown:
    """A value that a preview does not know yet. There is one: `UNKNOWN`."""

    def __str__(self) -> str:
        return "(not known yet)"


UNKNOWN = Unknown()


class NotKnownYetError(Exception):
    """A rule has to read what is not known yet; the text is its path."""


def get(part: Any, *path: str | int) -> Any:
    """The value at a path; None where there is none, UNKNOWN where it, or what is around it, is unknown.

    An index must be one that its list has.
    """
    for key in path:
        if part is UNKNOWN:
            return UNKNOWN
        part = part[key] if isinstance(key, int) else part.get(key) if isinstance(part, Mapping) else None
    return part


def read(part: Any, *path: str | int) -> Any:
    """As `get`, but raises NotKnownYetError instead of returning UNKNOWN."""
    found = get(part, *path)
    if found is UNKNOWN:
        raise NotKnownYetError(path_of(*path))
    return found


def items(part: Any, *path: str | int) -> list[Any]:
    """The list at a path; an unknown list is a list with one unknown item."""
    found = get(part, *path)
    return [UNKNOWN] if found is UNKNOWN else list(found) if isinstance(found, list | tuple) else []


def may_be(value: Any, wanted: Any) -> bool:
    """Whether two values are equal, or may turn out to be."""
    return value is UNKNOWN or wanted is UNKNOWN or value == wanted


def judged(judge: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
    """`judge`, whose first argument is what it judges, saying what it could not read instead of raising."""

    @functools.wraps(judge)
    def whole(subject: Any, *args: Any) -> Iterator[str]:
        try:
            yield from judge(subject, *args)
        except NotKnownYetError as e:
            yield f"{subject}: {e} is known only after the update, so it cannot be judged now; write it as a plain value"

    return whole
