"""What all tests share: the project, its example stacks, and programs run once a session."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.settings.stack_file import read

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ("node-update", "base-model", "lora-adapter")


def example(name: str) -> dict[str, Any]:
    """All config keys of a shipped example stack."""
    return copy.deepcopy(read(ROOT / "stacks" / f"Pulumi.{name}.yaml").config)


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def example_config() -> Callable[[str], dict[str, Any]]:
    return example
