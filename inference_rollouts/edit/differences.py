"""What an edit changes, as a unified diff that `git apply` takes."""

from __future__ import annotations

import difflib
from pathlib import PurePath


def unified(path: PurePath, old: str, new: str) -> str:
    """The diff of a file's text; empty where nothing changes.

    Args:
        path: as it is to be shown.
        old, new: text, each with its own line ends.
    """
    name = path.as_posix()
    before, after = (name, name) if path.is_absolute() else (f"a/{name}", f"b/{name}")
    diff = difflib.unified_diff(_lines(old), _lines(new), before, after)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff)


def _lines(text: str) -> list[str]:
    """Split at line feeds alone: a carriage return before one belongs to the line, as in git."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
