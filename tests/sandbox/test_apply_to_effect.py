"""How long a weight takes to act, as a ratio to a plain `kubectl apply` of the same route: the benchmark, with few pairs."""

from __future__ import annotations

import os
import sys
from unittest import mock

import pytest

from benchmarks.apply_to_effect import bench
from sandbox.home import Home
from sandbox.traffic.effect import ratio

pytestmark = pytest.mark.sandbox

PAIRS = 6
"""Each of them up and down, so that the ratio is of twelve."""

LONGEST = 2.0
"""Times as long as kubectl takes; on 2 cores it was 1.14 (docs/sandbox.md). A busy machine widens the interval, no more."""


def test_a_weight_acts_within_twice_the_time_that_kubectl_takes(shared_home: Home):
    with mock.patch.dict(os.environ), bench(shared_home) as made:  # a Deployer leads its process to the sandbox
        times = made.pairs(PAIRS)
    write, update = ratio(times.write, times.kubectl), ratio(times.update, times.kubectl)
    sys.stdout.write(f"from the write: {write.sentence}; from the update's beginning: {update.sentence}\n")
    assert write.pairs == 2 * PAIRS
    assert write.low < LONGEST, write.sentence
