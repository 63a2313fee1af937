"""`rollout rollback --now` where something else is broken, too: the stack file, or the stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.live_project import LiveProject, make_live
from tests.conftest import ROOT
from tests.observe.server_side import WritableApiServer

BACK = {"llm": 100, "llm-new": 0}
OTHER = "    other: { serving: xx, models: [other], versions: { a: { like: b } } }\n"
CONFLICT = "<<<<<<< HEAD\n"
BROKEN = {"another service": lambda text: text + OTHER, "a conflict of Git": lambda text: text.replace("    llm:\n", CONFLICT)}


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WritableApiServer) -> LiveProject:
    found = make_live(tmp_path, monkeypatch, "node-update", server)
    found.project.commit("deployed")
    return found


def break_file(live: LiveProject, how: str) -> bytes:
    text = BROKEN[how](live.file.read_text("utf-8"))
    live.file.write_text(text, "utf-8")
    return live.file.read_bytes()


def commit_of(live: LiveProject, ref: str = "HEAD") -> str:
    return live.project.git("rev-parse", ref).strip()[:10]


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", BROKEN)
def test_a_file_with_a_problem_is_left_alone_and_the_cluster_goes_back_by_its_last_committed_text(live, how):
    before = break_file(live, how)
    answer = live.rollout("rollback", "node-update", "llm", "--now", "--yes")
    left = f"stacks/Pulumi.node-update.yaml: left alone: it has problems; the names are those of commit {commit_of(live)}"

    assert (live.weights(), live.file.read_bytes()) == (BACK, before)
    assert answer.code == 1, "the file is still to be mended"
    assert f"  {left}\n" in answer.out
    assert answer.err.startswith("stacks/Pulumi.node-update.yaml:")
    assert answer.err.endswith(f"{left}; mend it, set services.llm.rollout.stage to prepare, and deploy that\n")


def test_the_problems_themselves_are_said_with_their_places(live):
    break_file(live, "another service")
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert "services.other.serving: xx is no version" in answer.err


def test_a_problem_that_is_committed_is_passed_over_for_the_text_before_it(live):
    good = commit_of(live)
    for how in BROKEN:
        break_file(live, how)
        live.project.commit(how)
    document = json.loads(live.rollout("rollback", "node-update", "--now", "--yes", "--json").out)

    assert (live.weights(), document["changed"], document["diff"]) == (BACK, False, "")
    assert document["objects"][0]["written"] is True
    assert f"the names are those of commit {good}" in document["skipped"][0]
    assert "services.llm.rollout.stage to prepare" in document["failed"][0]


def test_the_question_is_asked_all_the_same(live, server):
    break_file(live, "another service")
    answer = live.rollout("rollback", "node-update", "--now")

    assert (answer.code, server.applied) == (1, [])
    assert "left alone: it has problems" in answer.out


def test_where_no_committed_text_can_be_used_the_problems_and_that_are_said(live, server):
    live.project.git("checkout", "--quiet", "--orphan", "bare")
    break_file(live, "another service")
    live.project.commit("broken from the start")
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, server.applied) == (1, [])
    assert "services.other.serving: xx is no version" in answer.err
    assert "Git has no text of it that can be; mend what is said here, then try again" in answer.err


def test_a_committed_text_without_such_a_rollout_is_said_with_its_commit(live, server):
    break_file(live, "another service")
    answer = live.rollout("rollback", "node-update", "lm", "--now", "--yes")

    assert (answer.code, server.applied) == (1, [])
    assert f"in its text at commit {commit_of(live)}, which can be: lm is no service or adapter of this stack" in answer.err


def test_a_cluster_that_cannot_be_reached_either_gives_the_kubectl_line(live, monkeypatch):
    break_file(live, "another service")
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert answer.code == 1
    assert "kubectl --context here patch httproute.gateway.networking.k8s.io routes-to-llm" in answer.err


def test_a_stack_that_has_no_file_is_no_broken_one(live, server):
    answer = live.rollout("rollback", "nod-update", "--now", "--yes")

    assert (answer.code, server.applied) == (1, [])
    assert answer.err == "stacks: there is no stack nod-update; did you mean node-update? Stacks: node-update\n"


# --- the stdout -------------------------------------------------------------------------------------------------------


def in_a_shell(live: LiveProject, arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -m inference_rollouts.cli.main {arguments}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(
        command, shell=True, cwd=live.project.folder, env=environment, capture_output=True, encoding="latin-1", check=False
    )


@pytest.mark.parametrize("where", [">/dev/full", ">&-", ">&- 2>&- <&-", ">/dev/full 2>&1"])
@pytest.mark.parametrize("json_too", ["", "--json"])
def test_cluster_and_file_are_written_although_nobody_can_be_told(live, where, json_too):
    answer = in_a_shell(live, f"rollback node-update --now --yes {json_too} {where}")

    assert (answer.returncode, answer.stdout) == (0, "")
    assert (live.weights(), live.staged) == (BACK, "prepare")
    if "2>" not in where:
        assert "HTTPRoute default/routes-to-llm: llm 100, llm-new 0, written and read back in" in answer.stderr
        assert "stacks/Pulumi.node-update.yaml is written.\nstdout cannot be written: " in answer.stderr


def test_an_encoding_without_arrows_is_no_hindrance(live):
    answer = in_a_shell(live, "rollback node-update --now --yes", PYTHONIOENCODING="latin-1")

    assert (answer.returncode, answer.stderr, live.weights(), live.staged) == (0, "", BACK, "prepare")
    assert "llm 90, llm-new 10 ? llm 100, llm-new 0" in answer.stdout


def test_without_yes_nothing_is_written_that_could_not_be_shown(live, server):
    answer = in_a_shell(live, "rollback node-update --now >/dev/full")

    assert (answer.returncode, server.applied, live.staged) == (1, [], "10")
    assert answer.stderr == "stdout cannot be written: No space left on device\n"
