"""The gateway on a running sandbox: real API server, pickers, simulated model servers, and traffic that counts what is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox import control
from sandbox.gateway.files import GatewayFiles, write_json
from sandbox.home import Home
from sandbox.live.clients import TOKEN_SECONDS
from sandbox.nodes.kube import Kube
from sandbox.nodes.pools import SYSTEM_POOL
from sandbox.nodes.provision import NodePools
from sandbox.nodes.settings import configure
from sandbox.traffic.load import Load
from sandbox.traffic.requests import ClosedLoop, Requests, long_streams
from tests.sandbox.gateway_cluster import BOTH, Cluster, eventually, gateway, version, weighted

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = Home(tmp_path_factory.mktemp("sandbox") / "home")
    control.up(home)
    try:
        configure(home.root, tokenSeconds=TOKEN_SECONDS)
        NodePools(Kube(home.kubeconfig)).apply({**SYSTEM_POOL, "nodeCount": 2})
        found = Cluster(home)
        found.apply(gateway(), *version("llm"), *version("llm-new"), weighted({"llm": 100, "llm-new": 0}))
        found.kubectl("wait", "deployment", "--all", "--for=condition=Available", "--timeout=120s")
        eventually(lambda: reconciled(found))
        eventually(lambda: not traffic(found, "probe", most=20).lost)
        yield found
    finally:
        control.down(home)


def url(cluster: Cluster) -> str:
    return f"http://127.0.0.1:{cluster.home.running().ports.gateway}"


def asks(cluster: Cluster, **more: object) -> Requests:
    return Requests(url=url(cluster), models={"llm": 1}, pace=ClosedLoop(4), versions=BOTH, **more)  # type: ignore[arg-type]


def traffic(cluster: Cluster, phase: str, **more: object):
    with Load(asks(cluster, **more), home=cluster.home) as load:
        return load.result(120)


def reconciled(cluster: Cluster, name: str = "routes-to-llm") -> bool:
    """Whether the route's conditions are all True about its present generation."""
    route = cluster.get("httproute", name)
    parents = (route.get("status") or {}).get("parents") or []
    wanted = dict.fromkeys(("Accepted", "ResolvedRefs", "Reconciled"), ("True", route["metadata"]["generation"]))
    return bool(parents) and {c["type"]: (c["status"], c["observedGeneration"]) for c in parents[0]["conditions"]} == wanted


def move(cluster: Cluster, weights: dict[str, int], test: str | None = None) -> float:
    """Apply weights and wait for the gateway's word; seconds."""
    cluster.apply(weighted(weights, test))
    return eventually(lambda: reconciled(cluster))


def test_share_is_the_wanted_one(cluster: Cluster) -> None:
    move(cluster, {"llm": 90, "llm-new": 10})
    found = traffic(cluster, "share", most=3000)
    assert found.lost == 0
    assert abs(found.whole.replies["llm-new"] - 300) < 66  # 4 sigma


def test_weights_change_under_load_and_streams_outlive_it(cluster: Cluster) -> None:
    """10 moves; streams of 30 s and more that are under way when they happen end whole, also when all servers are replaced."""
    move(cluster, {"llm": 50, "llm-new": 50})
    # All under way before the first move; that all twelve are drawn to one version happens once in 2,000 times.
    streams = replace(long_streams(asks(cluster), 12, seconds=35, inter_token_latency=TOKEN_SECONDS), pace=ClosedLoop(12, ramp=2))
    with Load(streams, home=cluster.home) as long, Load(asks(cluster), home=cluster.home) as load:
        eventually(lambda: long.latest.in_flight == 12)
        for percent in (1, 10, 25, 50, 75, 100, 50, 0, 100, 50):
            move(cluster, {"llm": 100 - percent, "llm-new": percent})
            time.sleep(1)
        cluster.kubectl("rollout", "restart", "deployment/llm")
        cluster.kubectl("rollout", "status", "deployment/llm", "--timeout=100s")
        short, whole = load.stop(), long.stop()
    assert short.lost == 0, short.whole.samples
    assert short.whole.requests > 500
    assert whole.lost == 0, whole.whole.samples
    assert whole.whole.latency.max > 30_000
    assert set(whole.whole.replies) == {"llm", "llm-new"}


def test_header_goes_to_one_version(cluster: Cluster) -> None:
    move(cluster, {"llm": 100, "llm-new": 0}, test="llm-new")
    found = traffic(cluster, "test", most=200, headers={"x-test": "new"})
    assert found.lost == 0, found.whole.samples
    assert set(found.whole.replies) == {"llm-new"}
    rest = traffic(cluster, "rest", most=200)
    assert rest.lost == 0, rest.whole.samples
    assert set(rest.whole.replies) == {"llm"}


def test_gateway_and_pools_are_told(cluster: Cluster) -> None:
    move(cluster, {"llm": 100, "llm-new": 0})
    standing = cluster.get("gateway", "inference-gateway")["status"]
    assert standing["addresses"] == [{"type": "IPAddress", "value": "127.0.0.1"}]
    assert {c["type"]: c["status"] for c in standing["conditions"]} == {"Accepted": "True", "Programmed": "True"}
    assert [listener["attachedRoutes"] for listener in standing["listeners"]] == [1]
    for pool in ("llm", "llm-new"):
        parent = cluster.get("inferencepool", pool)["status"]["parents"][0]
        assert parent["parentRef"]["name"] == "inference-gateway"
        assert {c["type"]: c["status"] for c in parent["conditions"]} == {"Accepted": "True", "ResolvedRefs": "True"}


def test_pool_that_goes_takes_only_its_share(cluster: Cluster) -> None:
    move(cluster, {"llm": 80, "llm-new": 20})
    cluster.delete("inferencepool", "llm-new")
    eventually(lambda: refs_of(cluster) == ("False", "BackendNotFound"))
    found = traffic(cluster, "gone", most=500)
    assert set(found.whole.statuses) == {"500"}
    assert 100 - 36 < found.lost < 100 + 36
    cluster.apply(*version("llm-new"))
    eventually(lambda: reconciled(cluster))
    eventually(lambda: traffic(cluster, "back", most=50).lost == 0)


def refs_of(cluster: Cluster) -> tuple[str, str]:
    parents = cluster.get("httproute", "routes-to-llm")["status"]["parents"]
    found = next(c for c in parents[0]["conditions"] if c["type"] == "ResolvedRefs")
    return found["status"], found["reason"]


def test_parts_restart_under_load(cluster: Cluster) -> None:
    """The controller and the API server go and come: nothing is lost, and the next move is done."""
    move(cluster, {"llm": 50, "llm-new": 50})
    with Load(asks(cluster), home=cluster.home) as load:
        control.restart(cluster.home, "gateway", 9)
        control.restart(cluster.home, "kube-apiserver", 9)
        move(cluster, {"llm": 0, "llm-new": 100})
        load.mark("after")
        load.wait_for(200, 30)
        found = load.stop()
    assert found.lost == 0, found.whole.samples
    assert found.phase("after").replies.keys() <= {"llm-new"}


def test_delays_of_gke(cluster: Cluster) -> None:
    move(cluster, {"llm": 100, "llm-new": 0})
    settings = GatewayFiles(cluster.home).settings
    write_json(settings, {"weightDelay": 2, "statusDelay": 3})
    try:
        assert 4.5 < move(cluster, {"llm": 99, "llm-new": 1}) < 12
    finally:
        settings.unlink()
