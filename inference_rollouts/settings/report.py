"""The problems found so far, and what they touch: what only follows from one of them is not said."""

from __future__ import annotations

from collections.abc import Iterable

from inference_rollouts.errors import Problem, path_of

Place = tuple[str | int, ...]

MAX_DEPTH = 50
"""Maps and lists in each other; a stack config has about ten."""


def within(path: str, outer: str) -> bool:
    """Whether a path is another one, or lies below it."""
    return path == outer or (bool(outer) and path.startswith((f"{outer}.", f"{outer}[")))


def related(path: str, other: str) -> bool:
    """Whether two paths are the same, or one lies below the other."""
    return within(path, other) or within(other, path)


class Report:
    """Problems of one stack config.

    Attributes:
        problems: in the order in which they were found.
        broken: paths whose value is wrong, or may be meant by a misspelt key.
    """

    def __init__(self, broken: Iterable[str] = ()) -> None:
        self.problems: list[Problem] = []
        self.broken: set[str] = set(broken)

    def say(self, message: str, *at: str | int, meant: Iterable[str] = ()) -> None:
        """One more problem.

        Args:
            message: the sentence.
            at: its place.
            meant: keys beside a misspelt one that it may mean, dotted; nothing more is said about them.
        """
        self.problems.append(Problem(path_of(*at), message))
        self.broken.add(path_of(*at))
        self.broken |= {path_of(*at[:-1], *key.split(".")) for key in meant}

    def touches(self, *at: str | int) -> bool:
        """Whether something at a place, around it or in it is broken."""
        path = path_of(*at)
        return any(related(path, broken) for broken in self.broken)

    def add(self, problems: Iterable[Problem]) -> None:
        """Further problems, but those that only follow from a broken place."""
        self.problems += [p for p in problems if not any(related(p.path, broken) for broken in self.broken)]
