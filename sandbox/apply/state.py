"""The state of a stack in the sandbox: what was applied, kept after every step, so that a killed update can be continued."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference_rollouts.rehearsal.engine import Deployed, State
from inference_rollouts.rehearsal.recording import Registration
from sandbox import files


class StateFile:
    """One stack's state as a JSON file; replaced whole at each write.

    Args:
        path: the file; one that is not there is an empty state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Deployed]:
        """What is deployed, by URN."""
        if not self.path.exists():
            return {}
        return {urn: _deployed(entry) for urn, entry in json.loads(self.path.read_text()).items()}

    def write(self, state: State) -> None:
        """Replace the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(self.path, json.dumps({urn: dataclasses.asdict(entry) for urn, entry in state.items()}, indent=1))


def _deployed(entry: Mapping[str, Any]) -> Deployed:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry["registration"].items()
    }
    return Deployed(Registration(**fields), entry["init_errors"])
