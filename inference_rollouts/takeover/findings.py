"""What was found while manifests were read: what is assumed, what stays as it is, what cannot be said in a stack file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from inference_rollouts.errors import printable

Level = Literal["assumed", "left", "cannot"]
"""`assumed`: read in spite of an error, or guessed, and said so. `left`: stays as it is, and nothing is lost by that.
`cannot`: the stack file would do something else than what stands."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that a person should know, as one sentence.

    Attributes:
        level: see Level.
        message: what is there, what follows, what to do.
        file: where it was read; empty for the whole input.
        line: 1-based, where the object begins.
        object: kind, namespace and name.
        path: dotted path in the object.
    """

    level: Level
    message: str
    file: str = ""
    line: int = 0
    object: str = ""
    path: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return printable(": ".join(part for part in (place, self.object, self.path, self.message) if part))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "file": self.file or None,
            "line": self.line or None,
            "object": self.object or None,
            "path": self.path or None,
            "message": self.message,
        }
