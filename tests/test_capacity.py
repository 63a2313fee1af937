"""Whether a version can carry its weight."""

from __future__ import annotations

import pytest

from inference_rollouts.capacity import Capacity, demand, replicas_for

L4 = Capacity(4, 5.0, "requestsPerSecond")


def test_the_demand_is_the_peak_where_it_is_given_else_what_stable_carries_else_unknown():
    assert demand(40.0, L4) == 40.0
    assert demand(None, L4) == 20.0
    assert demand(None, None) is None


@pytest.mark.parametrize(("weight", "replicas"), [(0, 1), (1, 1), (25, 1), (26, 2), (50, 2), (100, 4)])
def test_as_many_pods_as_the_share_of_the_demand_needs_and_never_none(weight, replicas):
    assert replicas_for(weight, 20.0, L4) == replicas


def test_rounding_of_floats_asks_for_no_further_pod():
    assert replicas_for(30, 1.0, Capacity(3, 0.1, "tokensPerSecond")) == 3


def test_a_capacity_survives_the_way_through_state():
    assert Capacity.from_wire({"replicas": 4.0, "perReplica": 5, "unit": "requestsPerSecond"}) == L4
    assert Capacity.from_wire(L4.to_wire()) == L4
