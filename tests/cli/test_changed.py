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


# --- a base that cannot be read ---------------------------------------------------------------------------------------


def broken(project: Project, stack: str = "node-update") -> str:
    """Commit a problem of a stack's file, and take it out of the working tree again; the text without it."""
    file = project.file(stack)
    text = file.read_text("utf-8")
    file.write_text(text.replace("serving: llm\n", "serving: llmm\n"), "utf-8")
    project.commit("broken")
    file.write_text(text, "utf-8")
    return text


def test_a_file_that_is_broken_on_main_blocks_neither_its_repair_nor_a_way_back_of_another_stack(project):
    broken(project)
    write(project, "lora-adapter", "prepare")

    assert changed(project) == [("lora-adapter", "fall", 0), ("node-update", "same", 0)]
    said = project.rollout("changed", "--base", "main").out
    assert f"the file in {project.git('rev-parse', 'main')[:10]} has a problem and is not compared with" in said


def test_a_repair_is_compared_with_the_newest_valid_text_so_a_raise_in_it_is_one(project):
    broken(project)
    write(project, "node-update", "50")

    assert changed(project) == [("node-update", "raise", 50)]


def test_a_repair_that_goes_back_is_a_way_back(project):
    broken(project)
    write(project, "node-update", "prepare")

    assert changed(project) == [("node-update", "fall", 0)]


def test_without_any_valid_text_before_the_direction_is_unknown_and_not_new(project):
    text = project.file("node-update").read_text("utf-8")
    project.file("other").write_text(text.replace("serving: llm\n", "serving: llmm\n"), "utf-8")
    project.commit("never valid")
    project.file("other").write_text(text, "utf-8")

    assert changed(project) == [("other", "unknown", 0)]
    (entry,) = json.loads(project.rollout("changed", "--base", "main", "--json").out)
    assert entry["changes"] == []
    assert "nobody can tell what moves" in entry["note"]


def test_a_broken_file_that_is_deleted_is_deleted(project):
    broken(project)
    project.file("node-update").unlink()

    assert changed(project) == [("node-update", "deleted", 0)]


# --- links ------------------------------------------------------------------------------------------------------------


def linked(project: Project, stack: str, to: str) -> None:
    """A stack file that is a link."""
    project.file(stack).unlink(missing_ok=True)
    project.file(stack).symlink_to(to)


def test_a_link_is_changed_when_the_file_that_it_leads_to_is(project):
    (project.folder / "shared").mkdir()
    shared = project.folder / "shared" / "nu.yaml"
    project.file("node-update").rename(shared)
    linked(project, "node-update", "../shared/nu.yaml")
    project.commit("linked")
    assert changed(project) == []

    shared.write_text(shared.read_text("utf-8").replace("stage: 10", "stage: 25"), "utf-8")
    assert changed(project) == [("node-update", "raise", 25)]
    assert project.rollout("history", "node-update").code == 0


def test_every_stack_that_leads_to_a_changed_file_is_changed_however_many_links_away(project):
    linked(project, "eu", "Pulumi.node-update.yaml")
    linked(project, "us", "Pulumi.eu.yaml")
    project.commit("linked")
    write(project, "node-update", "25")

    assert changed(project) == [(stack, "raise", 25) for stack in ("eu", "node-update", "us")]


def test_a_file_that_becomes_a_link_to_the_same_text_moves_nothing(project):
    text = project.file("node-update").read_text("utf-8")
    (project.folder / "nu.yaml").write_text(text, "utf-8")
    linked(project, "node-update", "../nu.yaml")

    assert changed(project) == [("node-update", "same", 0)]


def test_a_link_that_leads_to_another_file_now_is_changed(project):
    linked(project, "eu", "Pulumi.node-update.yaml")
    write(project, "base-model", "50")
    project.commit("linked")
    linked(project, "eu", "Pulumi.base-model.yaml")

    assert [stack for stack, _, _ in changed(project)] == ["eu"]


def test_a_link_whose_file_is_gone_is_a_problem_and_not_a_deleted_stack(project):
    linked(project, "eu", "Pulumi.node-update.yaml")
    project.commit("linked")
    project.file("node-update").unlink()
    answer = project.rollout("changed", "--base", "main")

    assert (answer.code, answer.err) == (1, "stacks/Pulumi.eu.yaml: cannot be read: No such file or directory\n")


def test_a_link_out_of_the_repository_is_read_and_was_not_there_before(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "nu.yaml"
    outside.write_text(project.file("node-update").read_text("utf-8"), "utf-8")
    linked(project, "eu", str(outside))

    assert changed(project) == [("eu", "new", 0)]
    project.commit("linked")
    assert changed(project) == []
