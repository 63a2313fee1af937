"""Rules that come first in a stack file do not win what they lost before: where order alone decides, it is said."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.takeover import normal, precedence
from tests.takeover.reading import sentences, service, taken_objects
from tests.takeover.test_routes import ref, route


def header(name: str, value: str = "1", **more: str) -> dict[str, str]:
    return {"name": name, "value": value, **more}


def path(value: str, of_type: str = "PathPrefix") -> dict[str, Any]:
    return {"path": {"type": of_type, "value": value}}


A, B = {"headers": [header("x-a")]}, {"headers": [header("x-b")]}


def decides(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return precedence.order_decides([normal.match(one)], [normal.match(other)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (A, B),
        ({}, path("/")),
        (path("/v1"), path("/v1/")),
        ({**path("/v1", "Exact"), **A}, {**path("/v1", "Exact"), **B}),
        ({"queryParams": [header("a")]}, {"queryParams": [header("b")]}),
        ({"headers": [header("X-A")]}, {"headers": [header("x-a")]}),
        ({"headers": [header("x-a", "1.*", type="RegularExpression")]}, A),
        ({"method": "POST", **A}, {"method": "POST", **B}),
        (path("/v[12]", "RegularExpression"), path("/v1", "Exact")),
    ],
)
def test_order_decides_where_a_request_matches_both_and_neither_is_more_specific(one: Any, other: Any) -> None:
    assert decides(one, other)
    assert decides(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (A, {}),
        (A, {"headers": [header("x-a"), header("x-b")]}),
        (A, {"headers": [header("x-a", "2")]}),
        (path("/v1"), path("/v2")),
        (path("/v1"), path("/v1", "Exact")),
        (path("/v1"), path("/v1/chat")),
        ({"method": "GET"}, {"method": "POST"}),
        ({"method": "GET"}, {}),
        ({"queryParams": [header("a")]}, {}),
        ({"queryParams": [header("a")]}, {"queryParams": [header("a", "2")]}),
    ],
)
def test_order_decides_nothing_where_one_is_more_specific_or_no_request_matches_both(one: Any, other: Any) -> None:
    assert not decides(one, other)
    assert not decides(other, one)


def test_a_later_rule_that_would_win_for_requests_with_both_headers_is_said() -> None:
    later = {"matches": [B], "backendRefs": [{"name": "svc", "port": 80}]}
    found = taken_objects([route(rule={"matches": [A]}, more=[later])])
    (said,) = found.of("cannot")

    assert said.path == "spec.rules[1].matches"
    assert "can match what rule 0 matches too, and neither is more specific" in said.message
    assert "in a stack file further rules come first, and this one would win" in said.message


def test_a_later_rule_with_another_value_or_more_headers_is_kept() -> None:
    more = [{"matches": [m], "backendRefs": [{"name": "svc", "port": 80}]} for m in ({"headers": [header("x-a", "2")]},)]
    more += [{"matches": [{"headers": [header("x-a"), header("x-b")]}], "backendRefs": [{"name": "svc", "port": 80}]}]
    found = taken_objects([route(rule={"matches": [A]}, more=more)])

    assert found.whole
    assert service(found, "chat")["route"]["rules"] == more


def test_a_rule_before_the_weighted_one_wins_as_it_did() -> None:
    before = {"matches": [B], "backendRefs": [{"name": "svc", "port": 80}]}

    assert taken_objects([route(rule={"matches": [A]}, before=[before])]).whole


def test_a_rule_that_pins_test_traffic_before_one_that_ties_with_it_stays_a_rule_in_its_place() -> None:
    """As the test of the rollout it would come behind the other, which would then win."""
    pin = {"matches": [A], "backendRefs": [ref("b", 1)]}
    tied = {"matches": [B], "backendRefs": [{"name": "svc", "port": 80}]}
    found = taken_objects([route(before=[pin, tied])])

    assert found.whole
    assert service(found, "chat")["route"]["rules"] == [pin, tied]
    assert "test" not in service(found, "chat")["rollout"]
    assert service(taken_objects([route(before=[tied, pin])]), "chat")["rollout"]["test"] == {"header": "x-a", "value": "1"}


@pytest.mark.parametrize(
    "pin",
    [
        {"matches": [A], "backendRefs": [ref("b", 1, filters=[{"type": "RequestHeaderModifier"}])]},
        {"matches": [A, path("/debug")], "backendRefs": [ref("b", 1)]},
        {"matches": [A], "backendRefs": [ref("b", 0)]},
        {"matches": [A], "backendRefs": [ref("b", 1, group="inference.networking.x-k8s.io")]},
    ],
)
def test_a_rule_that_says_more_than_a_test_stays_a_rule(pin: Any) -> None:
    found = taken_objects([route(before=[pin])])

    assert service(found, "chat")["route"]["rules"] == [pin]
    assert "test" not in service(found, "chat")["rollout"]
    assert any("is kept as it is (route.rules), with its way to b" in s for s in sentences(found, "left"))
