"""`rollout history`: the stage changes of a stack file from Git, newest first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.edit.project import Project, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path, "node-update")


def write(project: Project, text: str) -> None:
    project.file("node-update").write_text(text, "utf-8")


def changes(project: Project) -> list[dict]:
    answer = project.rollout("history", "node-update", "--json")
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)["changes"]


def test_a_change_names_commit_date_author_subject_stages_and_weights(project):
    write(project, project.file("node-update").read_text("utf-8").replace("stage: 10", "stage: 25"))
    project.commit("llm to 25: | latency is fine\n\nLonger text.", date="2026-02-01T09:30:00+01:00")
    newest, first = changes(project)

    assert newest.pop("commit") == project.git("rev-parse", "HEAD").strip()
    assert newest == {
        "date": "2026-02-01T09:30:00+01:00",
        "author": "Ada",
        "subject": "llm to 25: | latency is fine",
        "service": "llm",
        "adapter": None,
        "from": 10,
        "to": 25,
        "weights": {"llm": 75, "llm-new": 25},
    }
    assert (first["from"], first["to"]) == (None, 10)


def test_as_text_a_change_is_two_lines(project):
    write(project, project.file("node-update").read_text("utf-8").replace("stage: 10", "stage: prepare"))
    project.commit("Back", date="2026-02-01T09:30:00+01:00")
    lines = project.rollout("history", "node-update").out.splitlines()

    assert lines[0].split("  ", 1)[1] == "2026-02-01 09:30 +01:00  Ada  llm: 10 → prepare"
    assert lines[1].strip() == "Back  (llm 100 %, llm-new 0 %)"


def test_commits_that_change_no_stage_are_not_listed(project):
    write(project, f"# a comment\n{project.file('node-update').read_text('utf-8')}")
    project.commit("Comment")
    project.commit("Nothing")

    assert len(changes(project)) == 1


def test_a_commit_whose_file_cannot_be_read_is_said_and_hides_no_other(project):
    good = project.file("node-update").read_text("utf-8")
    write(project, "config: [\n")
    project.commit("Broken")
    write(project, good)
    project.commit("Mended")
    document = json.loads(project.rollout("history", "node-update", "--json").out)

    assert len(document["unread"]) == 1
    assert [change["subject"] for change in document["changes"]][-1] == "Stacks"
    assert "could not be read at that commit" in project.rollout("history", "node-update").out


def test_what_todays_settings_would_refuse_still_has_a_history(project):
    write(
        project, project.file("node-update").read_text("utf-8").replace("stage: 10", "stage: 25").replace("models:", "modells:")
    )
    project.commit("Older keys")

    assert [change["to"] for change in changes(project)] == [25, 10]


def test_a_merged_branch_has_its_own_commits(project):
    project.git("checkout", "--quiet", "-b", "raise")
    write(project, project.file("node-update").read_text("utf-8").replace("stage: 10", "stage: 25"))
    project.commit("Raise")
    project.git("checkout", "--quiet", "main")
    project.commit("Elsewhere")
    project.git("merge", "--quiet", "--no-ff", "-m", "Merge", "raise")

    assert [change["subject"] for change in changes(project)] == ["Raise", "Stacks"]


def test_a_file_that_was_deleted_still_has_a_history(project):
    project.file("node-update").unlink()
    project.commit("Gone")

    assert (changes(project)[0]["from"], changes(project)[0]["to"]) == (10, None)


def test_a_file_that_never_was_is_a_sentence(project):
    answer = project.rollout("history", "nowhere")

    assert (answer.code, answer.err) == (1, "nowhere: there is no such stack file, here or in Git\n")


def test_a_stage_that_never_changed_in_a_commit_says_so(project):
    project.file("new").write_bytes(project.file("node-update").read_bytes())

    assert project.rollout("history", "new").out == "no stage of new has ever changed in a commit\n"


# --- with the updates that Pulumi tells ---------------------------------------------------------------------------------


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A Pulumi CLI that says this."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def update(version: int, stage: object, *, result: str = "succeeded", kind: str = "update") -> dict:
    rollout = {"to": "llm-new", "stage": stage}
    services = {"llm": {"serving": "llm", "rollout": rollout}}
    return {
        "kind": kind,
        "version": version,
        "startTime": f"2026-02-0{version}T09:00:00.000Z",
        "result": result,
        "message": f"#{version} llm to {stage}, by ada, approved by grace",
        "environment": {"git.head": f"{version}" * 40},
        "config": {"inference-rollouts:services": {"value": json.dumps(services), "secret": False}},
    }


def test_updates_stand_among_the_commits_by_time(project, tmp_path, monkeypatch):
    history = [update(4, 25, result="failed"), update(3, 10, kind="refresh"), update(2, 10), update(1, "prepare")]
    told(tmp_path, monkeypatch, f"cat <<'EOF'\n{json.dumps(history)}\nEOF")
    lines = project.rollout("history", "node-update").out.splitlines()

    assert lines[:5] == [
        "update 4    2026-02-04 09:00 +00:00  failed  llm: 10 → 25",
        f"            #4 llm to 25, by ada, approved by grace  (of {'4' * 10})",
        "update 2    2026-02-02 09:00 +00:00  succeeded  llm: prepare → 10",
        f"            #2 llm to 10, by ada, approved by grace  (of {'2' * 10})",
        "update 1    2026-02-01 09:00 +00:00  succeeded  llm: not there → prepare",
    ]
    assert "llm: not there → 10" in lines[6]  # the commit of January

    document = json.loads(project.rollout("history", "node-update", "--json").out)
    assert [entry["version"] for entry in document["updates"]] == [4, 2, 1]
    assert document["updates"][0]["changes"][0]["to"] == 25


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'error: no stack named node-update found' >&2; exit 1", "no stack named node-update found"),
        ("exit 7", "pulumi ended with 7"),
        ("echo not json", "JSONDecodeError"),
        ('echo \'[{"kind": "update"}]\'', "KeyError"),
    ],
)
def test_a_cli_that_cannot_tell_leaves_the_history_of_git(project, tmp_path, monkeypatch, script, why):
    told(tmp_path, monkeypatch, script)
    answer = project.rollout("history", "node-update")

    assert (answer.code, answer.err) == (0, "")
    assert "llm: not there → 10" in answer.out
    assert f"pulumi stack history says: {why}" in answer.out
