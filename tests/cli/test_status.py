"""`rollout status`: where every rollout stands, from the stack files alone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from inference_rollouts.cli.status import read_all, render
from tests.edit.project import GOLDEN, Project, check_golden, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


def test_without_a_stack_all_of_the_project_are_shown(project):
    answer = project.rollout("status")

    assert (answer.code, answer.err) == (0, "")
    check_golden(GOLDEN / "status" / "all.txt", answer.out)


def test_all_of_them_as_markdown_is_one_page_of_what_runs_where(project):
    answer = project.rollout("status", "--all", "--format", "markdown")

    assert answer.code == 0
    check_golden(GOLDEN / "status" / "all.md", answer.out)


def test_one_stack_as_json_is_one_document(project):
    document = json.loads(project.rollout("status", "node-update", "--json").out)
    (service,) = document["services"]

    assert (document["stack"], document["file"]) == ("node-update", "stacks/Pulumi.node-update.yaml")
    assert {
        key: service[key] for key in ("service", "kind", "serving", "to", "stage", "next", "steps", "templates", "adapters")
    } == {
        "service": "llm",
        "kind": "node",
        "serving": "llm",
        "to": "llm-new",
        "stage": 10,
        "next": 25,
        "steps": [1, 10, 25, 50, 100],
        "templates": [],
        "adapters": [],
    }
    assert [(v["version"], v["weight"], v["protected"], v["nodes"]["nodes"]) for v in service["versions"]] == [
        ("llm", 90, True, 4),
        ("llm-new", 10, True, 2),
    ]


def test_several_stacks_as_json_are_a_list(project):
    assert [s["stack"] for s in json.loads(project.rollout("status", "--json").out)] == [
        "base-model",
        "lora-adapter",
        "node-update",
    ]


@pytest.mark.parametrize(
    ("stage", "following", "versions"),
    [
        ("baseline", "prepare", [("llm", 100, True)]),
        ("prepare", 1, [("llm", 100, True), ("llm-new", 0, False)]),
        (100, "retire", [("llm", 0, True), ("llm-new", 100, True)]),
        ("retire", "finish", [("llm-new", 100, True), ("llm", None, False)]),
    ],
)
def test_each_stage_says_what_is_next_and_what_is_protected(project, stage, following, versions):
    file = project.file("node-update")
    file.write_text(file.read_text("utf-8").replace("stage: 10 }", f"stage: {stage} }}"), "utf-8")
    (service,) = json.loads(project.rollout("status", "node-update", "--json").out)["services"]

    assert service["next"] == following
    assert [(v["version"], v["weight"], v["protected"]) for v in service["versions"]] == versions


def test_a_version_that_no_stage_builds_is_listed_as_such(project):
    file = project.file("node-update")
    file.write_text(
        file.read_text("utf-8").replace("        llm-new:\n", "        spare: { like: llm }\n        llm-new:\n"), "utf-8"
    )

    assert "    not built: spare\n" in project.rollout("status", "node-update").out


def test_a_broken_file_hides_no_other(project):
    project.file("base-model").write_text("config: {}\n", "utf-8")
    answer = project.rollout("status")

    assert answer.code == 1
    assert "node-update" in answer.out
    assert "stacks/Pulumi.base-model.yaml" in answer.err


def test_a_stack_that_is_not_there_is_a_sentence(project):
    answer = project.rollout("status", "nod-update")

    assert (answer.code, answer.out) == (1, "")
    assert "did you mean node-update?" in answer.err


def test_all_takes_no_stack(project):
    assert project.rollout("status", "--all", "node-update").code == 2


def test_a_terminal_gets_colours_and_a_pipe_none(project):
    standings, _ = read_all(["node-update"])
    texts = []
    for terminal in (True, False):
        out = io.StringIO()
        render(standings, Console(file=out, force_terminal=terminal, width=200, color_system="standard" if terminal else None))
        texts.append(out.getvalue())

    assert "\x1b[32m██" in texts[0]
    assert "\x1b" not in texts[1]
