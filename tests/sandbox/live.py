"""Live rehearsals in tests: of a stack file, on a sandbox, shown where pytest captures it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest import mock

from rich.console import Console

from inference_rollouts.settings.stack_file import read
from sandbox.home import Home
from sandbox.live.rehearse import Live, Options
from sandbox.live.report import LiveReport
from sandbox.live.show import Screen
from tests.conftest import ROOT

STACKS = Path(__file__).parent / "stacks"


def rehearsed(home: Home, path: Path, **options: object) -> LiveReport:
    """The report; what was shown is in the test's output."""
    screen = Screen(Console(file=sys.stdout, soft_wrap=True, width=200))
    with mock.patch.dict(os.environ):  # a Deployer leads its process to the sandbox
        return Live(home, ROOT, path, read(path), Options(**options), screen).run()  # type: ignore[arg-type]
