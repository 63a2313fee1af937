"""Which rule of a route pins the test header, and which requests of an OpenAI client get to it."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.manifests.route import Backend, TestHeader, WeightedRouteArgs, http_route
from inference_rollouts.observe.probe_route import Way, pinned, ways

POOL = "inference.networking.k8s.io"
NEW = Backend(group=POOL, pool="llm-new", weight=100)
TEST = TestHeader(name="X-Canary", value="yes", backend=NEW)
SPLIT = (Backend(group=POOL, pool="llm", weight=90), Backend(group=POOL, pool="llm-new", weight=10))


def route(*matches: dict[str, Any], rules: tuple[dict[str, Any], ...] = (), test: TestHeader | None = TEST) -> dict[str, Any]:
    """As it stands in a cluster, at generation 7."""
    args = WeightedRouteArgs(
        name="r", namespace="default", parent_refs=({"name": "g"},), matches=matches, backends=SPLIT, rules=rules, test=test
    )
    value = http_route(args)
    value["metadata"]["generation"] = 7
    return value


def opened(value: dict[str, Any], **more: str) -> tuple[dict[str, str], dict[str, str]]:
    """Request line by endpoint, and why others are closed."""
    rule, _ = pinned(value, TEST, "HTTPRoute default/r")
    assert rule
    found, closed = ways(value, rule, more)
    return {endpoint: f"{way.method} {way.target}" for endpoint, way in found.items()}, {**closed}


def path(value: str, kind: str = "PathPrefix", **more: Any) -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}, **more}


# --- the rule ---------------------------------------------------------------------------------------------------------


def test_the_programs_own_route_is_pinned():
    rule, finding = pinned(route(), TEST, "HTTPRoute default/r")

    assert rule
    assert (finding.verdict, finding.seen) == ("pass", "X-Canary: yes goes to InferencePool llm-new alone, generation 7")


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (route(test=None), "no rule for that header, generation 7"),
        (route(test=TestHeader(name="X-Canary", value="no", backend=NEW)), "no rule for that header, generation 7"),
        (
            route(test=TestHeader(name="x-canary", value="yes", backend=SPLIT[0])),
            "a rule that sends it to llm 90, generation 7",
        ),
    ],
)
def test_a_route_without_the_rule_fails_and_says_what_to_do(value, seen):
    rule, finding = pinned(value, TEST, "HTTPRoute default/r")

    assert rule is None
    assert (finding.verdict, finding.seen) == ("fail", seen)
    assert finding.advice == "deploy the stack file first (pulumi up): the rule comes with rollout.test"


def test_a_rule_that_one_match_opens_to_everybody_is_no_pin():
    value = route()
    value["spec"]["rules"][0]["matches"].append({"path": {"type": "PathPrefix", "value": "/"}})
    assert pinned(value, TEST, "here")[0] is None


def test_a_header_that_only_resembles_the_value_is_no_pin():
    value = route()
    value["spec"]["rules"][0]["matches"][0]["headers"][0]["type"] = "RegularExpression"
    assert pinned(value, TEST, "here")[0] is None


def test_a_rule_with_stable_beside_the_canary_is_no_pin_and_one_with_it_at_0_is():
    value = route()
    refs = value["spec"]["rules"][0]["backendRefs"]
    refs.append({**refs[0], "name": "llm", "weight": 0})
    assert pinned(value, TEST, "here")[0]
    refs[1]["weight"] = 1
    assert pinned(value, TEST, "here")[1].seen == "a rule that sends it to llm-new 100, llm 1, generation 7"


# --- the ways to it ---------------------------------------------------------------------------------------------------


def test_without_matches_every_endpoint_is_open():
    found, closed = opened(route())
    assert found == {"chat": "POST /v1/chat/completions", "completion": "POST /v1/completions", "models": "GET /v1/models"}
    assert closed == {}


def test_the_header_is_sent_as_the_route_has_it():
    value = route(path("/", headers=[{"name": "x-tenant", "value": "a"}], queryParams=[{"name": "k", "value": "a b"}]))
    rule, _ = pinned(value, TEST, "here")
    assert rule
    found, _ = ways(value, rule, {})

    assert found["chat"] == Way("POST", "/v1/chat/completions", {"x-tenant": "a", "X-Canary": "yes"}, {"k": "a b"})
    assert found["chat"].target == "/v1/chat/completions?k=a+b"


@pytest.mark.parametrize(
    ("match", "chat", "completion"),
    [
        (path("/v1"), "/v1/chat/completions", "/v1/completions"),
        (path("/v1/"), "/v1/chat/completions", "/v1/completions"),
        (path("/v1/chat"), "/v1/chat/completions", None),
        (path("/llm"), "/llm/v1/chat/completions", "/llm/v1/completions"),
        (path("/llm/"), "/llm/v1/chat/completions", "/llm/v1/completions"),
        (path("/llm/v1"), "/llm/v1/chat/completions", "/llm/v1/completions"),
        (path("/llm/v1/completions"), None, "/llm/v1/completions"),
        (path("/v1beta"), "/v1beta/v1/chat/completions", "/v1beta/v1/completions"),
        (path("/v1/chat/completions", "Exact"), "/v1/chat/completions", None),
        (path("/x/v1/completions", "Exact"), None, "/x/v1/completions"),
        (path("/v1/(chat/)?completions", "RegularExpression"), "/v1/chat/completions", "/v1/completions"),
        (path("(", "RegularExpression"), None, None),
    ],
)
def test_paths_are_what_clients_of_the_match_send(match, chat, completion):
    found, closed = opened(route(match))

    assert (found.get("chat"), found.get("completion")) == (chat and f"POST {chat}", completion and f"POST {completion}")
    for endpoint, wanted in (("chat", chat), ("completion", completion)):
        assert (endpoint in closed) == (wanted is None)


def test_a_route_for_one_method_has_no_way_for_others():
    found, closed = opened(route(path("/", method="POST")))
    assert set(found) == {"chat", "completion"}
    assert closed == {"models": "no match of the test rule takes GET /v1/models"}


def test_a_header_by_regular_expression_cannot_be_made_up():
    found, closed = opened(route(path("/", headers=[{"name": "x-tenant", "type": "RegularExpression", "value": "a.*"}])))
    assert (found, len(closed)) == ({}, 3)


def test_the_second_match_serves_what_the_first_does_not():
    found, _ = opened(route(path("/v1/chat"), path("/plain/v1/completions", "Exact")))
    assert found == {"chat": "POST /v1/chat/completions", "completion": "POST /plain/v1/completions"}


# --- who takes a request ----------------------------------------------------------------------------------------------


def further(*matches: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return ({"matches": list(matches), "backendRefs": [{"name": "other", "kind": "Service", "port": 80}]},)


@pytest.mark.parametrize(
    "match",
    [
        path("/v1/models"),
        path("/v1/models", "Exact"),
        path("/v1/mod.*", "RegularExpression"),
        path("/", headers=[{"name": "x-canary", "value": "yes"}]),
        path("/", method="GET"),
    ],
)
def test_a_further_rule_that_comes_first_closes_its_endpoint(match):
    found, closed = opened(route(rules=further(match)))
    assert "models" not in found
    assert closed["models"] == "another rule of the route takes GET /v1/models"


@pytest.mark.parametrize(
    "match",
    [
        path("/v1/model"),
        path("/"),
        path("/v1/models", headers=[{"name": "x-other", "value": "yes"}]),
        path("/v1/models", queryParams=[{"name": "k", "value": "v"}]),
        path("/v1/models", method="DELETE"),
        path("/", headers=[{"name": "x-canary", "type": "RegularExpression", "value": "no"}]),
    ],
)
def test_a_further_rule_that_does_not_take_it_or_comes_later_closes_nothing(match):
    assert "models" in opened(route(rules=further(match)))[0]


def test_headers_that_the_operator_sends_count_too():
    value = route(rules=further(path("/v1/models", headers=[{"name": "Authorization", "value": "a"}])))
    assert "models" in opened(value)[0]
    assert "models" not in opened(value, authorization="a")[0]
