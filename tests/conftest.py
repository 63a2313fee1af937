"""What all tests share: the project, its example stacks, and further stacks that use what the examples do not."""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.settings.stack_file import read

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As of a job in the background of a script. Programs that the tests start would inherit it, and never see a Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ("node-update", "base-model", "lora-adapter")
FIXTURES = tuple(sorted(path.stem for path in (ROOT / "tests/program/stacks").glob("*.yaml")))


def stack_path(name: str) -> Path:
    """The file of an example or of a fixture."""
    return ROOT / "stacks" / f"Pulumi.{name}.yaml" if name in EXAMPLES else ROOT / "tests/program/stacks" / f"{name}.yaml"


def example(name: str) -> dict[str, Any]:
    """All config keys of a shipped example stack, or of a fixture."""
    return copy.deepcopy(read(stack_path(name)).config)


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def example_config() -> Callable[[str], dict[str, Any]]:
    return example
