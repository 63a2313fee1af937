"""A Gateway of our own is where its routes look for it, and takes exactly theirs."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts import move
from inference_rollouts.manifests.route import gateway, http_route
from inference_rollouts.plan import Plan, plan_for
from inference_rollouts.record import Record
from inference_rollouts.settings import load
from tests.conftest import example


def planned(where: str, **keys: Any) -> Plan:
    config = {key.split(":")[1]: value for key, value in example("node-update").items() if key.startswith("inference-rollouts:")}
    config["gateway"] = {"name": "g", "create": {}, **keys}
    config["services"]["llm"]["namespace"] = where
    return plan_for(load(config))


def allowed(plan: Plan) -> Any:
    assert plan.gateway
    return gateway(plan.gateway)["spec"]["listeners"][0]["allowedRoutes"]["namespaces"]


def test_a_service_in_another_namespace_names_the_gateways_and_is_let_in_there():
    plan = planned("models")

    (parent,) = http_route(plan.services[0].route)["spec"]["parentRefs"]
    assert parent["namespace"] == "default"
    assert allowed(plan)["selector"]["matchExpressions"][0]["values"] == ["models"]


def test_a_service_beside_its_gateway_needs_no_namespace_and_nobody_else_is_let_in():
    plan = planned("models", namespace="models")

    (parent,) = http_route(plan.services[0].route)["spec"]["parentRefs"]
    assert "namespace" not in parent
    assert allowed(plan) == {"from": "Same"}


HTTP = {"name": "http", "protocol": "HTTP", "port": 80}


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ({"class": "gke-l7-rilb"}, "class: gke-l7-regional-external-managed → gke-l7-rilb"),
        ({"address": "front"}, "address: nothing → front"),
        ({"listeners": [{**HTTP, "port": 8080}]}, "listeners.http.port: 80 → 8080"),
        ({"listeners": [{**HTTP, "name": "other"}]}, "listeners.http"),
        ({"listeners": [HTTP, {**HTTP, "name": "second", "port": 8080}]}, None),
        (
            {
                "listeners": [HTTP, {**HTTP, "name": "https", "protocol": "HTTPS", "port": 443}],
                "tls": {"certificateRefs": [{"name": "c"}]},
            },
            None,
        ),
    ],
)
def test_a_gateway_of_our_own_changes_no_way_in_that_clients_use(keys, refused):
    before, after = (planned("models", create=create).services[0].record for create in ({}, keys))

    reasons = move.judge("llm", Record.from_wire(before.to_wire()), Record.from_wire(after.to_wire()))
    assert [refused in reason for reason in reasons] == ([True] if refused else [])


def test_another_namespace_may_be_let_in_at_any_time():
    before = planned("models").services[0].record.to_wire()

    assert "allowedRoutes" not in str(before["door"]), "who is let in follows from the services"
