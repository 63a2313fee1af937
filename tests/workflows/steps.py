"""The scripts of the workflows, run as a runner would: by bash, in a repository, with the files that GitHub reads afterwards."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.edit.project import IDENTITY

WORKFLOWS = ROOT / ".github" / "workflows"


def workflow(name: str) -> dict[Any, Any]:
    """A workflow; `on` is a boolean to YAML 1.1."""
    return yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text("utf-8"))


def script(name: str, job: str, step: str) -> str:
    """The script of a named step."""
    (found,) = [entry for entry in workflow(name)["jobs"][job]["steps"] if entry.get("name") == step]
    return found["run"]


@dataclass
class Runner:
    """A runner in a repository.

    Attributes:
        repository: the work tree.
        home: for what is not the repository's: programs, outputs.
    """

    repository: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.home / "bin").mkdir(parents=True)
        self.program("rollout", f'exec {sys.executable} -m inference_rollouts.cli.main "$@"')

    def program(self, name: str, text: str) -> None:
        """Put a program on PATH."""
        file = self.home / "bin" / name
        file.write_text(f"#!/bin/bash\n{text}\n", "utf-8")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def run(self, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script as GitHub does: bash, which ends at the first error."""
        path = f"{self.home / 'bin'}:{os.environ['PATH']}"
        python = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"
        files = {"GITHUB_OUTPUT": str(self.home / "output"), "GITHUB_STEP_SUMMARY": str(self.home / "summary")}
        environment = {**os.environ, **IDENTITY, "PATH": path, "PYTHONPATH": python, **files, **self.environment, **variables}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text]
        return subprocess.run(command, cwd=self.repository, env=environment, capture_output=True, encoding="utf-8", check=False)

    @property
    def outputs(self) -> dict[str, str]:
        """What steps have given out."""
        lines = (self.home / "output").read_text("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def summary(self) -> str:
        """What stands on the run's page."""
        return (self.home / "summary").read_text("utf-8")
