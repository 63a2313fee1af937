"""What the objects are told, and which of it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.gateway.files import GatewayFiles
from sandbox.gateway.kinds import GATEWAY, HTTP_ROUTE, LEGACY_POOL, POOL, Kind
from sandbox.gateway.report import changed, write
from sandbox.gateway.snapshot import translate
from sandbox.gateway.statuses import Status
from sandbox.home import Home
from tests.sandbox import gateway_world as w

FILES = GatewayFiles(Home(Path("/home")))
BEFORE, NOW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def told(kind: Kind, name: str, *items: w.Item) -> Status:
    snapshot, _ = translate(w.objects(*items), FILES)
    return next(s for s in snapshot.statuses if (s.kind, s.key[1]) == (kind, name))


def conditions(entry: Any) -> dict[str, tuple[str, str, int]]:
    return {c["type"]: (c["status"], c["reason"], c["observedGeneration"]) for c in entry["conditions"]}


def test_route_that_is_served() -> None:
    route = w.route("r", w.rule(w.ref("llm")), generation=7)
    parent = told(HTTP_ROUTE, "r", w.gateway(), w.pool("llm"), route).fields["parents"][0]
    assert parent["controllerName"] == "networking.gke.io/gateway"
    assert parent["parentRef"] == {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}
    assert conditions(parent) == {
        "Accepted": ("True", "Accepted", 7),
        "ResolvedRefs": ("True", "ResolvedRefs", 7),
        "Reconciled": ("True", "ReconciliationSucceeded", 7),
    }


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        (w.ref("gone"), "BackendNotFound"),
        ({"name": "llm", "kind": "InferencePool"}, "InvalidKind"),
        (w.ref("llm", namespace="other"), "RefNotPermitted"),
    ],
)
def test_route_with_a_backend_that_cannot_be(ref: dict[str, Any], reason: str) -> None:
    found = told(HTTP_ROUTE, "r", w.gateway(), w.pool("llm"), w.route("r", w.rule(w.ref("llm"), ref)))
    assert conditions(found.fields["parents"][0])["ResolvedRefs"][:2] == ("False", reason)


@pytest.mark.parametrize(
    ("listener", "route", "reason"),
    [
        ({}, {"parents": [{"name": "gw", "sectionName": "other"}]}, "NoMatchingParent"),
        ({}, {"parents": [{"name": "gw", "namespace": "default"}], "namespace": "apps"}, "NotAllowedByListeners"),
        ({"hostname": "*.a.com"}, {"hostnames": ["x.b.com"]}, "NoMatchingListenerHostname"),
        ({"protocol": "TCP"}, {}, "NotAllowedByListeners"),
    ],
)
def test_route_that_no_listener_takes(listener: dict[str, Any], route: dict[str, Any], reason: str) -> None:
    gateway = w.gateway(listeners=[{"name": "http", "protocol": "HTTP", "port": 80, **listener}])
    found = told(HTTP_ROUTE, "r", gateway, w.route("r", w.rule(), **route))
    assert conditions(found.fields["parents"][0])["Accepted"][:2] == ("False", reason)
    assert conditions(found.fields["parents"][0])["Reconciled"][0] == "False"


def test_namespaces_that_a_listener_selects() -> None:
    allowed = {
        "namespaces": {
            "from": "Selector",
            "selector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["ml"]}]},
        }
    }
    gateway = w.gateway(listeners=[{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": allowed}])
    parents = [{"name": "gw", "namespace": "default"}]
    items = [gateway, w.namespace("apps", team="ml"), w.namespace("web", team="web")]
    for namespace, accepted in (("apps", "True"), ("web", "False")):
        found = told(HTTP_ROUTE, "r", *items, w.route("r", w.rule(), namespace=namespace, parents=parents))
        assert conditions(found.fields["parents"][0])["Accepted"][0] == accepted


def test_unsupported_filter() -> None:
    mirror = w.rule(w.ref("llm"), filters=[{"type": "RequestMirror"}])
    found = told(HTTP_ROUTE, "r", w.gateway(), w.pool("llm"), w.route("r", mirror))
    assert conditions(found.fields["parents"][0])["Accepted"][:2] == ("False", "UnsupportedValue")


def test_gateway_counts_its_routes() -> None:
    fields = told(GATEWAY, "gw", w.gateway(generation=3), w.route("a", w.rule()), w.route("b", w.rule())).fields
    assert fields["addresses"] == [{"type": "IPAddress", "value": "127.0.0.1"}]
    assert conditions(fields) == {"Accepted": ("True", "Accepted", 3), "Programmed": ("True", "Programmed", 3)}
    assert fields["listeners"][0]["attachedRoutes"] == 2


@pytest.mark.parametrize(("kind", "legacy", "field"), [(POOL, False, "parents"), (LEGACY_POOL, True, "parent")])
def test_pool_hears_from_the_gateway_that_uses_it(kind: Kind, legacy: bool, field: str) -> None:
    route = w.route("r", w.rule(w.ref("llm", group=kind.group)))
    items = [w.gateway(), w.pool("llm", legacy=legacy), route]
    entry = told(kind, "llm", *items, *w.picker("llm", "10.77.1.1")).fields[field][0]
    assert conditions(entry) == {"Accepted": ("True", "Accepted", 1), "ResolvedRefs": ("True", "ResolvedRefs", 1)}
    assert ("controllerName" in entry) is not legacy
    without = told(kind, "llm", *items).fields[field][0]
    assert conditions(without)["ResolvedRefs"][:2] == ("False", "InvalidExtensionRef")


def test_pool_that_no_route_names_hears_nothing() -> None:
    assert told(POOL, "llm", w.gateway(), w.pool("llm")).fields == {"parents": []}


def status(entries: list[Any], kind: Kind = HTTP_ROUTE, field: str = "parents") -> Status:
    return Status(kind, ("default", "r"), "uid-r", {field: entries})


def entry(
    state: str, generation: int = 1, at: str | None = None, controller: str = "networking.gke.io/gateway"
) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": state, "observedGeneration": generation}
    return {
        "parentRef": {"name": "gw"},
        "controllerName": controller,
        "conditions": [condition | ({"lastTransitionTime": at} if at else {})],
    }


def test_time_is_that_of_the_last_turn() -> None:
    old = {"parents": [entry("True", 1, BEFORE)]}
    assert changed(status([entry("True", 1)]), old, NOW) == {}
    assert changed(status([entry("True", 2)]), old, NOW) == {"parents": [entry("True", 2, BEFORE)]}
    assert changed(status([entry("False", 2)]), old, NOW) == {"parents": [entry("False", 2, NOW)]}


def test_what_others_say_stays() -> None:
    other = entry("True", 1, BEFORE, controller="else.io/x")
    assert changed(status([entry("True")]), {"parents": [other]}, NOW) == {"parents": [entry("True", 1, NOW), other]}


def test_placeholder_of_a_legacy_pool_stays_until_there_is_a_word() -> None:
    placeholder = {"parent": [{"parentRef": {"kind": "Status", "name": "default"}, "conditions": []}]}
    assert changed(status([], LEGACY_POOL, "parent"), placeholder, NOW) == {}
    assert changed(status([], POOL), {}, NOW) == {}


def test_write_skips_what_was_told_and_other_objects_and_survives_refusals() -> None:
    route = w.route("r", w.rule())
    calls: list[str] = []

    def refuse(path: str, body: object) -> Any:
        calls.append(path)
        raise OSError("away")

    assert write([status([entry("True")])], w.objects(route), refuse) == []
    assert calls == ["/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/r/status"]
    stranger = Status(HTTP_ROUTE, ("default", "r"), "another", {"parents": [entry("True")]})
    assert write([stranger], w.objects(route), lambda *_: pytest.fail("told to another object")) == []
