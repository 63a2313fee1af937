"""What Git has of a file is asked quickly, and where it does not answer there is nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from inference_rollouts.edit import committed


def test_texts_come_newest_first_and_without_the_commit_that_took_the_file_away(project):
    file = project.file("node-update")
    texts = [file.read_bytes()]
    for change in ("one", "two"):
        file.write_text(change, "utf-8")
        texts.insert(0, change.encode())
        project.commit(change)
        file.unlink()
        project.commit(f"without {change}")
    file.write_text("not committed", "utf-8")

    assert [text.data for text in committed.texts(file)] == texts
    assert [project.git("show", f"{text.commit}:stacks/{file.name}").encode() for text in committed.texts(file)] == texts


def test_a_name_with_spaces_or_signs_is_a_name(project):
    file = project.folder / "my dir" / ":(top) *.yaml"
    file.parent.mkdir()
    file.write_text("one", "utf-8")
    project.commit("one")

    assert [text.data for text in committed.texts(file)] == [b"one"]


def test_without_git_a_repository_or_a_commit_there_are_none(project, tmp_path_factory, monkeypatch):
    outside = tmp_path_factory.mktemp("outside") / "Pulumi.a.yaml"
    outside.write_text("a", "utf-8")
    new = project.file("new")
    new.write_text("a", "utf-8")
    assert [list(committed.texts(path)) for path in (outside, new, Path("nowhere/a.yaml"))] == [[], [], []]

    monkeypatch.setenv("PATH", "")
    assert list(committed.texts(project.file("node-update"))) == []


def test_a_git_that_hangs_is_not_waited_for(project, tmp_path_factory, monkeypatch: pytest.MonkeyPatch):
    tool = tmp_path_factory.mktemp("bin") / "git"
    tool.write_text("#!/bin/sh\nexec sleep 60\n", "utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    monkeypatch.setattr(committed, "PATIENCE", 0.2)
    began = time.monotonic()

    assert list(committed.texts(project.file("node-update"))) == []
    assert time.monotonic() - began < 10


def test_the_commands_way_there_and_back_is_byte_identical_whatever_the_quotes(project):
    file = project.file("node-update")
    text = file.read_text("utf-8").replace("to: llm-new", 'to: "llm-new"').replace("stage: 10", "stage: 'prepare'")
    file.write_text(text, "utf-8")
    project.commit("prepare")
    for verb in ("advance", "advance", "rollback"):
        assert project.rollout(verb, "node-update", "--yes").code == 0
        if verb == "advance":
            project.commit(verb)

    assert file.read_text("utf-8") == text
