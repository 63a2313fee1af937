"""Conditions of a raise: what may be written, and what is said when it may not."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from inference_rollouts.errors import InputError
from inference_rollouts.settings import load, promql
from tests.conftest import example


def problems(**keys: Any) -> list[str]:
    """What is wrong with the service of node-update with these keys; `rollout` and `capacity` go where they belong."""
    config = {key.split(":")[1]: value for key, value in example("node-update").items() if key.startswith("inference-rollouts:")}
    service = config["services"]["llm"]
    service["rollout"] |= keys.pop("rollout", {})
    for name, amount in keys.pop("capacity", {}).items():
        service["versions"][name]["server"]["capacity"] = amount
    config |= {key: keys.pop(key) for key in ("metrics",) if key in keys}
    service |= keys
    try:
        load(config)
    except InputError as e:
        return [f"{p.path}: {p.message}" for p in e.problems]
    return []


FREEZE = {"from": "Fri 18:00", "to": "Mon 08:00", "timezone": "Europe/Berlin", "reason": "weekend"}


def test_all_conditions_together_are_valid():
    check = {"name": "time-to-first-token", "max": 0.5, "maxRatio": 1.2, "for": "10m", "minRequests": 50, "whenEmpty": "pass"}
    own = {"name": "oops", "query": "sum(rate(oops_total{$server}[$window]))", "max": 1}
    found = problems(
        freeze=[FREEZE],
        peak={"tokensPerSecond": 4000},
        capacity={"llm": {"tokensPerSecond": 1200}},
        rollout={"bake": "30m", "checks": [check, own, {"name": "error-ratio"}]},
        metrics={"url": "http://prometheus.monitoring:9090"},
    )

    assert found == []


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ({"from": "Friday"}, "is no time: a date"),
        ({"from": "2026-12-20"}, "begins and ends in different ways"),
        ({"from": "2026-12-20", "to": "2026-12-01"}, "ends (2026-12-01) before it begins (2026-12-20)"),
        ({"timezone": "Berlin"}, "is no time zone: an IANA name"),
    ],
)
def test_a_window_that_cannot_be_read_says_why(window, sentence):
    (found,) = problems(freeze=[FREEZE | window])

    assert sentence in found


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ({"name": "speed", "max": 1}, "speed is no ready-made check; give it a query, or take one of"),
        ({"name": "queue-depth", "query": "up{$job}", "max": 1}, "$job stands for nothing in a query"),
        ({"name": "mine", "query": "up"}, "has no limit to judge by; give max, min or maxRatio"),
        ({"name": "time-to-first-token"}, "has no limit to judge by"),
        ({"name": "queue", "max": 1, "whenEmpty": "go"}, "allowed: hold or pass"),
    ],
)
def test_a_check_that_could_not_be_judged_says_why(check, sentence):
    (found,) = problems(rollout={"checks": [check]})

    assert sentence in found


def test_capacities_and_the_peak_are_in_one_unit():
    (found,) = problems(peak={"requestsPerSecond": 4}, capacity={"llm": {"tokensPerSecond": 1200}})

    assert found == (
        "services.llm.versions.llm.server.capacity: "
        "is in tokensPerSecond, and peak is in requestsPerSecond; write both in one unit"
    )


def test_an_amount_takes_one_unit():
    (found,) = problems(capacity={"llm": {"tokensPerSecond": 1200, "requestsPerSecond": 3}})

    assert "takes one unit: requestsPerSecond or tokensPerSecond" in found


def test_a_peak_without_any_capacity_has_no_effect():
    (found,) = problems(peak={"requestsPerSecond": 4})

    assert found == "services.llm.peak: has no effect without server.capacity on a version; add that, or take it out"


@pytest.mark.parametrize(
    "query",
    [
        'sum(rate(oops_total{path="/a)(", $server}[$window]))',
        "sum(up{a='[', b=`\\`, $server})",
        r'up{a="an escaped \" and a ("}',
        'up # not counted: ( and a "',
    ],
)
def test_brackets_and_quotes_within_strings_and_comments_need_no_partner(query):
    assert problems(rollout={"checks": [{"name": "mine", "query": query, "max": 1}]}) == []


def test_the_examples_of_the_balance_are_true():
    assert doctest.testmod(promql).failed == 0
