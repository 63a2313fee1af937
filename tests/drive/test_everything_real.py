"""A run with nothing scripted but the engine's model and the cluster's answers: real program, guards that ask, real questions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from inference_rollouts.drive.live import LiveAsker
from inference_rollouts.drive.vigil import Patience
from inference_rollouts.stages import Stage
from tests.drive.playing import World, world
from tests.observe.fake_apiserver import FakeApiServer
from tests.observe.fake_prometheus import FakePrometheus, vector
from tests.observe.world import condition, managed

LONG_AGO = "2020-01-01T00:00:00Z"


def ready(value: Any) -> Any:
    """An object as a cluster shows it when all is well."""
    value = copy.deepcopy(value)
    value["metadata"]["generation"] = 3
    count = value.get("spec", {}).get("replicas", 1)
    parent = {"parentRef": {"name": "my-inference-gateway"}, "controllerName": "networking.gke.io/gateway"}
    accepted = {"parents": [parent | {"conditions": [condition(c) for c in ("Accepted", "ResolvedRefs", "Reconciled")]}]}
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count)
    statuses = {
        "Deployment": {"observedGeneration": 3, **counts},
        "HTTPRoute": accepted,
        "InferencePool": accepted,
    }
    value["status"] = statuses.get(value["kind"], {})
    return managed(value, "rules", time=LONG_AGO)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster that shows whatever the engine writes, as the ambient kubeconfig's context `here`."""
    with FakeApiServer() as server:
        file = tmp_path / "kubeconfig"
        file.write_text(server.kubeconfig())
        monkeypatch.setenv("KUBECONFIG", str(file))
        yield server


def played(tmp_path, monkeypatch, cluster, prometheus, stage: Stage) -> World:
    checks = '[{ name: errors, query: "my_error_ratio{$server}", max: 0.05 }]'
    made = world(tmp_path / "project", monkeypatch, stage, steps="[10, 50, 100]", bake="10m", checks=checks)
    text = made.engine.file.read_text("utf-8")
    text = text.replace("location: us-central1", "location: us-central1, context: here")
    text += f"  inference-rollouts:metrics: {{ url: {prometheus.url} }}\n"
    made.engine.file.write_text(text, "utf-8")
    made.engine.silent = False

    def show(live: Any) -> None:
        cluster.objects.clear()
        cluster.put(*(ready(v) for v in live.values() if "apiVersion" in v))

    made.engine.on_change = show
    made.engine.state.clear()
    made.engine.deploy()
    return made


def test_a_run_asks_the_cluster_and_the_metrics_at_every_rung_and_arrives(tmp_path, monkeypatch, cluster):
    with FakePrometheus(lambda _: vector("0.01")) as prometheus:
        made = played(tmp_path, monkeypatch, cluster, prometheus, "prepare")
        driver = made.driver()
        driver.asker = driver.vigil.asker = LiveAsker(made.subject)
        last = made.hear(driver.run())

    assert (last.kind, last.code) == ("reached", 0), made.told
    assert (made.file, made.deployed, made.engine.weights) == (100, 100, {"llm": 0, "llm-new": 100})
    asked = {path.rpartition("/")[2] for path in cluster.asked}
    assert {"llm-new", "routes-to-llm"} <= asked
    assert all('job="llm-new"' in form["query"] for _, form, _ in prometheus.asked)


def test_an_error_ratio_that_rises_at_a_rung_falls_to_prepare_though_nothing_can_be_asked_any_more(
    tmp_path, monkeypatch, cluster
):
    made = None

    def ratio(_form):
        return vector("0.01" if made is None or made.deployed == 10 else "0.2")

    with FakePrometheus(ratio) as prometheus:
        made = played(tmp_path, monkeypatch, cluster, prometheus, 10)
        driver = made.driver()
        driver.asker = driver.vigil.asker = LiveAsker(made.subject)
        events = []
        for told in driver.run():
            events.append(told)
            if getattr(told, "kind", "") == "failing":
                cluster.answers = dict.fromkeys(cluster.objects, (500, "down"))

    assert (events[-1].kind, made.file, made.deployed) == ("rolled back", "prepare", "prepare")
    assert made.engine.weights == {"llm": 100, "llm-new": 0}
    assert "errors: seen 0.2, wanted at most 0.05" in next(e for e in events if getattr(e, "kind", "") == "failing").reasons[0]


def written_at(cluster: Any, when: str) -> None:
    """The route was last written then."""
    route = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/routes-to-llm"
    for entry in cluster.objects[route]["metadata"]["managedFields"]:
        entry["time"] = when


def test_a_rung_that_has_not_stood_long_enough_is_waited_for_by_the_clock_of_the_cluster(tmp_path, monkeypatch, cluster):
    with FakePrometheus(lambda _: vector("0.01")) as prometheus:
        made = played(tmp_path, monkeypatch, cluster, prometheus, 10)
        written_at(cluster, "2026-11-24T11:56:00Z")
        asked = LiveAsker(made.subject).ask(10, 50, made.engine.deployed().records["llm"], made.now())

    assert (asked.left, asked.least) == (360, 600)
    assert {finding.verdict for finding in asked.findings} == {"pass"}


def test_a_cluster_that_cannot_be_reached_is_unknown_and_holds(tmp_path, monkeypatch, cluster):
    with FakePrometheus(lambda _: vector("0.01")) as prometheus:
        made = played(tmp_path, monkeypatch, cluster, prometheus, 10)
        monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
        driver = made.driver(Patience(limit=120))
        driver.asker = driver.vigil.asker = LiveAsker(made.subject)
        last = made.hear(driver.run())

    assert (last.kind, last.code, made.file, made.deployed) == ("held", 3, 10, 10)
    assert "no way to it" in last.reasons[0]


def test_at_100_what_only_compares_with_stable_is_not_asked(tmp_path, monkeypatch, cluster):
    with FakePrometheus(lambda _: vector("0.01")) as prometheus:
        made = played(tmp_path, monkeypatch, cluster, prometheus, 100)
        text = made.engine.file.read_text("utf-8")
        made.engine.file.write_text(text.replace("max: 0.05 }", "maxRatio: 1.2 }"), "utf-8")
        asked = LiveAsker(made.subject).ask(100, None, made.engine.deployed().records["llm"], made.now())

    assert prometheus.asked == []
    assert not asked.of("unknown"), asked.findings


def test_credentials_that_are_over_are_got_anew_at_the_next_round(tmp_path, monkeypatch, cluster):
    with FakePrometheus(lambda _: vector("0.01")) as prometheus:
        made = played(tmp_path, monkeypatch, cluster, prometheus, 10)
        asker, record = LiveAsker(made.subject), made.engine.deployed().records["llm"]
        file = tmp_path / "kubeconfig"
        file.write_text(cluster.kubeconfig({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}}))
        before = asker.ask(10, 50, record, made.now())
        file.write_text(cluster.kubeconfig())
        after = asker.ask(10, 50, record, made.now())

    assert any("false failed with exit code 1" in finding.sentence for finding in before.of("unknown"))
    assert {finding.verdict for finding in after.findings} == {"pass"}


def test_an_object_of_another_shape_holds_and_ends_nothing(tmp_path, monkeypatch, cluster):
    with FakePrometheus(lambda _: vector("0.01")) as prometheus:
        made = played(tmp_path, monkeypatch, cluster, prometheus, 10)
        written_at(cluster, "yesterday")
        asked = LiveAsker(made.subject).ask(10, 50, made.engine.deployed().records["llm"], made.now())

    (finding,) = asked.of("unknown")
    assert (asked.left, finding.at) == (None, "the cluster")
    assert "what could not be judged (ValueError" in finding.seen
