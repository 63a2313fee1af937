"""What must hold of the workflows whatever they do: rights, locks, and that forks get nothing."""

from __future__ import annotations

import re

import pytest

from inference_rollouts.cli.main import everything
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
    (job,) = workflow("rollout-up-stack")["jobs"].values()
    assert job["concurrency"] == {"group": "rollout-up-${{ inputs.stack }}", "cancel-in-progress": False}


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
