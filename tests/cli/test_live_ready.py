"""`rollout advance --if-ready`: the guard's questions before the edit; what nobody can tell is not ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.live_project import LiveProject, make_live, reweigh
from tests.conftest import ROOT
from tests.observe.fake_apiserver import FORBIDDEN, path_of
from tests.observe.fake_prometheus import FakePrometheus, vector
from tests.observe.server_side import WritableApiServer

OLD = "2026-01-01T00:00:00Z"


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WritableApiServer) -> LiveProject:
    live = make_live(tmp_path, monkeypatch, "node-update", server)
    baked(live)
    return live


def baked(live: LiveProject) -> None:
    """The weights have stood for long."""
    for entry in live.of("HTTPRoute")["metadata"]["managedFields"]:
        entry["time"] = OLD


def refused(live: LiveProject, *arguments: str) -> str:
    """Why it is not ready; and nothing was written."""
    before = live.file.read_bytes()
    answer = live.rollout("advance", "node-update", "--if-ready", "--yes", *arguments)

    assert (answer.code, answer.out, live.file.read_bytes()) == (3, "", before)
    return answer.err


def test_what_is_ready_is_edited_as_ever(live):
    answer = live.rollout("advance", "node-update", "--if-ready", "--yes")

    assert (answer.code, answer.err, live.staged) == (0, "", "25")
    assert answer.out.splitlines()[-1] == "Next: pulumi preview -s node-update, then pulumi up -s node-update"


def test_it_asks_before_it_asks_for_a_yes(live):
    answer = live.rollout("advance", "node-update", "--if-ready")

    assert (answer.code, live.staged) == (1, "10")
    assert "+      rollout: { to: llm-new, steps: [1, 10, 25, 50, 100], stage: 25 }" in answer.out


def test_a_canary_that_is_not_ready_is_said_with_exit_code_3(live):
    deployment = next(v for v in live.server.objects.values() if v["metadata"]["name"] == "llm-new")
    deployment["status"]["availableReplicas"] = 1

    assert refused(live) == (
        "service llm: not ready: canary ready: seen 1 of 2 replicas available, wanted 2 (Deployment default/llm-new)\n"
    )


def test_a_bake_that_is_not_over_is_said(live):
    live.file.write_text(live.file.read_text("utf-8").replace("stage: 10 }", "stage: 10, bake: 30m }"), "utf-8")
    assert live.rollout("advance", "node-update", "--if-ready", "--yes").code == 0

    live.up(10)  # the weights are written anew now
    assert "bake: seen " in refused(live)


def test_a_check_that_fails_and_one_without_an_answer_are_said(live):
    with FakePrometheus(lambda _: vector("0.2")) as it:
        text = live.file.read_text("utf-8")
        text = text.replace("config:\n", f"config:\n  inference-rollouts:metrics: {{ url: '{it.url}' }}\n", 1)
        checks = "checks: [{ name: queue, max: 0.1 }, { name: kv-cache }]"
        live.file.write_text(text.replace("stage: 10 }", f"stage: 10, {checks} }}"), "utf-8")
        said = refused(live)
    assert "not ready: queue: seen 0.2 requests, wanted at most 0.1 requests" in said
    assert "not ready: kv-cache: seen 0.2" not in said

    unanswered = refused(live)
    assert "not ready: queue: seen no answer" in unanswered
    assert "not ready: kv-cache: seen no answer" in unanswered


def test_a_file_that_is_not_what_stands_is_not_raised(live):
    live.stage(25)

    assert "the cluster is not as the file says: HTTPRoute default/routes-to-llm: wanted 25" in refused(live)


def test_a_hand_at_work_is_not_ready(live):
    live.touch(reweigh(75, 25))

    assert "its annotation says 10, its weights llm 75, llm-new 25" in refused(live)


def test_a_route_that_cannot_be_read_is_not_ready(live):
    live.server.answers[path_of(live.of("HTTPRoute"))] = FORBIDDEN

    assert "live unknown: no answer: HTTP 403" in refused(live)


def test_no_way_to_the_cluster_is_not_ready(live, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")

    assert refused(live).startswith("service llm: not ready: there is no kubeconfig at /nowhere")


def test_a_freeze_window_is_not_ready(live):
    text = live.file.read_text("utf-8")
    window = 'freeze: [{ from: "2020-01-01 00:00", to: "2099-01-01 00:00", timezone: UTC, reason: holidays }]'
    live.file.write_text(text.replace("      serving: llm\n", f"      serving: llm\n      {window}\n"), "utf-8")

    assert "no weight is raised from" in refused(live)


def test_a_fall_and_a_stage_without_weight_ask_nothing(live, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    assert live.rollout("advance", "node-update", "--to", "1", "--if-ready", "--yes").code == 0
    live.stage("baseline")
    assert live.rollout("advance", "node-update", "--if-ready", "--yes").code == 0
    assert live.staged == "prepare"


def test_as_json_a_refusal_is_one_document(live):
    live.touch(reweigh(75, 25))
    answer = live.rollout("advance", "node-update", "--if-ready", "--yes", "--json")
    document = json.loads(answer.out)

    assert answer.code == 3
    assert (document["changed"], document["stack"]) == (False, "node-update")
    assert document["refused"] == answer.err.splitlines()


def test_it_never_imports_pulumi(live):
    lines = [
        "import sys",
        "from tests.edit.app import run",
        "sys.argv = ['rollout', 'advance', 'node-update', '--if-ready', '--yes']",
    ]
    program = "\n".join([*lines, "try: run()", "finally: print('pulumi' in sys.modules, file=sys.stderr)"])
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=live.project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, found.stderr) == (0, "False\n")
