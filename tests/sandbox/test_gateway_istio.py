"""The same route on istiod and a plain Envoy: the stories do not rest on our own controller."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sandbox import control
from sandbox.gateway import istio
from sandbox.home import Home
from sandbox.nodes.kube import Kube
from sandbox.nodes.pools import SYSTEM_POOL
from sandbox.nodes.provision import NodePools
from sandbox.traffic.load import Load
from sandbox.traffic.requests import ClosedLoop, Requests
from tests.sandbox.gateway_cluster import BOTH, Cluster, eventually, gateway, version, weighted

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = Home(tmp_path_factory.mktemp("istio") / "home")
    control.up(home, "istio")
    try:
        NodePools(Kube(home.kubeconfig)).apply({**SYSTEM_POOL, "nodeCount": 2})
        found = Cluster(home)
        found.apply(gateway(istio.CLASS), *version("llm"), *version("llm-new"), weighted({"llm": 100, "llm-new": 0}))
        found.kubectl("wait", "deployment", "--all", "--for=condition=Available", "--timeout=120s")
        eventually(lambda: resolved(found))
        eventually(lambda: not traffic(found, most=20).lost)
        yield found
    finally:
        control.down(home)


def traffic(cluster: Cluster, **more: object):
    url = f"http://127.0.0.1:{cluster.home.running().ports.gateway}"
    requests = Requests(url=url, models={"llm": 1}, pace=ClosedLoop(4), versions=BOTH, **more)  # type: ignore[arg-type]
    with Load(requests, home=cluster.home) as load:
        return load.result(120)


def resolved(cluster: Cluster) -> bool:
    """Whether istiod says Accepted and ResolvedRefs about the route's present generation."""
    route = cluster.get("httproute", "routes-to-llm")
    parents = (route.get("status") or {}).get("parents") or []
    wanted = dict.fromkeys(("Accepted", "ResolvedRefs"), ("True", route["metadata"]["generation"]))
    return bool(parents) and {c["type"]: (c["status"], c["observedGeneration"]) for c in parents[0]["conditions"]} == wanted


def test_gateway_is_programmed(cluster: Cluster) -> None:
    conditions = cluster.get("gateway", "inference-gateway")["status"]["conditions"]
    assert {c["type"]: c["status"] for c in conditions if c["type"] != "ResolvedRefs"} == {
        "Accepted": "True",
        "Programmed": "True",
    }


def test_share_is_the_wanted_one(cluster: Cluster) -> None:
    cluster.apply(weighted({"llm": 90, "llm-new": 10}))
    eventually(lambda: resolved(cluster))
    time.sleep(1)
    found = traffic(cluster, most=3000)
    assert found.lost == 0, found.whole.samples
    assert abs(found.whole.replies["llm-new"] - 300) < 66  # 4 sigma


def test_weights_change_under_load(cluster: Cluster) -> None:
    url = f"http://127.0.0.1:{cluster.home.running().ports.gateway}"
    with Load(Requests(url=url, models={"llm": 1}, pace=ClosedLoop(4), versions=BOTH), home=cluster.home) as load:
        for percent in (10, 50, 100, 50, 0):
            cluster.apply(weighted({"llm": 100 - percent, "llm-new": percent}))
            eventually(lambda: resolved(cluster))
            time.sleep(1)
        found = load.stop()
    assert found.lost == 0, found.whole.samples
    assert set(found.whole.replies) == {"llm", "llm-new"}
