"""docs/walkthrough.md is true: its commands run in order, and what it shows is what they say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator

from tests.conftest import ROOT
from tests.edit.project import IDENTITY, Project

PAGE = ROOT / "docs" / "walkthrough.md"


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of the page with the lines that are shown below it."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            yield command, shown


def said_by(project: Project, command: str) -> str:
    if command.startswith("rollout "):
        answer = project.rollout(*shlex.split(command)[1:])
        return answer.out + answer.err
    found = subprocess.run(
        command, shell=True, cwd=project.folder, env={**os.environ, **IDENTITY}, capture_output=True, encoding="utf-8", check=True
    )
    return found.stdout


def missing(shown: list[str], said: str) -> str | None:
    """The first line that is shown and not said, in that order; spaces count as one, and … stands for anything."""
    lines = iter([" ".join(line.split()) for line in said.splitlines()])
    for line in shown:
        pattern = ".*".join(re.escape(part) for part in " ".join(line.split()).split("…"))
        if pattern not in ("", ".*") and not any(re.fullmatch(pattern, found) for found in lines):
            return line
    return None


def test_the_commands_of_the_walkthrough_say_what_it_shows(project):
    ran, promised = 0, ""
    for command, shown in commands():
        if command.startswith("pulumi "):
            assert command in promised, f"{command} is not what the verb before has said to run next"
            continue
        said = said_by(project, command)
        promised = said if "Next: " in said else promised
        lost = missing(shown, said)
        assert lost is None, f"$ {command}\nshows: {lost}\nsays:\n{said}"
        ran += 1
    assert ran > 30


def test_the_file_is_what_it_was_after_going_back(project):
    seen: dict[str, bytes] = {}
    for command, _ in commands():
        if not command.startswith("pulumi "):
            said_by(project, command)
        if command == 'git commit --quiet -am "prod: back, latency"':
            assert project.file("prod").read_bytes() == seen["prepared"]
            return
        if command == 'git commit --quiet -am "prod: prepare llm-new"':
            seen["prepared"] = project.file("prod").read_bytes()
    raise AssertionError("the walkthrough goes back no more")
