"""The load tool, built from its sources."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PARTS = Path(__file__).parents[2] / "sandbox/parts"


def built(folder: Path) -> Path:
    """The path of the tool; the test is skipped where there is no Go."""
    if not shutil.which("go"):
        pytest.skip("needs Go, to build sandbox/parts/load: go is not on PATH")
    target = folder / "load"
    env = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
    subprocess.run(["go", "build", "-trimpath", "-o", str(target), "./load"], cwd=PARTS, env=env, check=True)
    return target
