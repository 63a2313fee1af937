"""A copy of the project in a Git repository of its own, and the `rollout` command run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from inference_rollouts.errors import InputError
from tests.conftest import EXAMPLES, ROOT
from tests.edit.app import app

GOLDEN = ROOT / "tests" / "golden"

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A project to work in; the working directory is its folder."""

    folder: Path

    def file(self, stack: str) -> Path:
        return self.folder / "stacks" / f"Pulumi.{stack}.yaml"

    def rollout(self, *arguments: str, stdin: str = "") -> Answer:
        """Run the command, as its entry point does."""
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        if isinstance(result.exception, InputError):
            return Answer(1, result.stdout, f"{result.stderr}{result.exception}\n")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def git(self, *arguments: str, date: str = "2026-01-05T12:00:00+01:00") -> str:
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        command = ["git", "-C", str(self.folder), *arguments]
        environment = {**os.environ, **IDENTITY, **dates}
        return subprocess.run(command, check=True, capture_output=True, env=environment, encoding="utf-8").stdout

    def commit(self, message: str, date: str = "2026-01-05T12:00:00+01:00") -> None:
        self.git("add", "--all", date=date)
        self.git("commit", "--quiet", "--allow-empty", "-m", message, date=date)


def make_project(folder: Path, *stacks: str) -> Project:
    """The program with some stack files (default: all examples), committed."""
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder)
    (folder / "stacks").mkdir()
    for name in stacks or EXAMPLES:
        shutil.copy(ROOT / "stacks" / f"Pulumi.{name}.yaml", folder / "stacks")
    project = Project(folder)
    project.git("init", "--quiet", "--initial-branch=main")
    project.commit("Stacks")
    return project


def check_golden(path: Path, text: str) -> None:
    """Compare with a golden file; GOLDEN=write writes it instead."""
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing; make it with GOLDEN=write"
    assert text == path.read_text("utf-8"), f"{path.relative_to(ROOT)} differs; read the difference, then GOLDEN=write"
