"""Golden files: what was once looked at and found right. `make golden` (GOLDEN=write) writes them anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from inference_rollouts.rehearsal.engine import Operation
from inference_rollouts.rehearsal.walk import StagePreview
from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "golden"
WRITE = os.environ.get("GOLDEN") == "write"
SHORT = 40
"""Characters of a value that is shown; of a longer one only the path is."""


def check(path: Path, text: str, what_to_do: str) -> None:
    """Compare with the file, or write it."""
    if WRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing; {what_to_do}"
    assert text == path.read_text("utf-8"), f"{path.relative_to(ROOT)} changes; {what_to_do}"


def preview_text(stack: str, stage: StagePreview) -> str:
    """A preview as text: each operation with its type, name, object and protection, and beneath it what changes.

    Without the notes: they are sentences, which are tested where they are made.
    """
    weights = ", ".join(f"{version} {weight} %" for version, weight in stage.weights.items())
    lines = [f"{stack}, {stage.stage}: {weights}", ""]
    for operation in stage.preview.operations:
        lines += _operation(operation)
    return "\n".join(lines) + "\n"


def _operation(operation: Operation) -> list[str]:
    protected = "protected" if operation.protected else "-"
    line = f"{operation.op:<8} {operation.type:<74} {operation.name:<38} {operation.object or '-':<30} {protected}"
    values = operation.values or ((None, None),) * len(operation.diff)
    changes = [f"{path}{_change(*pair)}" for path, pair in zip(operation.diff, values, strict=True)]
    return [line.rstrip(), *(f"{'':<9}{text}" for text in (*changes, *operation.reasons))]


def _change(old: Any, new: Any) -> str:
    texts = ["nothing" if value is None else str(value) for value in (old, new)]
    scalar = not any(isinstance(value, dict | list) for value in (old, new))
    return f": {texts[0]} → {texts[1]}" if scalar and texts[0] != texts[1] and max(map(len, texts)) <= SHORT else ""
