"""stdout and stderr as commands need them: where nobody can be told, what is to be done is done all the same.

A command that is there to tell ends with its stdout, in a sentence and exit code 1. One that may write, by --yes or since its
question was answered, goes on without it: whoever goes back at night gets the file written, and the cluster patched.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

CLOSED = "it is closed"


class NoOutput(SystemExit):
    """What a command is there to tell cannot be told: exit code 1."""

    def __init__(self) -> None:
        super().__init__(1)


class Output:
    """A stream whose failure is its own: after the first one, what is written goes nowhere.

    Attributes:
        needed: whether the command ends when the stream fails.
        failure: why it cannot be written, as far as that is known; empty while it can.
        silent: whether whoever read it has left, which needs no words.
    """

    def __init__(self, stream: TextIO | None, *, needed: bool) -> None:
        self.needed, self.silent = needed, False
        self.failure = ""
        self._closed, self._stream = stream is None, stream or _nowhere()

    def write(self, text: str) -> int:
        """As a text stream's.

        Raises:
            NoOutput: when it is needed, and cannot be written.
        """
        if self._closed:
            self.failure = CLOSED
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """As a text stream's, and as `write`."""
        self._try(self._stream.flush)

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except (OSError, ValueError) as e:  # a ValueError: a stream that was closed, or that cannot encode
            self.failure = (e.strerror if isinstance(e, OSError) else None) or str(e)
            self.silent = isinstance(e, OSError) and e.errno == errno.EPIPE
            _empty(self._stream)
            self._stream = _nowhere()
        if self.failure and self.needed:
            raise NoOutput

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _empty(stream: TextIO) -> None:
    """What waits in a stream's buffer goes nowhere, too: else Python would try once more at its end, and fail."""
    with contextlib.suppress(OSError, ValueError), _nowhere() as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
        stream.flush()


@contextlib.contextmanager
def streams() -> Iterator[None]:
    """stdin, stdout and stderr for a command: all three are there, and take any character.

    Raises:
        NoOutput: at the end, when stdout was needed and could not be written.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # of stderr Python itself sees to that
    # A file that is opened later must not get the number of a stream that is closed.
    sys.stdin = before[0] or open(os.devnull, encoding="utf-8")  # noqa: SIM115
    out, err = Output(before[1], needed=True), Output(before[2], needed=False)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        yield
    finally:
        try:
            out.flush()  # what waits in the buffer comes out here, or not at all
        finally:
            if out.failure and not (out.needed and out.silent):
                err.write(f"{lost_words(out)}\n")
            err.flush()
            sys.stdin, sys.stdout, sys.stderr = before


def lost_words(out: Output) -> str:
    """What is said on stderr about a stdout that failed."""
    said = f"stdout cannot be written: {out.failure}"
    return said if out.needed else f"{said}; only what was to be said there is lost, and the exit code tells how it went"


def dispensable() -> None:
    """From here on the command goes on although stdout cannot be written."""
    if isinstance(sys.stdout, Output):
        sys.stdout.needed = False


def is_lost() -> bool:
    """Whether something of what was said on stdout did not get there."""
    sys.stdout.flush()
    return isinstance(sys.stdout, Output) and bool(sys.stdout.failure)


def takes_every_character() -> bool:
    """Whether stdout has one of the encodings that know all characters; a stream without one takes text as it is."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("_", "-").startswith("utf")
