"""When a change took effect, found again where it is known; and how times compare."""

from __future__ import annotations

import doctest
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.traffic import effect
from sandbox.traffic.counts import Timeline
from sandbox.traffic.effect import ratio, took_effect

times = st.floats(0.001, 1000)


def timeline(seed: int, before: float, after: float, change: int, *, bins: int = 300, per_bin: int = 5) -> Timeline:
    """A stretch of 10 ms bins in which the share of "new" changes at the beginning of bin `change`."""
    chance = random.Random(seed)
    hits = [sum(chance.random() < (before if i < change else after) for _ in range(per_bin)) for i in range(bins)]
    return Timeline(0.01, {"new": tuple(hits), "old": tuple(per_bin - h for h in hits)})


def test_the_examples_in_the_docstrings_are_right() -> None:
    assert doctest.testmod(effect).failed == 0


@pytest.mark.parametrize(("before", "after"), [(0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 1), (1, 0.5), (0.5, 0), (1, 0)])
def test_the_moment_of_a_change_is_found(before: float, after: float) -> None:
    errors, held = [], 0
    for seed in range(100):
        found = took_effect(timeline(seed, before, after, 120), "new", before, after)
        assert found
        assert found.low <= found.at <= found.high
        errors.append(abs(found.at - 1.2))
        held += found.low - 1e-9 <= 1.2 <= found.high + 1e-9

    assert sorted(errors)[50] <= 0.1, "half of them within 100 ms at 500 requests a second"
    assert held >= 88, "about 95 of 100 intervals hold the moment"


@pytest.mark.parametrize(("before", "after"), [(0, 0.1), (0.1, 0.25), (0.5, 1), (0.5, 0)])
def test_no_change_is_no_effect(before: float, after: float) -> None:
    found = [took_effect(timeline(seed, before, before, 0), "new", before, after) for seed in range(100)]

    assert sum(f is not None for f in found) <= 5


@pytest.mark.parametrize(("before", "after"), [(0.1, 0), (0.5, 0), (0.5, 1), (0.1, 0.25), (0.5, 0.6)])
def test_who_waits_for_a_change_that_has_not_come_sees_none(before: float, after: float) -> None:
    """Five looks a second at 100 requests a second: a chance run without the canary is no effect."""
    for seed in range(200):
        bins = timeline(seed, before, before, 0, bins=400, per_bin=1).versions
        for seen in range(60, 400, 20):
            told = Timeline(0.01, {version: hits[:seen] for version, hits in bins.items()})
            assert took_effect(told, "new", before, after) is None


def test_from_nothing_it_is_before_the_first_reply_and_to_nothing_after_the_last() -> None:
    up = Timeline(0.01, {"old": (5, 5, 5, 5, 0, 5), "new": (0, 0, 0, 0, 5, 5)})
    down = Timeline(0.01, {"old": (5, 5, 5, 9, 9, 9), "new": (5, 5, 1, 0, 0, 0)})

    found = took_effect(up, "new", 0, 0.5)
    assert found
    assert found.low <= found.at <= 0.04
    found = took_effect(down, "new", 0.5, 0)
    assert found
    assert 0.03 <= found.at <= found.high


def test_a_rare_version_took_effect_before_it_was_first_drawn() -> None:
    """At 500 requests a second, 1 % is drawn for the first time 200 ms after it took effect on average."""
    errors = []
    for seed in range(200):
        found = took_effect(timeline(seed, 0, 0.01, 120), "new", 0, 0.01)
        if found:
            errors.append(found.at - 1.2)

    assert len(errors) > 150
    assert abs(sum(errors) / len(errors)) < 0.12


def test_a_change_at_the_very_beginning_is_found_there() -> None:
    found = took_effect(timeline(1, 0, 1, 0), "new", 0, 1)

    assert found == effect.Effect(0, 0, 0)


def test_without_requests_or_without_a_change_there_is_nothing_to_find() -> None:
    assert took_effect(Timeline(0.01, {}), "new", 0, 1) is None
    assert took_effect(timeline(1, 0.5, 0.5, 0), "new", 0.5, 0.5) is None


def test_a_version_that_never_answered_has_had_no_effect() -> None:
    assert took_effect(Timeline(0.01, {"old": (5,) * 100}), "new", 0, 0.5) is None


@settings(deadline=None)
@given(st.lists(st.tuples(times, times), min_size=1, max_size=40), st.floats(0.1, 10))
def test_a_ratio_scales_with_its_times_and_its_interval_holds_its_median(pairs: list[tuple[float, float]], factor: float) -> None:
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    plain, scaled = ratio(ours, theirs), ratio([a * factor for a in ours], theirs)

    assert plain.low <= plain.median <= plain.high
    assert scaled.median == pytest.approx(factor * plain.median)
    assert (plain.confidence >= 0.95) == (len(pairs) >= 6)


def test_the_interval_of_a_ratio_holds_the_real_median_as_often_as_it_says() -> None:
    chance = random.Random(8)
    held, confidence = 0, 0.0
    for _ in range(2_000):
        found = ratio([chance.lognormvariate(0.3, 0.5) for _ in range(15)], [1.0] * 15)
        held, confidence = held + (found.low <= 2.718281828**0.3 <= found.high), found.confidence

    assert held / 2_000 > confidence - 0.015


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1], []), ([0], [1]), ([1], [-1])])
def test_what_is_no_pair_of_times_is_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match="a ratio takes pairs of times above 0"):
        ratio(ours, theirs)
