"""The clock, and the wish to stop: both given to a driver, so that tests can play them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Protocol


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """With a time zone."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; a driver asks for a second or so at a time, so that it notices a wish to stop."""
        ...


class SystemClock:
    """The machine's."""

    def now(self) -> datetime:
        """UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Stop:
    """The wish to stop: the first lets the update that runs end, each further one cancels it.

    Args:
        cancel: cancels the update that runs, if one does.
        said: told of each wish, by its number.
    """

    def __init__(self, cancel: Callable[[], None] = lambda: None, said: Callable[[int], None] = lambda _: None) -> None:
        self.count, self._cancel, self._said = 0, cancel, said

    @property
    def wished(self) -> bool:
        """Whether somebody wishes to stop."""
        return self.count > 0

    def wish(self) -> None:
        """Somebody does."""
        self.count += 1
        self._said(self.count)
        if self.count > 1:
            self._cancel()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C and the runner's SIGTERM as the wish."""

        def heard(_number: int, _frame: FrameType | None) -> None:
            self.wish()

        before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
