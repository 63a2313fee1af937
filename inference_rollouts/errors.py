"""What can be wrong with the input: one family of errors, each a list of problems that name their place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in the user's input, as one sentence.

    Attributes:
        path: dotted path in the stack config (`services.chat.rollout.to`), empty for the whole file.
        message: what is wrong, what is allowed and what to do.
        file: the file it stands in, when it came from one.
        line: 1-based line in that file, when known.
    """

    path: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.file or ""
        if self.file and self.line:
            place = f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.path, self.message) if part)

    def at(self, file: str, line: int | None = None) -> Problem:
        """The same problem, placed in a file."""
        return replace(self, file=file, line=line if line is not None else self.line)


class InputError(Exception):
    """The user's input cannot be used. Holds every problem that was found, never only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.file or "", p.line or 0, p.path, p.message)))
        super().__init__("\n".join(map(str, self.problems)))


def path_of(*parts: str | int) -> str:
    """Join keys and list indexes to a dotted path; keys that hold `.` or `/` are quoted.

    >>> path_of("services", "chat", "adapters", "acme/tone", "versions", 0)
    'services.chat.adapters."acme/tone".versions[0]'
    """
    out = ""
    for part in parts:
        if isinstance(part, int):
            out += f"[{part}]"
            continue
        key = f'"{part}"' if not part or any(c in part for c in "./[]\"' ") else part
        out += f".{key}" if out else key
    return out


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` when one of the known words is near, else nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def one_of(known: Iterable[str | int]) -> str:
    """The allowed words as text: `a, b or c`."""
    words = [str(word) for word in known]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else "nothing"
