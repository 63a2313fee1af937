"""What must hold of the workflows whatever they do: rights, locks, and that forks get nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest
import yaml

from inference_rollouts.cli.main import everything
from tests.conftest import ROOT
from tests.workflows.steps import WORKFLOWS, workflow

ALL = sorted(path.stem for path in WORKFLOWS.glob("*.yml"))
ROLLOUT = [name for name in ALL if name.startswith("rollout")]


@pytest.mark.parametrize("name", ALL)
def test_every_workflow_says_its_rights_and_how_long_it_may_take(name):
    document = workflow(name)
    assert "permissions" in document
    for job, body in document["jobs"].items():
        assert "timeout-minutes" in body or "uses" in body, job


@pytest.mark.parametrize("name", ROLLOUT)
def test_others_can_reuse_it(name):
    assert "workflow_call" in workflow(name)[True]  # `on`


def test_what_runs_a_pull_requests_code_may_only_read():
    document = workflow("rollout-preview")
    assert document["permissions"] == {"contents": "read"}
    assert "permissions" not in document["jobs"]["report"]
    assert "secrets." not in (WORKFLOWS / "rollout-preview.yml").read_text("utf-8")
    assert "head.repo.full_name == github.repository" in document["jobs"]["pulumi"]["if"]


def test_what_may_write_runs_none_of_its_code():
    text = (WORKFLOWS / "rollout-comment.yml").read_text("utf-8")
    assert "checkout" not in text
    assert "run:" not in re.sub(r"[a-z_.]+run:", "", text)


@pytest.mark.parametrize("name", ALL)
def test_no_script_holds_text_that_anybody_could_write(name):
    for job in workflow(name)["jobs"].values():
        for step in job.get("steps", ()):
            used = re.findall(r"\$\{\{(.*?)\}\}", step.get("run", ""))
            assert all(expression.strip().startswith("inputs.setup") for expression in used)


def test_one_update_at_a_time_for_each_stack_and_none_is_broken_off():
    (job,) = workflow("rollout-up-locked")["jobs"].values()
    assert job["concurrency"] == {"group": "rollout-up-${{ inputs.stack }}", "cancel-in-progress": False}


def test_a_way_back_waits_where_no_raise_takes_its_place_and_two_are_all_that_ever_want_the_lock():
    """At most one job waits for a group. The two queues let one job each through, and the lock has room for both."""
    up = workflow("rollout-up-stack")["jobs"]["up"]
    queue = "rollout-${{ inputs.direction == 'fall' && 'fall' || 'other' }}-${{ inputs.stack }}"
    assert up["concurrency"] == {"group": queue, "cancel-in-progress": False}
    assert up["uses"].endswith("/rollout-up-locked.yml")
    assert [name for name in ALL if "rollout-up-locked.yml" in calls(name)] == ["rollout-up-stack"]


def test_what_is_superseded_is_told_so_before_it_queues_and_a_way_back_is_not_asked():
    jobs = workflow("rollout-up-stack")["jobs"]
    assert "concurrency" not in jobs["superseded"]
    assert jobs["superseded"]["if"] == "inputs.direction != 'fall'"
    assert jobs["up"]["needs"] == "superseded"
    # Without `!cancelled()` a job that is skipped takes along those that need it.
    assert jobs["up"]["if"] == "${{ !cancelled() && (inputs.direction == 'fall' || needs.superseded.outputs.answer == 'no') }}"


def test_nothing_is_deployed_by_a_run_that_is_superseded_when_it_gets_the_lock():
    steps = workflow("rollout-up-locked")["jobs"]["up"]["steps"]
    after = steps[[step.get("name") for step in steps].index("superseded") + 1 :]
    assert [step["name"] for step in after] == ["message", "preview", "up", "status"]
    assert all("steps.superseded.outputs.answer == 'no'" in step["if"] for step in after)


def test_the_direction_reaches_the_queue_and_the_lock():
    directions = {"at-once": "${{ matrix.direction }}", "with-consent": "${{ matrix.direction }}"}
    assert {name: workflow("rollout-up")["jobs"][name]["with"]["direction"] for name in directions} == directions
    assert workflow("rollout-up-stack")["jobs"]["up"]["with"]["direction"] == "${{ inputs.direction }}"


def test_consent_holds_no_lock_that_a_way_back_would_wait_for():
    jobs = workflow("rollout-up")["jobs"]
    assert "concurrency" not in workflow("rollout-up")
    assert all("concurrency" not in job for job in jobs.values())
    assert "environment" in jobs["consent"]
    assert "consent" not in jobs["at-once"]["needs"]


@pytest.mark.parametrize("name", ROLLOUT)
def test_every_command_in_it_exists(name):
    verbs = {command.name or command.callback.__name__ for command in everything().registered_commands if command.callback}
    used = re.findall(r"(?m)(?:^|[;&|{(]|if|then)\s*rollout ([a-z]+)", (WORKFLOWS / f"{name}.yml").read_text("utf-8"))
    assert set(used) <= verbs


# --- who calls them ---------------------------------------------------------------------------------------------------

LEVELS = ("none", "read", "write")

CALLERS = [
    yaml.safe_load(text) for text in re.findall(r"(?s)```yaml\n(.*?)```", (ROOT / "docs" / "pull-requests.md").read_text("utf-8"))
]
"""The documented workflows of a repository that calls these."""


def calls(name: str) -> list[str]:
    """The files of the workflows that a workflow calls."""
    return [job["uses"].rpartition("/")[2] for job in workflow(name)["jobs"].values() if "uses" in job]


def called(job: dict[str, Any]) -> str:
    """The workflow that a job calls."""
    (name,) = re.findall(r"/\.github/workflows/(.*)\.yml(?:@main)?$", job["uses"])
    return name


def most(rights: Iterable[dict[str, str]]) -> dict[str, str]:
    """For each right the highest level."""
    found: dict[str, str] = {}
    for key, level in (item for each in rights for item in each.items()):
        found[key] = max(found.get(key, "none"), level, key=LEVELS.index)
    return found


def asked(name: str) -> dict[str, str]:
    """The rights that a workflow's jobs ask for, with those of what they call."""
    document = workflow(name)
    jobs = document["jobs"].values()
    own = [job.get("permissions", document["permissions"]) for job in jobs]
    return most([*own, *(asked(called(job)) for job in jobs if "uses" in job)])


@pytest.mark.parametrize("name", ROLLOUT)
def test_a_job_that_calls_another_workflow_has_the_rights_that_this_one_asks_for(name):
    document = workflow(name)
    for job in document["jobs"].values():
        if "uses" in job:
            own = job.get("permissions", document["permissions"])
            assert most([own, asked(called(job))]) == own


def test_the_documentation_has_a_caller_for_every_workflow_that_an_event_starts():
    names = [called(job) for caller in CALLERS for job in caller["jobs"].values()]
    assert sorted(names) == [name for name in ROLLOUT if workflow(name)[True].keys() != {"workflow_call"}]


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: str(caller.get("name")))
def test_a_documented_caller_has_the_name_the_events_the_rights_and_the_inputs_of_what_it_calls(caller):
    (job,) = caller["jobs"].values()
    document = workflow(called(job))
    events = {event: what for event, what in document[True].items() if event != "workflow_call"}

    assert caller.get("name") == document["name"]
    assert caller[True] == events
    assert job.get("permissions") == asked(called(job))
    inputs = (document[True]["workflow_call"] or {}).get("inputs", {})
    assert job.get("with", {}).keys() <= inputs.keys()


def test_the_comment_finds_the_runs_of_the_preview_by_its_name():
    assert workflow("rollout-comment")[True]["workflow_run"]["workflows"] == [workflow("rollout-preview")["name"]]
