"""Files that others read while they are written, and files that are another's for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Write a file as a whole, by a rename: who reads at the same time sees the old or the new, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


@contextmanager
def borrowed(path: Path) -> Iterator[None]:
    """A file may be changed meanwhile, and is as it was afterwards; where the end does not come, `give_back` does that.

    What it held lies beside it for so long. One that is borrowed twice is given back twice, the inner one first.
    """
    before, kept = _text(path), _beside(path)
    first = not kept.exists()
    if first:
        replace(kept, before or "")
    try:
        yield
    finally:
        _restore(path, before)
        if first:
            kept.unlink(missing_ok=True)


def give_back(path: Path) -> None:
    """Make a file as it was before it was borrowed by somebody who came to no end; else nothing."""
    kept = _beside(path)
    if kept.exists():
        _restore(path, _text(kept) or None)
        kept.unlink()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.before")


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def _restore(path: Path, text: str | None) -> None:
    """An empty text stands for no file: none of ours is empty."""
    if text:
        replace(path, text)
    else:
        path.unlink(missing_ok=True)
