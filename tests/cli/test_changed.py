"""`rollout changed`: which stacks a pipeline has to deploy, and which of them go up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.edit.project import Project, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


def write(project: Project, stack: str, stage: str) -> None:
    file = project.file(stack)
    assert "stage: 10" in file.read_text("utf-8")
    file.write_text(file.read_text("utf-8").replace("stage: 10", f"stage: {stage}"), "utf-8")


def changed(project: Project) -> list[tuple[str, str, int]]:
    answer = project.rollout("changed", "--base", "main", "--json")
    assert (answer.err, answer.code) == ("", 0)
    return [(stack["stack"], stack["direction"], stack["weight"]) for stack in json.loads(answer.out)]


def test_nothing_has_changed(project):
    assert changed(project) == []
    assert project.rollout("changed", "--base", "main").out == "no stack file differs from main\n"


def test_what_goes_back_comes_first_and_a_raise_says_how_high(project):
    write(project, "base-model", "50")
    write(project, "lora-adapter", "100")
    write(project, "node-update", "prepare")

    assert changed(project) == [("node-update", "fall", 0), ("base-model", "raise", 50), ("lora-adapter", "raise", 100)]


def test_to_retire_is_a_raise_since_it_gives_the_quick_way_back_away(project):
    write(project, "node-update", "100")
    project.commit("all of it")
    file = project.file("node-update")
    file.write_text(file.read_text("utf-8").replace("stage: 100", "stage: retire"), "utf-8")

    assert changed(project) == [("node-update", "raise", 100)]


@pytest.mark.parametrize("change", [("replicas: 4", "replicas: 5"), ("# ", "#  ")])
def test_a_change_that_moves_no_weight_is_the_same(project, change):
    file = project.file("node-update")
    file.write_text(file.read_text("utf-8").replace(*change), "utf-8")

    assert changed(project) == [("node-update", "same", 0)]


def test_a_canary_that_is_built_is_no_raise_yet(project):
    write(project, "node-update", "baseline")
    project.commit("before")
    file = project.file("node-update")
    file.write_text(file.read_text("utf-8").replace("stage: baseline", "stage: prepare"), "utf-8")

    assert changed(project) == [("node-update", "same", 0)]


def finals(project: Project) -> list[bool]:
    return [stack["final"] for stack in json.loads(project.rollout("changed", "--base", "main", "--json").out)]


def test_a_finish_takes_the_old_version_away_for_good(project):
    write(project, "node-update", "retire")
    project.commit("retire")
    assert finals(project) == []
    assert project.rollout("finish", "node-update", "--yes").code == 0

    assert finals(project) == [True]
    assert "takes something away for good" in project.rollout("changed", "--base", "main").out


def test_so_does_what_takes_an_adapter_away(project):
    file = project.file("lora-adapter")
    text = file.read_text("utf-8")
    file.write_text(text[: text.index("      adapters:")], "utf-8")

    assert finals(project) == [True]


def test_a_raise_and_a_way_back_do_not(project):
    write(project, "node-update", "25")
    write(project, "base-model", "prepare")

    assert finals(project) == [False, False]


def test_new_and_deleted_stacks(project):
    text = project.file("node-update").read_text("utf-8")
    project.file("node-update").unlink()
    project.file("other").write_text(text, "utf-8")

    assert changed(project) == [("node-update", "deleted", 0), ("other", "new", 0)]


def test_other_files_in_the_folder_are_no_stacks(project):
    (project.folder / "stacks" / "notes.yaml").write_text("a: 1\n", "utf-8")
    assert changed(project) == []


def test_every_problem_of_every_changed_file_at_once(project):
    for stack in ("base-model", "node-update"):
        write(project, stack, "11")
    answer = project.rollout("changed", "--base", "main")

    assert answer.code == 1
    assert "Pulumi.base-model.yaml" in answer.err
    assert "Pulumi.node-update.yaml" in answer.err


def test_an_unknown_base_says_so(project):
    answer = project.rollout("changed", "--base", "nowhere")
    assert (answer.code, "nowhere" in answer.err) == (1, True)
