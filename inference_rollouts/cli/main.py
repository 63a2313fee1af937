"""The `rollout` command. Errors in the input are sentences on stderr, never a traceback."""

from __future__ import annotations

import sys

from inference_rollouts.cli import (
    commands_drive,
    commands_import,
    commands_move,
    commands_pipeline,
    commands_probe,
    commands_sandbox,
    commands_see,
)
from inference_rollouts.cli.app import app
from inference_rollouts.errors import InputError

__all__ = [
    "app",
    "commands_drive",
    "commands_import",
    "commands_move",
    "commands_pipeline",
    "commands_probe",
    "commands_sandbox",
    "commands_see",
    "run",
]


def run() -> None:
    """Entry point: problems in the input become sentences and exit code 1."""
    try:
        app()
    except InputError as e:
        sys.stderr.write(f"{e}\n")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    run()
