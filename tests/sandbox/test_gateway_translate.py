"""From objects to Envoy's routes, clusters and endpoints."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.gateway import envoy
from sandbox.gateway.attach import covers
from sandbox.gateway.clusters import Target
from sandbox.gateway.files import GatewayFiles, write_json
from sandbox.gateway.matches import precedence, route_match
from sandbox.gateway.routes import duration
from sandbox.gateway.snapshot import Snapshot, translate
from sandbox.home import Home
from tests.sandbox import gateway_world as w

FILES = GatewayFiles(Home(Path("/home")))
GOLDEN = Path(__file__).with_name("gateway_golden.json")


def two_pools(*more: w.Item) -> list[w.Item]:
    return [w.gateway(), w.pool("llm"), w.pool("llm-new", fail_open=False), *w.picker("llm", "10.77.1.9"), *more]


def state(*items: w.Item, checks: bool = True) -> tuple[Snapshot, dict[str, Target]]:
    return translate(w.objects(*items), FILES, checks=checks)


def routes_of(snapshot: Snapshot, host: str = "*") -> list[dict[str, Any]]:
    return next(v["routes"] for v in snapshot.routes["virtual_hosts"] if v["name"] == host)


def shares(entry: dict[str, Any]) -> dict[str, int]:
    return {c["name"]: c["weight"] for c in entry["route"]["weighted_clusters"]["clusters"]}


def example() -> tuple[Snapshot, dict[str, Target]]:
    """A rollout at 10 % with test traffic, a policy of each kind, and a backend that is missing."""
    test = {"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"type": "Exact", "name": "X-Test", "value": "new"}]}
    rules = (
        w.rule(w.ref("llm-new"), matches=[test]),
        w.rule(
            w.ref("llm", 85), w.ref("llm-new", 10), w.ref("gone", 5), matches=[{"path": {"type": "PathPrefix", "value": "/"}}]
        ),
    )
    pods = [w.pod("a", "10.77.1.1", app="llm"), w.pod("b", "10.77.1.2", app="llm", ready=False)]
    policies = [w.health_check("llm"), w.backend_policy("llm")]
    return state(*two_pools(*pods, *policies, w.route("r", *rules)))


def test_example_as_whole() -> None:
    snapshot, targets = example()
    found = {
        "routes": snapshot.routes,
        "clusters": snapshot.clusters,
        "drains": snapshot.drains,
        "endpoints": {name: targets[name].assignment() for name in snapshot.clusters},
    }
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_envoy_takes_the_example(tmp_path: Path) -> None:
    """Envoy itself says whether the routes and clusters are right: here as static ones, which it checks before it starts."""
    pytest.importorskip("envoy")
    files = GatewayFiles(Home(tmp_path))
    envoy.prepare(files, 1)
    document = json.loads(files.bootstrap.read_text())
    snapshot, targets = example()
    manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"], document["dynamic_resources"]
    manager["route_config"] = {k: v for k, v in snapshot.routes.items() if k != "@type"}
    for name, cluster in snapshot.clusters.items():
        static = {k: v for k, v in cluster.items() if k not in ("@type", "eds_cluster_config")} | {"type": "STATIC"}
        assignment = {k: v for k, v in targets[name].assignment().items() if k != "@type"}
        document["static_resources"]["clusters"].append(static | {"load_assignment": assignment})
    write_json(files.bootstrap, document)
    done = subprocess.run(
        envoy.command(files, "--mode", "validate"), capture_output=True, text=True, cwd=files.home.run, check=False
    )
    assert done.returncode == 0, done.stderr


def test_weight_zero_stays_and_missing_weight_is_one() -> None:
    snapshot, _ = state(*two_pools(w.route("r", w.rule(w.ref("llm"), w.ref("llm-new", 0)))))
    assert shares(routes_of(snapshot)[0]) == {"pool_v1_default_llm": 1, "pool_v1_default_llm-new": 0}
    assert "pool_v1_default_llm-new" in snapshot.clusters


@pytest.mark.parametrize(
    "rule", [w.rule(w.ref("llm", 0)), w.rule(), w.rule(w.ref("gone")), w.rule(w.ref("llm"), filters=[{"type": "RequestMirror"}])]
)
def test_rule_that_nobody_can_serve_is_500(rule: dict[str, Any]) -> None:
    snapshot, _ = state(*two_pools(w.route("r", rule)))
    assert routes_of(snapshot)[0]["direct_response"]["status"] == 500


@pytest.mark.parametrize(
    "ref",
    [
        {"name": "llm", "kind": "InferencePool"},  # the group is missing
        w.ref("llm", group="inference.networking.x-k8s.io"),
        w.ref("llm", namespace="other"),
        w.service_ref("llm-epp", port=1),
        {"name": "x", "group": "a.b", "kind": "C"},
    ],
)
def test_backend_that_is_not_there(ref: dict[str, Any]) -> None:
    snapshot, _ = state(*two_pools(w.route("r", w.rule(ref | {"weight": 1}, w.ref("llm", 1)))))
    assert shares(routes_of(snapshot)[0]) == {"no-backend": 1, "pool_v1_default_llm": 1}


def test_legacy_pool() -> None:
    items = [w.gateway(), w.pool("llm", legacy=True), *w.picker("llm", "10.77.1.9"), w.pod("a", "10.77.1.1", app="llm")]
    ref = w.ref("llm", group="inference.networking.x-k8s.io")
    snapshot, targets = state(*items, w.route("r", w.rule(ref)))
    assert set(snapshot.clusters) == {"pool_v1alpha2_default_llm", "picker_default_llm-epp_9002"}
    assert targets["pool_v1alpha2_default_llm"].endpoints == (("10.77.1.1", 8000),)


def test_only_ready_pods_that_stay() -> None:
    pods = [
        w.pod("a", "10.77.1.1", app="llm"),
        w.pod("b", "10.77.1.2", app="llm", ready=False),
        w.pod("c", "10.77.1.3", app="llm", deletionTimestamp="2026-01-01T00:00:00Z"),
        w.pod("d", "", app="llm"),
        w.pod("e", "10.77.1.5", app="llm-new"),
        w.pod("f", "10.77.1.6", app="llm", namespace="other"),
    ]
    _, targets = state(w.gateway(), w.pool("llm", ports=(8000, 8001)), *pods)
    assert targets["pool_v1_default_llm"].endpoints == (("10.77.1.1", 8000), ("10.77.1.1", 8001))


def test_picker_speaks_tls_only_where_it_is_asked_to() -> None:
    name = "picker_default_llm-epp_9002"
    _, plain = state(*two_pools(w.pod("p", "10.77.1.9", app="llm-epp", args=["--secure-serving=false"])))
    _, secure = state(*two_pools(w.pod("p", "10.77.1.9", app="llm-epp", args=["--secure-serving=true"])))
    assert "transport_socket" not in plain[name].cluster
    assert "transport_socket" in secure[name].cluster


def test_unready_picker_is_no_endpoint() -> None:
    items = [
        w.pool("llm"),
        w.service("llm-epp", 9002),
        w.endpoint_slice("llm-epp", 9002, "10.77.1.1", "10.77.1.2", unready=["10.77.1.1"]),
    ]
    _, targets = state(w.gateway(), *items)
    assert targets["picker_default_llm-epp_9002"].endpoints == (("10.77.1.2", 9002),)


def test_health_is_asked_as_the_policy_says() -> None:
    _, targets = state(*two_pools(w.health_check("llm", port=9000, requestPath="/up")))
    target = targets["pool_v1_default_llm"]
    assert target.cluster["health_checks"][0]["http_health_check"] == {"path": "/up"}
    assert target.check_port == 9000
    assert "health_checks" not in targets["pool_v1_default_llm-new"].cluster
    _, without = state(*two_pools(w.health_check("llm")), checks=False)
    assert "health_checks" not in without["pool_v1_default_llm"].cluster


@pytest.mark.parametrize(
    ("timeouts", "policies", "seconds"),
    [
        (None, (), "30s"),
        (None, (w.backend_policy("llm", timeout=600),), "600s"),
        ({"request": "10s"}, (w.backend_policy("llm", timeout=600),), "10.0s"),
        ({"backendRequest": "1m30s"}, (), "90.0s"),
    ],
)
def test_timeout_of_a_rule(timeouts: Any, policies: tuple[w.Item, ...], seconds: str) -> None:
    more = {"timeouts": timeouts} if timeouts else {}
    snapshot, _ = state(*two_pools(*policies, w.route("r", w.rule(w.ref("llm"), w.ref("llm-new"), **more))))
    assert routes_of(snapshot)[0]["route"]["timeout"] == seconds


def test_duration() -> None:
    assert [duration(text) for text in ("1h30m", "500ms", "2s", "0s")] == [5400, 0.5, 2, 0]


def test_prefix_is_of_whole_segments() -> None:
    def path(value: str, kind: str = "PathPrefix") -> dict[str, Any]:
        return route_match({"path": {"type": kind, "value": value}})

    assert path("/") == {"prefix": "/"}
    assert path("/v1/") == path("/v1") == {"path_separated_prefix": "/v1"}
    assert path("/v1", "Exact") == {"path": "/v1"}
    assert path("/v[12]", "RegularExpression") == {"safe_regex": {"regex": "/v[12]"}}


def test_which_match_comes_first() -> None:
    def match(kind: str, value: str, headers: int = 0, **more: Any) -> dict[str, Any]:
        return {
            "path": {"type": kind, "value": value},
            "headers": [{"name": f"h{n}", "value": ""} for n in range(headers)],
            **more,
        }

    wanted = [
        match("Exact", "/a"),
        match("PathPrefix", "/a/b"),
        match("PathPrefix", "/a", method="GET"),
        match("PathPrefix", "/a", 2),
        match("PathPrefix", "/a", 1),
        match("PathPrefix", "/a", queryParams=[{"name": "q", "value": "1"}]),
        match("PathPrefix", "/a"),
    ]
    assert sorted(sorted(wanted, key=str), key=precedence) == wanted


def test_older_route_wins_a_tie_and_one_rule_is_there_once() -> None:
    young = w.route("a", w.rule(w.ref("llm-new")), creationTimestamp="2026-02-01T00:00:00Z")
    parents = [{"name": "gw"}, {"name": "gw", "sectionName": "http"}]
    old = w.route("b", w.rule(w.ref("llm")), creationTimestamp="2026-01-01T00:00:00Z", parents=parents)
    snapshot, _ = state(*two_pools(young, old))
    assert [entry["name"] for entry in routes_of(snapshot)] == ["default/b/0/0", "default/a/0/0"]


def test_host_falls_back_to_wider_hosts() -> None:
    routes = [
        w.route("narrow", w.rule(w.ref("llm")), hostnames=["a.example.com"]),
        w.route("wide", w.rule(w.ref("llm")), hostnames=["*.example.com"]),
        w.route("any", w.rule(w.ref("llm"))),
    ]
    snapshot, _ = state(*two_pools(*routes))
    names = {v["name"]: [entry["name"].split("/")[1] for entry in v["routes"]] for v in snapshot.routes["virtual_hosts"]}
    assert names == {"a.example.com": ["narrow", "wide", "any"], "*.example.com": ["wide", "any"], "*": ["any"]}


def test_covers() -> None:
    assert covers("*", "a.b")
    assert covers("*.b.c", "a.b.c")
    assert covers("*.c", "*.b.c")
    assert not covers("*.b.c", "b.c")
    assert not covers("*.b.c", "*.c")
    assert not covers("a.b", "*")


def test_service_as_backend_and_headers() -> None:
    modify = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x", "value": "50%"}], "remove": ["y"]}}
    items = [w.service("web", 80), w.endpoint_slice("web", 8080, "10.77.3.1"), w.gateway()]
    snapshot, targets = state(*items, w.route("r", w.rule(w.service_ref("web"), filters=[modify])))
    entry = routes_of(snapshot)[0]
    assert entry["request_headers_to_add"][0]["header"] == {"key": "x", "value": "50%%"}
    assert entry["request_headers_to_remove"] == ["y"]
    assert targets["service_default_web_80"].endpoints == (("10.77.3.1", 8080),)
