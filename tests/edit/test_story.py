"""The life of each kind of rollout, through commits: each edit of the stack file and each preview is golden."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import EXAMPLES
from tests.edit.project import GOLDEN, Project, check_golden

VERBS = (
    ("start", "prepare"),
    ("advance", 1),
    ("advance", 50),
    ("rollback", "prepare"),
    ("advance", 1),
    ("advance", 50),
    ("advance", 100),
    ("advance", "retire"),
    ("rollback", 100),
    ("advance", "retire"),
    ("finish", "finish"),
)
WHAT = {"node-update": "llm", "base-model": "llm", "lora-adapter": "llm/llm"}
TO = {"node-update": "llm-new", "base-model": "llm-pool-version-2", "lora-adapter": "llm-v2"}


def without_rollout(project: Project, stack: str) -> None:
    """The example before its rollout begins."""
    file = project.file(stack)
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.lstrip().startswith("rollout:")), "utf-8")
    project.commit(f"{stack} serves")


def arguments(stack: str, verb: str) -> list[str]:
    started = [WHAT[stack], "--to", TO[stack], "--steps", "1,50,100"] if verb == "start" else []
    return [verb, stack, *started, "--yes"]


@pytest.mark.parametrize("stack", EXAMPLES)
def test_a_rollout_lives_from_start_to_finish_in_edits_that_are_previewed_and_committed(project, stack):
    without_rollout(project, stack)
    for number, (verb, stage) in enumerate(VERBS, 1):
        name = f"{number:02}-{verb}" if verb == stage else f"{number:02}-{verb}-{stage}"
        assert project.rollout(*arguments(stack, verb)).code == 0
        check_golden(GOLDEN / "edits" / stack / f"{name}.diff", edit(project, stack))
        preview = project.rollout("preview", stack, "--format", "markdown")
        check_golden(GOLDEN / "reports" / stack / f"{name}.md", preview.out)
        assert (preview.code, preview.err) == (0, "")
        project.commit(f"{stack}: {verb}", date=f"2026-01-{number + 5:02}T12:00:00+01:00")
    stages = [change["to"] for change in json.loads(project.rollout("history", stack, "--json").out)["changes"]]
    assert stages[: len(VERBS)] == [stage for _, stage in reversed(VERBS)]


def edit(project: Project, stack: str) -> str:
    """The change of the file, as Git sees it, without hashes."""
    return re.sub(r"^index .*\n", "", project.git("diff", "--", str(project.file(stack))), flags=re.MULTILINE)


def test_the_diff_that_a_verb_shows_is_the_one_that_git_sees(project):
    without_rollout(project, "node-update")
    shown = json.loads(project.rollout(*arguments("node-update", "start"), "--json").out)["diff"]
    # Git names the function that a hunk is in; a unified diff need not.
    seen = re.sub(r"(@@ .* @@).*", r"\1", edit(project, "node-update")).split("\n", 1)[1]

    assert shown == seen


def test_the_diff_that_a_verb_shows_can_be_applied_by_git(project):
    diff = json.loads(project.rollout("advance", "node-update", "--json").out)["diff"]
    (project.folder / "edit.diff").write_text(diff, "utf-8")
    project.git("apply", "edit.diff")

    assert "stage: 25" in project.file("node-update").read_text("utf-8")
