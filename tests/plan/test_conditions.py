"""The conditions of a raise as the plan has them: their defaults, and which least time counts."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from inference_rollouts.plan import plan_for
from inference_rollouts.plan.values import Conditions
from inference_rollouts.settings import load
from tests.records import STACK, Edit, at, tone_at


def planned(*edits: Edit, gke: bool = True) -> dict[str, Conditions]:
    stack: dict[str, Any] = copy.deepcopy(dict(STACK))
    for edit in edits:
        edit(stack["services"]["chat"])
    if not gke:
        stack["cluster"] = {"context": "kind"}
        for version in stack["services"]["chat"]["versions"].values():
            version["nodes"].pop("max", None)
    (service,) = plan_for(load(stack)).services
    return dict(service.conditions)


def test_on_gke_the_weights_of_a_route_settle_for_a_minute_and_those_of_an_adapter_for_no_time():
    assert planned(at(10)) == {"": Conditions(settle=60)}
    assert planned(at(10), gke=False) == {"": Conditions()}
    assert planned(tone_at(10)) == {"tone": Conditions()}


def test_what_the_file_says_counts_also_when_it_says_none():
    times = {"settle": "2m", "bake": "1h", "keep": "24h"}

    assert planned(at(10, settle="0s"))[""].settle == 0
    assert planned(at(10, **times), gke=False)[""] == Conditions(settle=120, bake=3600, keep=86_400)
    assert planned(tone_at(10, **times))["tone"] == Conditions(settle=120, bake=3600, keep=86_400)


@pytest.mark.parametrize(("required", "asked"), [({}, False), ({"required": False}, False), ({"required": True}, True)])
def test_a_probe_is_asked_for_where_it_is_required(required, asked):
    assert planned(at("prepare", test={"header": "x-canary", "value": "yes", **required}))[""].probe is asked


@pytest.mark.parametrize(
    ("conditions", "raises", "retires"),
    [
        (Conditions(), ("bake", 0), ("keep", 0)),
        (Conditions(settle=60), ("settle", 60), ("settle", 60)),
        (Conditions(settle=60, bake=60, keep=60), ("bake", 60), ("keep", 60)),
        (Conditions(settle=60, bake=600, keep=30), ("bake", 600), ("settle", 60)),
        (Conditions(bake=600, keep=3600), ("bake", 600), ("keep", 3600)),
    ],
)
def test_of_two_least_times_the_longer_one_counts_by_its_name(conditions, raises, retires):
    assert conditions.least(retires=False) == raises
    assert conditions.least(retires=True) == retires
