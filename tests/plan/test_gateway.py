"""A Gateway of our own is where its routes look for it, and takes exactly theirs."""

from __future__ import annotations

from typing import Any

from inference_rollouts.manifests.route import gateway, http_route
from inference_rollouts.plan import Plan, plan_for
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
