"""What can be wrong with the input: one family of errors, each a list of problems that name their place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

LONGEST_SHOWN = 80
"""Characters of a value that a sentence shows."""


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
        return printable(": ".join(part for part in (place, self.path, self.message) if part))

    def at(self, file: str, line: int | None = None) -> Problem:
        """The same problem, placed in a file."""
        return replace(self, file=file, line=line if line is not None else self.line)


class InputError(Exception):
    """The user's input cannot be used. Holds every problem that was found, never only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.file or "", p.line or 0, p.path, p.message)))
        super().__init__("\n".join(map(str, self.problems)))


def printable(text: str) -> str:
    """One line that no terminal obeys, and no comment ends in: what does not print is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def below(path: str, part: str | int) -> str:
    """The path of a key or list item in what stands at a path; keys that hold `.` or `/` are quoted."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    key = f'"{part}"' if not part or any(c in part for c in "./[]\"' ") else part
    return f"{path}.{key}" if path else key


def path_of(*parts: str | int) -> str:
    """Join keys and list indexes to a dotted path.

    >>> path_of("services", "chat", "adapters", "acme/tone", "versions", 0)
    'services.chat.adapters."acme/tone".versions[0]'
    """
    return reduce(below, parts, "")


def shown(value: Any) -> str:
    """A value as the operator would recognise it: text in quotes, maps and lists by their kind.

    >>> shown("10"), shown(10), shown(True), shown({})
    ("'10'", '10', 'true', 'a map')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return _short(repr(value) if isinstance(value, str) else str(value))


def named(name: str) -> str:
    """A name in a sentence: as it is where it reads as a word, else in quotes.

    >>> named("llm-new"), named(""), named("two words")
    ('llm-new', "''", "'two words'")
    """
    return name if re.fullmatch(r"[^\s'\"]{1,80}", name) and name.isprintable() else shown(name)


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, whatever its case."""
    by_lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` when one of the known words is near, else nothing."""
    found = nearest_word(word, known)
    return f"; did you mean {found}?" if found else ""


def one_of(known: Iterable[str | int]) -> str:
    """The allowed words as text: `a, b or c`."""
    words = [str(word) for word in known]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else "nothing"


def all_of(words: Iterable[str]) -> str:
    """Words that hold together: `a, b and c`."""
    listed = list(words)
    return f"{', '.join(listed[:-1])} and {listed[-1]}" if len(listed) > 1 else "".join(listed)


def first_of(words: Sequence[str], most: int) -> str:
    """The first words of a long list, and how many more there are.

    >>> first_of(["a", "b"], 2), first_of(["a", "b", "c"], 2)
    ('a, b', 'a, b and 1 more')
    """
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def allowed(word: str, known: Iterable[str | int]) -> str:
    """The end of a sentence about a wrong word: the nearest right one, and all that are allowed.

    >>> allowed("prepair", ["baseline", "prepare"])
    '; did you mean prepare? Allowed: baseline or prepare'
    """
    words = list(known)
    hint = nearest(word, [w for w in words if isinstance(w, str)])
    return f"{hint} Allowed: {one_of(words)}" if hint else f"; allowed: {one_of(words)}"
