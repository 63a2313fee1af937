"""A line in which things wait: GKE takes seconds to program weights, and a minute or two to tell a status."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class DelayLine(Generic[T]):
    """Things that come out some time after they went in; of several that are due, only the newest."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, T]] = deque()
        self._last: T | None = None

    def put(self, item: T, due: float) -> None:
        """Let an item wait; one that equals the newest is nothing new."""
        if item != self._last:
            self._last = item
            self._waiting.append((due, item))

    def take(self, now: float) -> T | None:
        """The newest item that is due; those before it are dropped."""
        due = [place for place, (when, _) in enumerate(self._waiting) if when <= now]
        if not due:
            return None
        for _ in range(due[-1]):
            self._waiting.popleft()
        return self._waiting.popleft()[1]

    def next(self) -> float | None:
        """When the next item is due; None when nothing waits."""
        return min((when for when, _ in self._waiting), default=None)
