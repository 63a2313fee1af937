"""Where the project is, and which file a STACK means."""

from __future__ import annotations

import pytest

from inference_rollouts.cli.project import complete_stack, find_project, is_path, open_stack
from inference_rollouts.errors import InputError
from tests.conftest import EXAMPLES, ROOT


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(act, *arguments) -> str:
    with pytest.raises(InputError) as e:
        act(*arguments)
    return str(e.value)


def test_this_repository_is_a_project_with_the_shipped_stacks():
    project = find_project(ROOT / "inference_rollouts" / "cli")

    assert (project.folder, project.stacks) == (ROOT, ROOT / "stacks")
    assert set(EXAMPLES) <= set(project.stack_names())


def test_the_nearest_project_wins(folder):
    for name, stacks in ((".", "outer"), ("a", "inner")):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "Pulumi.yaml").write_text(f"name: inference-rollouts\nstackConfigDir: {stacks}\n")
    (folder / "a/b").mkdir()

    assert find_project(folder / "a/b").stacks == folder / "a/inner"
    assert find_project(folder).stacks == folder / "outer"


def test_without_a_folder_for_stacks_they_are_beside_pulumi_yaml(folder):
    (folder / "Pulumi.yaml").write_text("name: inference-rollouts\n")
    (folder / "Pulumi.prod.yaml").write_text("config: {}\n")

    assert find_project().stack_names() == ["prod"]


def test_another_project_is_not_taken_for_ours(folder):
    (folder / "Pulumi.yaml").write_text("name: website\n")

    assert (
        said(find_project) == f"{folder}/Pulumi.yaml: name: is website; run this in the project inference-rollouts, or below it"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"runtime: python\n", "name: is missing; run this in the project inference-rollouts, or below it"),
        (b"- name\n", "name: is missing; run this in the project inference-rollouts, or below it"),
        (b"", "name: is missing; run this in the project inference-rollouts, or below it"),
        (b"name: [a]\n", "name: is missing; run this in the project inference-rollouts, or below it"),
        (b"name: \xff\n", "is no text in UTF-8: byte 6 is 0xff; save it as UTF-8"),
        (b"name: [\n", "has a bracket that is not closed"),
    ],
)
def test_a_project_file_that_says_no_name_is_refused_in_a_sentence(text, why, folder):
    (folder / "Pulumi.yaml").write_bytes(text)

    found = said(find_project)

    assert found.startswith(f"{folder}/Pulumi.yaml")
    assert why in found or "is no valid YAML" in found


def test_a_date_in_the_project_file_is_no_problem(folder):
    (folder / "Pulumi.yaml").write_text("name: inference-rollouts\ndescription: 2026-99-99\nstackConfigDir: s\n")

    assert find_project().stacks == folder / "s"


@pytest.mark.parametrize(
    ("stack", "path"),
    [
        ("prod", False),
        ("eu.prod", False),
        ("./prod", True),
        ("a/b", True),
        ("prod.yaml", True),
        ("prod.yml", True),
        ("yaml", False),
    ],
)
def test_what_holds_a_slash_or_ends_like_yaml_is_a_path(stack, path):
    assert is_path(stack) is path


def test_a_stack_of_the_project_is_called_by_its_name(monkeypatch):
    monkeypatch.chdir(ROOT / "inference_rollouts")
    file = open_stack("node-update")

    assert (file.stack, file.path) == ("node-update", ROOT / "stacks/Pulumi.node-update.yaml")


def test_its_file_is_shown_as_short_as_it_can_be_said(monkeypatch):
    monkeypatch.chdir(ROOT)

    assert str(open_stack("node-update").path) == "stacks/Pulumi.node-update.yaml"


@pytest.mark.parametrize("stack", ["", "..", "*", "x" * 300, "node-update\n"])
def test_odd_stack_names_are_no_stacks_and_no_tracebacks(stack, monkeypatch):
    monkeypatch.chdir(ROOT)

    assert said(open_stack, stack).startswith("stacks: there is no stack ")


def test_a_project_without_stacks_says_what_they_are_called(folder):
    (folder / "Pulumi.yaml").write_text("name: inference-rollouts\nstackConfigDir: stacks\n")

    assert said(open_stack, "prod") == "stacks: there is no stack prod; no stack has a file (Pulumi.STACK.yaml) yet"


def test_stack_names_are_completed_and_outside_a_project_there_are_none(folder, monkeypatch):
    assert complete_stack("") == []

    monkeypatch.chdir(ROOT)
    assert complete_stack("node") == ["node-update"]
    assert set(EXAMPLES) <= set(complete_stack(""))


def test_a_working_directory_that_is_gone_is_said(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(InputError, match="the working directory is gone"):
        find_project()
    monkeypatch.chdir(tmp_path)
