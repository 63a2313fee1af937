"""The `rollout` command in the tests' own process: what it said, and how it ended."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import pytest

from inference_rollouts.cli import main
from inference_rollouts.cli import rehearse as verb
from inference_rollouts.cli.project import find_project
from inference_rollouts.settings.stack_file import StackFile
from tests.conftest import ROOT

ROLLOUT = [sys.executable, "-m", "inference_rollouts.cli.main"]


@dataclass(frozen=True)
class Ended:
    """What a command has said, and how it ended."""

    out: str
    err: str
    code: int

    @property
    def document(self) -> Any:
        return json.loads(self.out)


DOCUMENTS: dict[str, verb.Document] = {}
walk = verb.rehearse


def walked_once(file: StackFile, *, all_moves: bool) -> verb.Document:
    """The same file of the same project is walked once: what is tested here is what the command says of it."""
    key = json.dumps([str(find_project().folder), file.stack, file.config, all_moves])
    if key not in DOCUMENTS:
        DOCUMENTS[key] = walk(file, all_moves=all_moves)
    return DOCUMENTS[key]


def command(*args: str) -> Ended:
    """The command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["rollout", *args])
        patch.setattr(verb, "rehearse", walked_once)
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main.run()
    return Ended(out.getvalue(), err.getvalue(), ended.value.code if isinstance(ended.value.code, int) else 0)


@functools.cache
def rollout(*args: str) -> Ended:
    """The command in the project's folder; it says the same each time, so it runs once."""
    with contextlib.chdir(ROOT), pytest.MonkeyPatch.context() as patch:
        for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
            patch.delenv(name, raising=False)
        return command(*args)


def in_a_process(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ROLLOUT, *args], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, **options)
