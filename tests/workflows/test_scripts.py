"""What the workflows' scripts do, on a repository with real stack files; `gh` and `pulumi` are scripted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.edit.project import Project, make_project
from tests.workflows.steps import Runner, script


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "repository").mkdir()
    project = make_project(tmp_path / "repository")
    project.git("checkout", "--quiet", "-b", "change")
    return project


@pytest.fixture
def runner(project: Project, tmp_path: Path) -> Runner:
    return Runner(project.folder, tmp_path / "runner")


def write(project: Project, stack: str, stage: str) -> None:
    file = project.file(stack)
    file.write_text(file.read_text("utf-8").replace("stage: 10", f"stage: {stage}"), "utf-8")
    project.commit(f"{stack} to {stage}")


# --- on a pull request ------------------------------------------------------------------------------------------------

REPORT = script("rollout-preview", "report", "report")


def test_the_report_has_every_changed_stack_and_no_other(project, runner):
    write(project, "node-update", "25")
    write(project, "lora-adapter", "prepare")
    done = runner.run(REPORT, BASE="main")

    assert (done.returncode, done.stderr) == (0, "")
    report = (project.folder / "report" / "report.md").read_text("utf-8")
    assert "Service llm goes up from 10 to 25" in report
    assert "goes back from 10 to prepare" in report
    assert "base-model" not in report
    assert json.loads(runner.outputs["stacks"]) == ["lora-adapter", "node-update"]
    assert runner.summary == report


def test_a_refused_move_fails_the_check_and_is_reported(project, runner):
    write(project, "node-update", "100")
    done = runner.run(REPORT, BASE="main")

    assert done.returncode == 3
    assert "skips a rung" in runner.summary


def test_a_broken_file_fails_the_check_and_its_problems_are_reported(project, runner):
    write(project, "node-update", "11")
    done = runner.run(REPORT, BASE="main")

    assert done.returncode == 1
    assert "stage: 11 is not on the ladder" in runner.summary
    assert runner.outputs["stacks"] == "[]"


def test_what_others_have_merged_meanwhile_is_not_in_the_report(project, runner):
    write(project, "node-update", "25")
    project.git("checkout", "--quiet", "main")
    write(project, "base-model", "50")
    project.git("checkout", "--quiet", "change")
    assert runner.run(REPORT, BASE="main").returncode == 0

    assert json.loads(runner.outputs["stacks"]) == ["node-update"]


def test_no_stack_file_changed(project, runner):
    (project.folder / "stacks" / "notes.txt").write_text("a note\n", "utf-8")
    project.commit("notes")
    done = runner.run(REPORT, BASE="main")

    assert (done.returncode, runner.summary) == (0, "No stack file differs from the base.\n")


# --- on merge ---------------------------------------------------------------------------------------------------------

CHANGED = script("rollout-up", "changed", "changed")


def before(project: Project) -> str:
    return project.git("rev-parse", "main").strip()


def given(runner: Runner, queue: str) -> list[tuple[str, str]]:
    """The stacks that are deployed at once or with consent, each with its direction."""
    return [(entry["stack"], entry["direction"]) for entry in json.loads(runner.outputs[queue])]


def break_and_mend(project: Project, stack: str, stage: str) -> str:
    """A commit that breaks a stack's file, and one that mends it and moves it; the one that breaks it."""
    file = project.file(stack)
    text = file.read_text("utf-8")
    file.write_text(text.replace("serving: llm\n", "serving: llmm\n"), "utf-8")
    project.commit("broken")
    broken = project.git("rev-parse", "HEAD").strip()
    file.write_text(text, "utf-8")
    write(project, stack, stage)
    return broken


def test_a_file_that_was_broken_on_main_blocks_neither_its_repair_nor_a_way_back_of_another_stack(project, runner):
    broken = break_and_mend(project, "node-update", "25")
    write(project, "lora-adapter", "prepare")
    done = runner.run(CHANGED, BEFORE=broken, CONSENT_FROM="50")

    assert (done.returncode, done.stderr) == (0, "")
    assert given(runner, "at-once") == [("lora-adapter", "fall"), ("node-update", "raise")]
    assert "has a problem and is not compared with" in runner.summary


def test_a_raise_in_a_repair_needs_the_consent_of_any_raise(project, runner):
    broken = break_and_mend(project, "node-update", "50")
    assert runner.run(CHANGED, BEFORE=broken, CONSENT_FROM="50").returncode == 0

    assert given(runner, "with-consent") == [("node-update", "raise")]


def test_a_file_of_which_nobody_can_tell_what_it_moves_waits_for_consent(project, runner):
    text = project.file("node-update").read_text("utf-8")
    project.file("other").write_text(text.replace("serving: llm\n", "serving: llmm\n"), "utf-8")
    project.commit("never valid")
    origin = project.git("rev-parse", "HEAD").strip()
    project.file("other").write_text(text, "utf-8")
    project.commit("valid")
    assert runner.run(CHANGED, BEFORE=origin, CONSENT_FROM="50").returncode == 0

    assert (given(runner, "at-once"), given(runner, "with-consent")) == ([], [("other", "unknown")])


def test_a_raise_to_half_and_more_waits_for_consent_and_a_way_back_never_does(project, runner):
    write(project, "node-update", "prepare")
    write(project, "base-model", "50")
    write(project, "lora-adapter", "50")
    done = runner.run(CHANGED, BEFORE=before(project), CONSENT_FROM="50")

    assert (done.returncode, done.stderr) == (0, "")
    assert given(runner, "at-once") == [("node-update", "fall")]
    assert given(runner, "with-consent") == [("base-model", "raise"), ("lora-adapter", "raise")]


def test_a_finish_waits_for_consent_since_nothing_brings_the_old_version_back(project, runner):
    write(project, "node-update", "retire")
    origin = project.git("rev-parse", "HEAD").strip()
    assert runner.run("rollout finish node-update --yes").returncode == 0
    project.commit("finish")
    assert runner.run(CHANGED, BEFORE=origin, CONSENT_FROM="50").returncode == 0

    assert (given(runner, "at-once"), given(runner, "with-consent")) == ([], [("node-update", "same")])


def test_a_raise_below_needs_none(project, runner):
    write(project, "node-update", "25")
    assert runner.run(CHANGED, BEFORE=before(project), CONSENT_FROM="50").returncode == 0

    assert (given(runner, "at-once"), given(runner, "with-consent")) == ([("node-update", "raise")], [])


def test_a_deleted_file_deploys_nothing(project, runner):
    project.file("node-update").unlink()
    project.commit("gone")
    assert runner.run(CHANGED, BEFORE=before(project), CONSENT_FROM="50").returncode == 0

    assert (runner.outputs["at-once"], runner.outputs["with-consent"]) == ("[]", "[]")
    assert "node-update: deleted" in runner.summary


def test_a_commit_before_that_is_not_there_means_the_parent(project, runner):
    write(project, "base-model", "50")
    write(project, "node-update", "25")
    assert runner.run(CHANGED, BEFORE="0" * 40, CONSENT_FROM="50").returncode == 0

    assert (given(runner, "at-once"), given(runner, "with-consent")) == ([("node-update", "raise")], [])


BEFORE_THE_QUEUE = script("rollout-up-stack", "superseded", "superseded")
WITH_THE_LOCK = script("rollout-up-locked", "up", "superseded")


@pytest.fixture
def merged(project: Project, runner: Runner, tmp_path: Path) -> Project:
    """A merge that moves node-update to 50, as its run has checked it out; what is committed later, the run has to fetch."""
    write(project, "node-update", "50")
    checkout = tmp_path / "checkout"
    project.git("clone", "--quiet", str(project.folder), str(checkout))
    runner.repository = checkout
    return project


def later(project: Project, stack: str) -> str:
    """A later commit that changes a stack's file."""
    project.file(stack).write_text(project.file(stack).read_text("utf-8") + "# later\n", "utf-8")
    project.commit("later")
    return project.git("rev-parse", "HEAD").strip()


def superseded(runner: Runner, project: Project, text: str, direction: str) -> str:
    done = runner.run(text, STACK="node-update", BRANCH="change", DIRECTION=direction, REMOTE=str(project.folder))
    assert done.returncode == 0, done.stderr
    return runner.outputs["answer"]


def deployed(runner: Runner, *updates: tuple[str, str]) -> None:
    """What `pulumi stack history` tells: result and commit of each update, newest first."""
    told = [{"kind": "update", "result": result, "environment": {"git.head": commit}} for result, commit in updates]
    (runner.home / "told.json").write_text(json.dumps(told), "utf-8")
    runner.program("pulumi", f"cat {runner.home}/told.json")


@pytest.mark.parametrize("text", [BEFORE_THE_QUEUE, WITH_THE_LOCK], ids=["before the queue", "with the lock"])
@pytest.mark.parametrize(("stack", "answer"), [("node-update", "yes"), ("base-model", "no")])
def test_a_raise_that_waited_is_superseded_by_a_later_change_of_its_stack_only(merged, runner, text, stack, answer):
    later(merged, stack)

    assert superseded(runner, merged, text, "raise") == answer


@pytest.mark.parametrize("text", [BEFORE_THE_QUEUE, WITH_THE_LOCK], ids=["before the queue", "with the lock"])
def test_a_later_change_of_the_file_that_a_link_leads_to_supersedes_too(project, runner, tmp_path, text):
    project.file("node-update").rename(project.folder / "nu.yaml")
    project.file("node-update").symlink_to("../nu.yaml")
    project.commit("linked")
    project.git("clone", "--quiet", str(project.folder), str(tmp_path / "checkout"))
    runner.repository = tmp_path / "checkout"
    assert superseded(runner, project, text, "raise") == "no"

    later(project, "node-update")
    assert superseded(runner, project, text, "raise") == "yes"


def test_a_way_back_is_not_superseded_by_what_may_never_be_deployed(merged, runner):
    commit = later(merged, "node-update")
    deployed(runner, ("failed", commit), ("succeeded", merged.git("rev-parse", "main").strip()))

    assert superseded(runner, merged, WITH_THE_LOCK, "fall") == "no"


def test_a_way_back_that_is_run_again_is_superseded_by_a_later_change_that_is_deployed(merged, runner):
    commit = later(merged, "node-update")
    deployed(runner, ("succeeded", later(merged, "base-model")), ("succeeded", commit))

    assert superseded(runner, merged, WITH_THE_LOCK, "fall") == "yes"


def test_a_later_deployed_commit_that_leaves_its_file_as_it_is_supersedes_no_way_back(merged, runner):
    deployed(runner, ("succeeded", later(merged, "base-model")), ("succeeded", "0" * 40))

    assert superseded(runner, merged, WITH_THE_LOCK, "fall") == "no"


@pytest.mark.parametrize("pulumi", ["exit 1", "echo null", 'echo \'[{"kind": "update", "result": "succeeded"}]\''])
def test_a_history_that_tells_nothing_does_not_hold_a_way_back(merged, runner, pulumi):
    later(merged, "node-update")
    runner.program("pulumi", pulumi)

    assert superseded(runner, merged, WITH_THE_LOCK, "fall") == "no"


MESSAGE = script("rollout-up-locked", "up", "message")
PULL = {"number": 12, "title": "llm to 50 $(touch /tmp/no) `id`", "user": {"login": "ada"}}


@pytest.mark.parametrize(
    ("reviews", "approved"),
    [
        ([("grace", "APPROVED"), ("alan", "COMMENTED"), ("edsger", "APPROVED"), ("grace", "APPROVED")], "edsger, grace"),
        ([], "nobody"),
    ],
)
def test_the_update_names_the_pull_request_and_who_approved_it(runner, tmp_path, reviews, approved):
    said = [{"user": {"login": who}, "state": state} for who, state in reviews]
    (tmp_path / "pulls.json").write_text(json.dumps([PULL]), "utf-8")
    (tmp_path / "reviews.json").write_text(json.dumps(said), "utf-8")
    # As gh: the last argument is the filter for jq, and texts come without quotes.
    runner.program(
        "gh", f'case "$*" in */pulls\\ *) f=pulls;; */reviews\\ *) f=reviews;; esac; jq -r "${{@: -1}}" {tmp_path}/$f.json'
    )
    done = runner.run(MESSAGE, REPOSITORY="o/r", SHA="abc")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"#12 {PULL['title']}, by ada, approved by {approved}\n"


def test_a_push_without_a_pull_request_says_so(runner):
    runner.program("gh", "exit 0")
    done = runner.run(MESSAGE, REPOSITORY="o/r", SHA="abc")

    assert (done.returncode, done.stdout) == (0, "Stacks, by Ada, without a pull request\n")


def test_the_message_reaches_pulumi_as_one_argument(runner):
    (runner.repository / "message.txt").write_text(f"{PULL['title']}\n", "utf-8")
    runner.program("pulumi", 'for argument in "$@"; do echo "[$argument]"; done')
    done = runner.run(script("rollout-up-locked", "up", "up"), STACK="prod")

    assert done.stdout.splitlines()[-1] == f"[{PULL['title']}]"
    assert "[--yes]" in done.stdout
