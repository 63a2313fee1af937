"""`rollout rollback --now`: what it writes to the cluster, in whose name, what it leaves alone, and what it says to do next."""

from __future__ import annotations

import copy
import json
import shlex
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.observe.cluster import TIMEOUTS
from inference_rollouts.observe.patch import NOW_ANNOTATION
from tests.cli.live_project import MANAGER, LiveProject, make_live, reweigh
from tests.observe.fake_apiserver import FORBIDDEN, Object, path_of
from tests.observe.server_side import WritableApiServer, apply, by_hand

REWRITE = "InferenceModelRewrite"


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WritableApiServer) -> LiveProject:
    return make_live(tmp_path, monkeypatch, "node-update", server)


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WritableApiServer) -> LiveProject:
    return make_live(tmp_path, monkeypatch, "lora-adapter", server)


def test_the_cluster_is_written_first_and_then_the_file(live):
    answer = live.rollout("rollback", "node-update", "--now", "--yes")
    lines = answer.out.splitlines()

    assert (answer.code, answer.err) == (0, "")
    assert lines[:2] == [
        "service llm: prepare, now, in the cluster itself (context here of the kubeconfig)",
        "  HTTPRoute default/routes-to-llm: llm 90, llm-new 10 → llm 100, llm-new 0",
    ]
    assert "HTTPRoute default/routes-to-llm: llm 100, llm-new 0, written and read back in 0." in answer.out
    assert lines[-1] == "Next: pulumi preview -s node-update, then pulumi up -s node-update"
    assert (live.weights(), live.staged) == ({"llm": 100, "llm-new": 0}, "prepare")


def test_what_stands_afterwards_is_what_pulumi_up_would_have_written(live, server):
    live.rollout("rollback", "node-update", "--now", "--yes")
    (now,) = [live.of("HTTPRoute")["metadata"]["annotations"].pop(NOW_ANNOTATION)]
    before = copy.deepcopy(live.of("HTTPRoute"))
    live.up()
    after = live.of("HTTPRoute")

    assert set(json.loads(now)) == {"at", "by", "from"}
    assert (before["spec"], before["metadata"]["annotations"]) == (after["spec"], after["metadata"]["annotations"])
    assert before["metadata"]["generation"] == after["metadata"]["generation"], "the update that follows changes nothing"


def test_the_next_update_takes_the_mark_off(live):
    live.rollout("rollback", "node-update", "--now", "--yes")
    assert NOW_ANNOTATION in live.of("HTTPRoute")["metadata"]["annotations"]

    live.up()
    assert NOW_ANNOTATION not in live.of("HTTPRoute")["metadata"]["annotations"]


def test_it_writes_in_pulumis_name_by_force_and_only_what_it_has_read(live, server):
    live.rollout("rollback", "node-update", "--now", "--yes")
    ((path, sent),) = server.applied

    assert f"fieldManager={MANAGER}" in path
    assert "force=true" in path
    assert (sent["metadata"]["uid"], sent["metadata"]["resourceVersion"]) == ("uid-of-routes-to-llm", "2")


def test_what_others_own_and_what_the_file_does_not_say_stays(live):
    def annotate(value: Object) -> None:
        value["metadata"]["annotations"]["team"] = "ml"
        value["metadata"]["labels"]["cost"] = "1"

    def add_filter(value: Object) -> None:
        rules = copy.deepcopy(value["spec"]["rules"])
        rules[0]["timeouts"] = {"request": "30s"}
        rules[0]["backendRefs"][1]["filters"] = [{"type": "RequestMirror"}]
        value["spec"]["rules"] = rules

    live.touch(annotate)
    live.touch(add_filter)
    live.file.write_text(
        live.file.read_text("utf-8").replace(
            "route: { name: routes-to-llm }", "route: { name: routes-to-llm, hostnames: [not.deployed.example.com] }"
        ),
        "utf-8",
    )
    before = copy.deepcopy(live.of("HTTPRoute"))
    assert live.rollout("rollback", "node-update", "--now", "--yes").code == 0
    after = live.of("HTTPRoute")

    assert (after["metadata"]["annotations"]["team"], after["metadata"]["labels"]["cost"]) == ("ml", "1")
    assert "hostnames" not in after["spec"], "what the file has ahead of the cluster is not deployed with it"
    for ref, weight in zip(before["spec"]["rules"][0]["backendRefs"], (100, 0), strict=True):
        ref["weight"] = weight
    assert after["spec"] == before["spec"]


def test_a_file_that_is_at_prepare_already_stays_and_the_cluster_is_written(live):
    live.stage("prepare")
    before = live.file.read_bytes()
    answer = live.rollout("rollback", "node-update", "--now", "--yes", "--json")
    document = json.loads(answer.out)

    assert (answer.code, document["changed"], document["diff"], document["to"]) == (0, False, "", "prepare")
    (written,) = document["objects"]
    assert (written["from"], written["written"], written["manager"]) == (
        {"stage": 10, "weights": {"llm": 90, "llm-new": 10}},
        True,
        MANAGER,
    )
    assert document["next"] == ["pulumi preview -s node-update", "pulumi up -s node-update"]
    assert (live.file.read_bytes(), live.weights()) == (before, {"llm": 100, "llm-new": 0})


def test_weights_on_no_rung_are_rolled_back_too(live):
    live.touch(reweigh(33, 67))

    assert live.rollout("rollback", "node-update", "--now", "--yes").code == 0
    assert live.weights() == {"llm": 100, "llm-new": 0}


def test_a_backend_that_somebody_else_added_gets_nothing_and_stays(live):
    def add(value: Object) -> None:
        rules = copy.deepcopy(value["spec"]["rules"])
        rules[0]["backendRefs"].append({"group": "g", "kind": "InferencePool", "name": "third", "weight": 50})
        value["spec"]["rules"] = rules

    live.touch(add)
    live.rollout("rollback", "node-update", "--now", "--yes")

    assert live.weights() == {"llm": 100, "llm-new": 0, "third": 0}


def test_from_retire_it_goes_to_100_moves_no_traffic_and_says_how_to_go_on(live):
    live.up("retire")
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, live.staged, live.weights()) == (0, "100", {"llm": 0, "llm-new": 100})
    assert "it moves no traffic yet" in answer.out
    assert answer.out.splitlines()[-1] == (
        "Next: pulumi preview -s node-update, then pulumi up -s node-update, then rollout rollback node-update llm --now"
    )

    live.up()
    answer = live.rollout("rollback", "node-update", "llm", "--now", "--yes")
    assert (answer.code, live.staged, live.weights()) == (0, "prepare", {"llm": 100, "llm-new": 0})
    assert "state still says retire" not in answer.out


def test_a_second_step_that_pulumi_has_not_followed_says_what_its_update_needs(live):
    live.up("retire")
    live.rollout("rollback", "node-update", "--now", "--yes")
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, live.weights()) == (0, {"llm": 100, "llm-new": 0})
    assert "Pulumi's state still says retire" in answer.out
    assert "override: {from: retire, to: prepare, reason: …, by: …}" in answer.out


def test_where_the_cluster_has_nothing_to_roll_back_only_the_file_is_written(live, server):
    live.up("prepare")
    live.stage(10)
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, live.staged, server.applied) == (0, "prepare", [])
    assert answer.out.startswith("service llm: nothing to roll back in the cluster: at prepare llm has all the traffic\n")
    assert live.rollout("rollback", "node-update", "--now").code == 0, "nothing to do is done"


def test_what_only_edits_the_file_says_what_to_run_too(live):
    live.up("prepare")
    live.stage(10)
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, live.staged) == (0, "prepare")
    assert answer.out.splitlines()[-1] == "Next: pulumi preview -s node-update, then pulumi up -s node-update"


def test_what_is_declined_says_nothing_of_a_next_step(live):
    assert "Next:" not in live.rollout("rollback", "node-update", "--now").out


# --- a stable that is not ready ---------------------------------------------------------------------------------------


def deployed(live: LiveProject, name: str) -> Object:
    return next(v for v in live.server.objects.values() if v["kind"] == "Deployment" and v["metadata"]["name"] == name)


def test_a_stable_without_a_ready_pod_is_said_and_gets_the_traffic_all_the_same(live):
    deployed(live, "llm")["status"] = {"observedGeneration": 1}
    deployed(live, "llm-epp")["status"]["availableReplicas"] = 0
    asked_before = live.rollout("rollback", "node-update", "--now")
    answer = live.rollout("rollback", "node-update", "--now", "--yes")
    said = ["  stable llm has 0 of 4 replicas ready", "  stable llm's picker has 0 of 1 replicas ready"]

    assert (answer.code, answer.err, live.weights()) == (0, "", {"llm": 100, "llm-new": 0})
    assert [line for line in answer.out.splitlines() if line in said] == said
    assert asked_before.out.splitlines()[2:4] == said


def test_where_nobody_is_asked_the_write_does_not_wait_for_what_stable_lacks(live, server, monkeypatch):
    path, original = path_of(deployed(live, "llm")), server.answer
    written_by_then: list[int] = []

    def noted(asked: str, authorization: str | None) -> tuple[int, Any]:
        if asked.startswith(path):
            written_by_then.append(len(server.applied))
        return original(asked, authorization)

    monkeypatch.setattr(server, "answer", noted)
    assert live.rollout("rollback", "node-update", "--now", "--yes").code == 0

    assert set(written_by_then) == {1}


def test_it_is_in_the_question(live, monkeypatch):
    deployed(live, "llm")["status"]["availableReplicas"] = 1
    asked: list[str] = []

    def no(question: str, how: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("inference_rollouts.cli.edit.may_write", no)
    assert live.rollout("rollback", "node-update", "--now").code == 1
    assert asked == [
        "stable llm has 1 of 4 replicas ready. Write the weights of 1 object in the cluster, then stacks/Pulumi.node-update.yaml?"
    ]


def test_it_is_in_the_json_also_where_the_deployment_is_gone(live):
    del live.server.objects[path_of(deployed(live, "llm"))]
    document = json.loads(live.rollout("rollback", "node-update", "--now", "--yes", "--json").out)

    assert document["warnings"] == ["stable llm has 0 of 4 replicas ready"]
    assert document["objects"][0]["written"] is True


@pytest.mark.parametrize("status", [None, {"status": {"availableReplicas": "many"}}])
def test_where_it_cannot_be_told_nothing_is_said_and_nothing_held_up(live, status):
    path = path_of(deployed(live, "llm"))
    live.server.answers[path] = FORBIDDEN if status is None else (200, status)
    document = json.loads(live.rollout("rollback", "node-update", "--now", "--yes", "--json").out)

    assert (document["warnings"], live.weights()) == ([], {"llm": 100, "llm-new": 0})


def test_a_slow_answer_is_not_waited_for(live, server, monkeypatch):
    path, go, original = path_of(deployed(live, "llm")), threading.Event(), server.answer
    monkeypatch.setattr("inference_rollouts.cli.now_stable.PATIENCE", 0.1)

    def slow(asked: str, authorization: str | None) -> tuple[int, Any]:
        if asked.startswith(path):
            go.wait(60)
        return original(asked, authorization)

    monkeypatch.setattr(server, "answer", slow)
    began = time.monotonic()
    document = json.loads(live.rollout("rollback", "node-update", "--now", "--yes", "--json").out)
    seconds = time.monotonic() - began
    go.set()

    assert (document["warnings"], live.weights()) == ([], {"llm": 100, "llm-new": 0})
    assert seconds < TIMEOUTS[1], "that is when the read itself gives up"


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_without_yes_nothing_is_written_where_nobody_can_be_asked(live, server, arguments):
    before = live.file.read_bytes()
    answer = live.rollout("rollback", "node-update", "--now", *arguments)

    assert (answer.code, server.applied, live.file.read_bytes()) == (1, [], before)
    assert "add --yes to write" in answer.err


def test_an_object_that_changes_meanwhile_is_read_again(live, server):
    times = []

    def status_comes(path: str) -> None:
        if len(times) < 3:
            times.append(path)
            live.touch(lambda value: value["metadata"]["annotations"].update(seen=str(len(times))), manager="gateway")

    server.before_patch = status_comes
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, len(server.applied), live.weights()) == (0, 4, {"llm": 100, "llm-new": 0})
    assert live.of("HTTPRoute")["metadata"]["annotations"]["seen"] == "3"


def test_an_object_that_never_rests_is_given_up_and_the_file_stays(live, server):
    server.before_patch = lambda _: live.touch(
        lambda value: value["metadata"]["annotations"].update(n=value["metadata"]["resourceVersion"]), manager="gateway"
    )
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, live.staged, live.weights()) == (1, "10", {"llm": 90, "llm-new": 10})
    assert "HTTPRoute default/routes-to-llm cannot be written: HTTP 409" in answer.err
    assert "the file is not: not everything in the cluster was written" in answer.err


def test_somebody_who_writes_it_back_at_once_is_found_out(live, server):
    def undone(path: str) -> None:
        original = server.answer

        def answer(path: str, authorization: str | None) -> tuple[int, Any]:
            server.answer = original  # type: ignore[method-assign]
            live.touch(reweigh(90, 10), manager="argocd")
            return original(path, authorization)

        server.answer = answer  # type: ignore[method-assign]

    server.before_patch = undone
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert answer.code == 1
    assert "was written and reads back as llm 90, llm-new 10: somebody else writes it, too" in answer.err


def test_a_right_that_is_missing_is_a_sentence(live, server):
    server.forbidden = True
    answer = live.rollout("rollback", "node-update", "--now", "--yes", "--json")

    assert (answer.code, live.staged) == (1, "10")
    assert 'cannot be written: HTTP 403: User "ci" cannot patch' in answer.err
    assert json.loads(answer.out)["objects"][0]["written"] is False


def test_a_cluster_that_cannot_be_reached_gives_the_kubectl_line(live, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, answer.out) == (1, "")
    assert "cluster: there is no kubeconfig at /nowhere, and so no context here" in answer.err
    assert (
        "from where kubectl reaches it: kubectl --context here patch httproute.gateway.networking.k8s.io routes-to-llm"
        in answer.err
    )


@pytest.mark.parametrize("stack", ["node-update", "nowhere"])
def test_as_json_what_cannot_be_read_is_one_document_too(live, monkeypatch, stack):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    done = json.loads(live.rollout("rollback", "node-update", "--json").out)
    answer = live.rollout("rollback", stack, "--now", "--yes", "--json")
    document = json.loads(answer.out)

    assert answer.code == 1
    assert document["failed"] == answer.err.splitlines()
    assert (document["stack"], document["changed"], document["objects"], document["next"]) == (stack, False, [], [])
    assert done["file"] == "stacks/Pulumi.node-update.yaml"
    assert stack == "nowhere" or document["file"] == done["file"]


def test_the_document_of_a_failure_has_the_keys_of_a_success(live, monkeypatch):
    done = json.loads(live.rollout("rollback", "node-update", "--now", "--json").out)
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    failed = json.loads(live.rollout("rollback", "node-update", "--now", "--json").out)

    assert list(failed) == list(done)


def test_a_route_that_is_not_there_says_where_to_look_and_what_to_do(live):
    del live.server.objects[path_of(live.of("HTTPRoute"))]
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert answer.code == 1
    assert (
        "HTTPRoute default/routes-to-llm: left alone: nothing of that name; see whether this is the right cluster and "
        "namespace; if it is, pulumi up brings the object there"
    ) in answer.err


def test_another_rollout_in_the_cluster_is_rolled_back_and_the_file_left_alone(live):
    before = live.file.read_bytes()

    def other(value: Object) -> None:
        text = value["metadata"]["annotations"][SPLIT_ANNOTATION].replace("llm-new", "llm-old")
        value["metadata"]["annotations"][SPLIT_ANNOTATION] = text
        rules = copy.deepcopy(value["spec"]["rules"])
        rules[0]["backendRefs"][1]["name"] = "llm-old"
        value["spec"]["rules"] = rules

    live.touch(other)
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, live.weights(), live.file.read_bytes()) == (0, {"llm": 100, "llm-old": 0}, before)
    assert "the cluster holds another rollout (llm → llm-old) than the file (llm → llm-new)" in answer.out


def test_a_file_that_cannot_be_edited_does_not_hold_up_the_cluster(live):
    text = live.file.read_text("utf-8")
    anchored = text.replace("rollout: { to: llm-new,", "rollout: { <<: *base, to: llm-new,").replace(", stage: 10 }", " }")
    live.file.write_text(anchored.replace("config:\n", "config:\n  other:x: &base { stage: 10 }\n", 1), "utf-8")
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, live.weights()) == (1, {"llm": 100, "llm-new": 0})
    assert "the cluster is rolled back, but the file is not:" in answer.err


# --- in whose name ----------------------------------------------------------------------------------------------------


def test_an_object_that_was_only_created_yet_is_written_in_its_creators_name(live, server):
    route = live.of("HTTPRoute")
    route["metadata"]["managedFields"][0]["operation"] = "Update"
    live.rollout("rollback", "node-update", "--now", "--yes")

    assert f"fieldManager={MANAGER}" in server.applied[0][0]
    assert live.of("HTTPRoute")["spec"]["parentRefs"], "what the creator owns stays"
    live.up()
    assert NOW_ANNOTATION not in live.of("HTTPRoute")["metadata"]["annotations"]


def test_an_object_that_somebody_elses_tool_applies_is_written_in_its_name(live, server):
    route = live.of("HTTPRoute")
    route["metadata"]["managedFields"][0]["manager"] = "argocd-controller"
    live.rollout("rollback", "node-update", "--now", "--yes")

    assert "fieldManager=argocd-controller" in server.applied[0][0]


def test_an_object_that_nobody_applies_is_written_in_our_own_name_without_a_mark_that_nobody_takes_off(live, server):
    live.of("HTTPRoute")["metadata"]["managedFields"] = []
    live.rollout("rollback", "node-update", "--now", "--yes")

    assert "fieldManager=rollout&" in server.applied[0][0]
    assert NOW_ANNOTATION not in live.of("HTTPRoute")["metadata"]["annotations"]


# --- adapters ---------------------------------------------------------------------------------------------------------


def test_an_adapter_has_its_split_written_and_the_route_left_alone(adapter, server):
    answer = adapter.rollout("rollback", "lora-adapter", "--now", "--yes")

    assert (answer.code, answer.err, adapter.staged) == (0, "", "prepare")
    assert adapter.weights(REWRITE) == {"llm-v1": 100}
    assert ["inferencemodelrewrites" in path for path, _ in server.applied] == [True]
    split = json.loads(adapter.of(REWRITE)["metadata"]["annotations"][SPLIT_ANNOTATION])
    assert (split["stage"], split["weights"]) == ("prepare", {"llm-v1": 100, "llm-v2": 0})


def test_an_adapter_at_retire_goes_to_100_by_its_record_since_its_weights_look_the_same(adapter):
    adapter.up("retire")
    answer = adapter.rollout("rollback", "lora-adapter", "--now", "--yes")

    assert (answer.code, adapter.staged, adapter.weights(REWRITE)) == (0, "100", {"llm-v2": 100})
    adapter.up()
    adapter.rollout("rollback", "lora-adapter", "--now", "--yes")
    assert (adapter.staged, adapter.weights(REWRITE)) == ("prepare", {"llm-v1": 100})


# --- the plain kubectl line -------------------------------------------------------------------------------------------


def json_patch(value: Object, operations: list[Any]) -> Object:
    """RFC 6902, `test` and `replace` only."""
    out = copy.deepcopy(value)
    for operation in operations:
        *parents, last = operation["path"].split("/")[1:]
        at: Any = out
        for key in parents:
            at = at[int(key)] if isinstance(at, list) else at[key]
        key = int(last) if isinstance(at, list) else last
        assert operation["op"] in ("test", "replace")
        assert key in at if isinstance(at, dict) else key < len(at), "replace needs something that is there"
        if operation["op"] == "test":
            assert at[key] == operation["value"], "nothing is written"
        else:
            at[key] = operation["value"]
    return out


@pytest.mark.parametrize("stage", [1, 50, 100, "retire"])
def test_the_kubectl_line_of_a_service_does_what_a_rollback_would(live, stage):
    live.up(stage)
    (line,) = json.loads(live.rollout("status", "node-update", "--json").out)["services"][0]["byHand"]
    words = shlex.split(line)
    patched = json_patch(live.of("HTTPRoute"), json.loads(words[-1]))
    live.up(100 if stage == "retire" else "prepare")

    assert words[:-1] == shlex.split(
        "kubectl --context here patch httproute.gateway.networking.k8s.io routes-to-llm -n default --type=json -p"
    )
    assert patched["spec"] == live.of("HTTPRoute")["spec"]


@pytest.mark.parametrize("api", ["v1", "llm-d", "v1alpha2"])
def test_the_kubectl_line_of_an_adapter_does_what_a_rollback_would(adapter, api):
    text = adapter.file.read_text("utf-8")
    adapter.file.write_text(
        text.replace("      serving: llm-pool\n", f"      inferenceApi: {api}\n      serving: llm-pool\n"), "utf-8"
    )
    adapter.server.objects.clear()
    adapter.up(50)
    (line,) = json.loads(adapter.rollout("status", "lora-adapter", "--json").out)["services"][0]["adapters"][0]["byHand"]
    words = shlex.split(line)
    kind, _, group = words[4].partition(".")
    (before,) = [v for v in adapter.server.objects.values() if v["metadata"]["name"] == words[5] and v["kind"].lower() == kind]
    patched = json_patch(before, json.loads(words[-1]))
    adapter.up("prepare")
    (after,) = [v for v in adapter.server.objects.values() if v["metadata"]["name"] == words[5] and v["kind"].lower() == kind]

    assert before["apiVersion"].startswith(f"{group}/")
    assert patched["spec"] == after["spec"]


def test_there_is_no_line_where_there_is_nothing_to_roll_back(live):
    for stage in ("baseline", "prepare"):
        live.stage(stage)
        assert json.loads(live.rollout("status", "node-update", "--json").out)["services"][0]["byHand"] == []


# --- what the stand-in plays ------------------------------------------------------------------------------------------


def test_the_stand_in_takes_away_what_a_manager_no_longer_sends_and_leaves_what_others_own():
    born: Object = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "x", "resourceVersion": "1", "generation": 1},
        "spec": {},
    }
    one = apply(born, {**born, "metadata": {"name": "x", "labels": {"a": "1", "b": "1"}}, "spec": {"list": [1]}}, "m")
    two = by_hand(one, lambda value: value["metadata"]["labels"].update(c="1"))
    three = apply(two, {**born, "metadata": {"name": "x", "labels": {"a": "1"}}, "spec": {"list": [2]}}, "m")

    assert (three["metadata"]["labels"], three["spec"]) == ({"a": "1", "c": "1"}, {"list": [2]})
    assert (one["metadata"]["generation"], three["metadata"]["generation"]) == (2, 3)


def test_an_object_that_cannot_be_understood_ends_in_words_and_leaves_the_file(live):
    def misshape(value: Object) -> None:
        entry = next(e for e in value["metadata"]["managedFields"] if e["manager"] == MANAGER)
        entry["fieldsV1"]["f:spec"]["f:hostnames"] = {"i:one": {}}
        value["spec"]["hostnames"] = ["llm.example.com"]

    misshape(live.of("HTTPRoute"))
    answer = live.rollout("rollback", "node-update", "--now", "--yes")

    assert (answer.code, live.staged, live.weights()) == (1, "10", {"llm": 90, "llm-new": 10})
    assert (
        "HTTPRoute default/routes-to-llm may not be written: it is of another shape than expected (JSONDecodeError" in answer.err
    )
