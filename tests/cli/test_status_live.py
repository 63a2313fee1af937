"""`rollout status --live`: wanted beside observed, unknown where nobody can tell, and the exit codes of --check."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.cli import status
from inference_rollouts.cli.status_live_text import blocks
from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.observe.live_status import live_status
from tests.cli.live_project import MANAGER, LiveProject, make_live, reweigh
from tests.conftest import ROOT
from tests.observe.fake_apiserver import FORBIDDEN, UNAUTHORIZED, path_of
from tests.observe.fake_prometheus import FakePrometheus, vector
from tests.observe.server_side import WritableApiServer

REWRITE = "InferenceModelRewrite"


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WritableApiServer) -> LiveProject:
    return make_live(tmp_path, monkeypatch, "node-update", server)


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WritableApiServer) -> LiveProject:
    return make_live(tmp_path, monkeypatch, "lora-adapter", server)


def seen(live: LiveProject, *arguments: str) -> dict[str, Any]:
    """What `--json` says of the cluster."""
    return json.loads(live.rollout("status", live.name, "--live", "--json", *arguments).out)["live"]


def route(live: LiveProject) -> dict[str, Any]:
    return seen(live)["services"][0]["splits"][0]


def test_what_stands_as_the_file_says_is_said_so_and_checks(live):
    answer = live.rollout("status", "node-update", "--live", "--check")

    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "node-update  stacks/Pulumi.node-update.yaml"
    assert lines[1].startswith("  context here of the kubeconfig, 2")
    assert lines[2:6] == [
        "  service llm  node rollout llm → llm-new, stage 10, next 25",
        "    HTTPRoute default/routes-to-llm: wanted 10, live 10  as wanted",
        "      llm      ██████████████████··  90 %  wanted 90 %",
        "      llm-new  ██··················  10 %  wanted 10 %",
    ]
    assert f", by {MANAGER} (Apply) at 2" in lines[6]
    assert lines[7:] == ["    ready: 7 of 7"]


def test_the_bar_of_an_adapters_canary_has_the_canarys_colour_at_100_too(adapter):
    adapter.up(100)
    (standing,), _ = status.read_all([adapter.name])
    shown = blocks(standing, live_status(standing.plan, standing.project))

    (line,) = [line for line in shown if line.plain.startswith("      llm-v2 ")]
    assert {str(span.style) for span in line.spans if span.end - span.start == status.BAR} == {"green"}


def test_as_json_it_is_one_document_with_the_file_beside_the_cluster(live, server):
    document = json.loads(live.rollout("status", "node-update", "--live", "--json").out)
    found = document["live"]

    assert (document["stack"], document["services"][0]["stage"]) == ("node-update", 10)
    assert (found["cluster"], found["server"], found["differences"]) == ("context here of the kubeconfig", server.url, [])
    (service,) = found["services"]
    (split,) = service["splits"]
    assert split["wanted"] == split["live"] == {"stage": 10, "weights": {"llm": 90, "llm-new": 10}}
    assert split["writtenBy"]["manager"] == MANAGER
    assert split["seconds"] < 60
    assert {finding["verdict"] for finding in service["ready"]} == {"pass"}


@pytest.mark.parametrize("stage", ["baseline", "prepare", 1, 50, 100, "retire"])
def test_the_live_weights_of_every_stage_are_known_by_it(live, stage):
    live.server.objects.clear()
    live.up(stage)

    assert route(live)["live"]["stage"] == stage
    assert live.rollout("status", "node-update", "--live", "--check").code == 0


@pytest.mark.parametrize("stage", ["prepare", 10, 100, "retire"])
def test_an_adapters_stages_that_look_alike_are_told_apart_by_the_record(adapter, stage):
    adapter.up(stage)
    split = seen(adapter)["services"][0]["splits"][1]

    assert (split["adapter"], split["live"]["stage"]) == ("llm", stage)


def test_a_file_that_is_ahead_of_the_cluster_differs(live):
    live.stage(25)
    answer = live.rollout("status", "node-update", "--live", "--check")

    assert answer.code == 3
    assert "    HTTPRoute default/routes-to-llm: wanted 25, live 10  differs\n" in answer.out
    assert "      ≠ wanted 25 (llm 75, llm-new 25), live 10 (llm 90, llm-new 10)\n" in answer.out
    assert answer.out.splitlines()[-2:] == [
        "  ≠ 1 difference between file and cluster",
        "check failed: node-update: HTTPRoute default/routes-to-llm: "
        "wanted 25 (llm 75, llm-new 25), live 10 (llm 90, llm-new 10)",
    ]
    assert live.rollout("status", "node-update", "--live").code == 0, "only --check turns it into an exit code"


def test_weights_on_no_rung_are_unknown_and_their_writer_is_named(live):
    live.touch(reweigh(33, 67))
    split = route(live)

    assert (split["live"]["stage"], split["unknown"]) == (None, "they are on no rung")
    assert (split["writtenBy"]["manager"], split["writtenBy"]["operation"]) == ("kubectl-edit", "Update")
    assert "wanted 10, live unknown" in live.rollout("status", "node-update", "--live").out


def test_a_hand_that_went_to_the_wanted_weights_leaves_an_annotation_that_disagrees(live):
    live.touch(reweigh(75, 25))
    live.stage(25)
    answer = live.rollout("status", "node-update", "--live", "--check")

    assert answer.code == 3
    assert "≠ its annotation says 10, its weights llm 75, llm-new 25, last written by kubectl-edit (Update)" in answer.out


@pytest.mark.parametrize(("text", "said"), [(None, "no annotation"), ("{", "that is no split")])
def test_a_record_that_cannot_be_read_is_a_difference(live, text, said):
    annotations = live.of("HTTPRoute")["metadata"]["annotations"]
    annotations.pop(SPLIT_ANNOTATION)
    annotations.update({SPLIT_ANNOTATION: text} if text else {})
    answer = live.rollout("status", "node-update", "--live", "--check")

    assert answer.code == 3
    assert "the split it was written for is unknown: " in answer.out
    assert said in answer.out


def test_a_change_of_steps_that_is_not_deployed_is_a_difference(live):
    live.file.write_text(live.file.read_text("utf-8").replace("[1, 10, 25, 50, 100]", "[10, 100]"), "utf-8")
    answer = live.rollout("status", "node-update", "--live", "--check")

    assert answer.code == 3
    assert (
        "written for llm → llm-new, steps [1, 10, 25, 50, 100], 10, and the file says llm → llm-new, steps [10, 100], 10"
        in answer.out
    )


def available(live: LiveProject, name: str, replicas: int) -> None:
    deployment = next(v for v in live.server.objects.values() if v["kind"] == "Deployment" and v["metadata"]["name"] == name)
    deployment["status"]["availableReplicas"] = replicas


def failed(live: LiveProject) -> list[str]:
    """What fails the check, the same in text, in JSON and by the exit code."""
    text = live.rollout("status", live.name, "--live", "--check")
    as_json = live.rollout("status", live.name, "--live", "--check", "--json")
    found: list[str] = json.loads(as_json.out)["live"]["failed"]

    assert (text.code, as_json.code, text.err, as_json.err) == (*([3, 3] if found else [0, 0]), "", "")
    last = text.out.splitlines()[-1]
    assert last.startswith("check failed: ") == bool(found)
    assert not found or last == f"check failed: {'; '.join(f'{live.name}: {said}' for said in found)}"
    return found


def test_what_has_weight_and_is_not_ready_is_no_difference_and_fails_the_check(live):
    available(live, "llm-new", 0)
    text = live.rollout("status", "node-update", "--live").out

    assert "    ready: 6 of 7\n      fail     canary ready: 0 of 2 replicas available (Deployment default/llm-new)\n" in text
    assert "check failed" not in text
    assert failed(live) == ["service llm: canary ready: 0 of 2 replicas available (Deployment default/llm-new)"]
    assert seen(live)["differences"] == []
    assert live.rollout("status", "node-update", "--live").code == 0, "only --check turns it into an exit code"


def test_a_canary_without_weight_may_still_be_coming_up(live):
    live.up("prepare")
    available(live, "llm-new", 0)

    assert failed(live) == []
    assert "fail     canary ready: 0 of 2" in live.rollout("status", "node-update", "--live", "--check").out


def test_a_canary_that_has_weight_in_the_cluster_alone_counts(live):
    live.stage("prepare")
    available(live, "llm-new", 0)

    assert "service llm: canary ready: 0 of 2 replicas available (Deployment default/llm-new)" in failed(live)


def test_the_old_version_is_the_way_back_until_it_retires(live):
    live.up(100)
    available(live, "llm", 0)
    assert failed(live) == ["service llm: llm ready: 0 of 4 replicas available (Deployment default/llm)"]

    live.up("retire")
    available(live, "llm", 0)
    assert failed(live) == []


def test_a_route_that_the_gateway_refuses_fails_the_check(live):
    conditions = live.of("HTTPRoute")["status"]["parents"][0]["conditions"]
    next(c for c in conditions if c["type"] == "Accepted")["status"] = "False"
    (said,) = failed(live)

    assert said.startswith("service llm: route accepted: Accepted False")


def test_what_nobody_can_tell_of_one_part_is_said_and_does_not_fail_the_check(live):
    deployment = next(v for v in live.server.objects.values() if v["metadata"]["name"] == "llm-new")
    deployment["metadata"]["generation"] += 1

    assert failed(live) == []
    assert "unknown  canary ready: a status of generation 1" in live.rollout("status", "node-update", "--live", "--check").out


def test_where_nothing_can_be_told_of_the_versions_the_check_fails(live):
    for path, value in live.server.objects.items():
        if value["kind"] in ("Deployment", "InferencePool"):
            live.server.answers[path] = FORBIDDEN
    found = failed(live)

    assert len(found) == 6
    assert found[0].startswith("service llm: llm ready: no answer: HTTP 403")


def test_an_object_that_is_missing_is_a_difference(live):
    missing = next(path for path, v in live.server.objects.items() if v["metadata"]["name"] == "llm-new-epp")
    del live.server.objects[missing]

    assert seen(live)["differences"] == ["Deployment default/llm-new-epp: nothing of that name"]
    assert live.rollout("status", "node-update", "--live", "--check").code == 3


def test_a_route_that_is_missing_is_unknown_and_a_difference(live):
    del live.server.objects[path_of(live.of("HTTPRoute"))]
    split = route(live)

    assert (split["live"], split["unknown"]) == ({"stage": None, "weights": None}, "nothing of that name")
    assert live.rollout("status", "node-update", "--live", "--check").code == 3


def test_what_cannot_be_read_of_a_cluster_that_answers_is_unknown(live):
    live.server.answers[path_of(live.of("HTTPRoute"))] = FORBIDDEN
    answer = live.rollout("status", "node-update", "--live", "--check")

    assert (answer.code, answer.err) == (3, "")
    assert "wanted 10, live unknown  differs" in answer.out
    assert "no answer: HTTP 403" in answer.out


def test_a_rollback_past_pulumi_is_shown_until_pulumi_has_applied(live):
    live.rollout("rollback", "node-update", "--now", "--yes")
    assert "      by rollout rollback --now from 10: " in live.rollout("status", "node-update", "--live", "--check").out
    live.up()
    assert "--now" not in live.rollout("status", "node-update", "--live").out


def test_the_checks_say_what_they_say_now(live):
    with FakePrometheus(
        lambda query: vector("100") if "ratio" not in query and "request_total" in query else vector("0.2")
    ) as it:
        text = live.file.read_text("utf-8")
        text = text.replace("config:\n", f"config:\n  inference-rollouts:metrics: {{ url: '{it.url}' }}\n", 1)
        live.file.write_text(text.replace("stage: 10 }", "stage: 10, checks: [{ name: queue, max: 0.1 }] }"), "utf-8")
        answer = live.rollout("status", "node-update", "--live", "--check")
        (check,) = seen(live)["services"][0]["checks"]

    assert answer.code == 0, "a check that fails holds up a raise; what stands is still what the file says"
    assert "    checks: 0 of 1 pass\n      fail     queue: 0.2 requests, wanted at most 0.1 requests in 300 s\n" in answer.out
    assert (check["check"], check["verdict"], check["adapter"]) == ("queue", "fail", None)


# --- no way to the cluster --------------------------------------------------------------------------------------------


def test_a_cluster_that_refuses_the_credentials_is_a_sentence(live):
    live.server.token = "another"
    answer = live.rollout("status", "node-update", "--live")

    assert answer.code == 1
    assert answer.err == (
        f"stacks/Pulumi.node-update.yaml: cluster: {live.server.url} (context here of the kubeconfig) gives no answer: HTTP 401: "
        f"{UNAUTHORIZED[1]['message']}; log in anew: the credentials of the kubeconfig are refused\n"
    )


def test_a_cluster_that_cannot_be_reached_is_a_sentence_with_the_endpoint(live, tmp_path, monkeypatch):
    (tmp_path / "kubeconfig").write_text(live.server.kubeconfig(server="http://127.0.0.1:1"), "utf-8")
    answer = live.rollout("status", "node-update", "--live")

    assert answer.code == 1
    assert "cluster: http://127.0.0.1:1 (context here of the kubeconfig) gives no answer: NewConnectionError" in answer.err
    assert "whether it can be reached from here" in answer.err


def test_without_an_answer_the_files_part_is_shown_and_then_the_error(live, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    of_the_file = live.rollout("status", "node-update").out
    answer = live.rollout("status", "node-update", "--live", "--check")

    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert answer.out == f"{of_the_file}  live: unknown, the cluster gave no answer; this is what the file says\n"
    assert "    by hand: kubectl --context here patch httproute" in of_the_file
    assert "there is no kubeconfig at /nowhere" in answer.err


def test_of_several_stacks_every_one_is_shown_and_the_errors_come_last(live):
    text = live.file.read_text("utf-8")
    live.project.file("away").write_text(text.replace("context: here", "context: away"), "utf-8")
    answer = live.rollout("status", "--all", "--live", "--check")
    blocks = answer.out.split("\n\n")

    assert answer.code == 1
    assert [block.splitlines()[0] for block in blocks] == [
        "away  stacks/Pulumi.away.yaml",
        "node-update  stacks/Pulumi.node-update.yaml",
    ]
    assert "by hand: kubectl --context away patch" in blocks[0]
    assert "wanted 10, live 10  as wanted" in blocks[1]
    assert answer.err.startswith("stacks/Pulumi.away.yaml: cluster: ")

    live.touch(reweigh(33, 67))
    answer = live.rollout("status", "--all", "--live", "--check")
    assert answer.code == 1, "what cannot be read comes before what is not as it should be"
    assert answer.out.splitlines()[-1].startswith("check failed: node-update: HTTPRoute default/routes-to-llm: wanted 10")


def test_a_context_that_is_not_there_is_a_sentence_with_those_that_are(live):
    live.file.write_text(live.file.read_text("utf-8").replace("context: here", "context: her"), "utf-8")
    answer = live.rollout("status", "node-update", "--live")

    assert answer.code == 1
    assert "has no context her; did you mean here?; contexts there: here" in answer.err


def test_as_json_a_cluster_without_an_answer_is_null(live, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    answer = live.rollout("status", "node-update", "--live", "--json")

    assert (answer.code, json.loads(answer.out)["live"]) == (1, None)
    assert "there is no kubeconfig at /nowhere" in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--check"],
        ["--watch"],
        ["--live", "--watch", "--json"],
        ["--live", "--format", "markdown"],
        ["--live", "--interval", "0"],
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_command_line(live, arguments):
    assert live.rollout("status", "node-update", *arguments).code == 2


# --- --watch ----------------------------------------------------------------------------------------------------------


def watching(live: LiveProject, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.edit.app", "status", live.name, "--live", "--watch", "--interval", "1", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=live.project.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(process: subprocess.Popen[str], text: str) -> str:
    """What was said up to a line that holds a text."""
    assert process.stdout
    said = ""
    late = threading.Timer(60, process.kill)
    late.start()
    for line in process.stdout:
        said += line
        if text in line:
            break
    late.cancel()
    assert text in said
    return said


def test_in_a_pipe_there_is_a_block_for_every_change_and_ctrl_c_ends_it(live):
    with watching(live) as process:
        until(process, "ready: 7 of 7")
        asked = len(live.server.asked)
        while len(live.server.asked) < asked + 20:  # two more looks: nothing has changed, so nothing is said
            time.sleep(0.1)
        live.touch(reweigh(33, 67))
        said = until(process, "2 differences")
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (0, "")
    assert (said + rest).count("node-update  stacks") == 1
    assert "live unknown  differs" in said


def test_what_was_seen_last_decides_the_exit_code_of_a_watch_that_checks(live):
    live.touch(reweigh(33, 67))
    with watching(live, "--check") as process:
        until(process, "difference")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert process.returncode == 3


# --- without it -------------------------------------------------------------------------------------------------------


def test_without_live_nothing_that_talks_to_a_cluster_is_loaded(live):
    lines = ["import sys", "from tests.edit.app import run", "sys.argv = ['rollout', 'status']"]
    loaded = "[name for name in ('kubernetes', 'requests', 'google.auth', 'pulumi') if name in sys.modules]"
    program = "\n".join([*lines, "try: run()", f"finally: print({loaded}, file=sys.stderr)"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=live.project.folder, env=environment, capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stderr) == (0, "[]\n")
