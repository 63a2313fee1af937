"""The statistics of a split, by property and by simulation, and the verdicts in words."""

from __future__ import annotations

import doctest
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_rollouts.checks import Finding
from sandbox.traffic import requests, split, verdict
from sandbox.traffic.verdict import finding, within

QUICK = settings(max_examples=300, deadline=None)
inner_shares = st.floats(0.005, 0.995)
samples = st.integers(1, 200_000)
ladders = st.lists(st.integers(1, 99), min_size=1, max_size=8, unique=True).map(
    lambda steps: [s / 100 for s in sorted(steps)] + [1.0]
)


@pytest.mark.parametrize("module", [split, verdict, requests])
def test_the_examples_in_the_docstrings_are_right(module: object) -> None:
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)  # type: ignore[arg-type]

    assert result.attempted > 0
    assert result.failed == 0


# --- properties -------------------------------------------------------------------------------------------------------


@QUICK
@given(samples.flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_observed_share_and_mirrors(counts: tuple[int, int]) -> None:
    hits, n = counts
    seen, mirrored = split.wilson(hits, n), split.wilson(n - hits, n)

    assert hits / n in seen
    assert 0 <= seen.low < seen.high <= 1
    assert mirrored.low == pytest.approx(1 - seen.high, abs=1e-9)


@QUICK
@given(samples.flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), inner_shares)
def test_wilson_at_four_sigma_holds_exactly_the_shares_that_pass(counts: tuple[int, int], wanted: float) -> None:
    hits, n = counts
    off = abs(hits / n - wanted) - split.tolerance(wanted, n)
    if abs(off) > 1e-9:
        assert (wanted in split.wilson(hits, n, split.SIGMAS)) == (off < 0)


@QUICK
@given(inner_shares)
def test_from_the_smallest_sample_on_nothing_and_everything_fail(wanted: float) -> None:
    n = split.smallest_sample(wanted)
    for hits in (0, n):
        assert [s.verdict for s in within({"new": wanted, "old": 1 - wanted}, {"new": hits, "old": n - hits})] == ["fail", "fail"]


@QUICK
@given(ladders)
def test_with_the_sample_of_a_move_no_observed_share_passes_before_and_after_it(steps: list[float]) -> None:
    for lower, higher in pairwise([0.0, *steps]):
        for n in (split.sample_size(lower, higher), split.sample_size(higher, lower)):
            assert lower + split.tolerance(lower, n) < higher - split.tolerance(higher, n)


@QUICK
@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 100), min_size=1).filter(lambda w: sum(w.values()) > 0), st.data())
def test_every_version_gets_a_verdict(wanted: dict[str, int], data: st.DataObject) -> None:
    counts = data.draw(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10_000)))
    shares = within(wanted, counts)

    assert {s.version for s in shares} == wanted.keys() | counts.keys()
    assert math.isclose(sum(s.wanted for s in shares), 1)
    for share in shares:
        if share.wanted == 0 and share.hits:
            assert share.verdict == "fail", "a version without weight serves nothing at all"
        if share.hits == 0 and share.wanted > 0:
            assert share.verdict != "pass"


def test_weights_without_a_sum_are_no_split() -> None:
    with pytest.raises(ValueError, match="their sum is not above 0"):
        within({"llm": 0}, {"llm": 3})


# --- false alarms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 0.99])
def test_a_right_split_is_called_wrong_at_most_once_in_4000(wanted: float) -> None:
    smallest = split.smallest_sample(wanted)
    for n in (smallest, smallest + 7, 2 * smallest, 5 * smallest, 20 * smallest):
        assert split.false_alarm(wanted, n) < 1 / 3_900


@pytest.mark.parametrize(("wanted", "sigmas"), [(0.1, 2.0), (0.5, 2.0), (0.25, 2.5)])
def test_the_exact_false_alarm_is_what_a_simulation_finds(wanted: float, sigmas: float) -> None:
    chance, n, runs = random.Random(5), 400, 4_000
    alarms = 0
    for _ in range(runs):
        hits = sum(chance.random() < wanted for _ in range(n))
        alarms += within({"new": wanted, "old": 1 - wanted}, {"new": hits, "old": n - hits}, sigmas)[0].verdict == "fail"
    exact = split.false_alarm(wanted, n, sigmas)

    assert abs(alarms / runs - exact) < 4 * math.sqrt(exact * (1 - exact) / runs)


def test_four_sigma_raise_no_false_alarm_in_a_thousand_simulated_stages() -> None:
    chance = random.Random(11)
    for i in range(1_000):
        wanted = (0.01, 0.1, 0.25, 0.5)[i % 4]
        n = max(2_000, split.smallest_sample(wanted))
        hits = sum(chance.random() < wanted for _ in range(n))
        assert within({"new": wanted, "old": 1 - wanted}, {"new": hits, "old": n - hits})[0].verdict == "pass"


@pytest.mark.parametrize(("wanted", "real"), [(0.1, 0.15), (0.5, 0.45), (0.01, 0.03), (0.0, 0.002)])
def test_a_wrong_split_is_seen(wanted: float, real: float) -> None:
    chance = random.Random(3)
    n = 10_000
    hits = sum(chance.random() < real for _ in range(n))

    assert within({"new": wanted, "old": 1 - wanted}, {"new": hits, "old": n - hits})[0].verdict == "fail"


# --- correlated requests ----------------------------------------------------------------------------------------------


def _blocks(chance: random.Random, draws: int, together: int) -> list[tuple[int, int]]:
    """300 blocks of `draws` draws, each of which decides for so many requests."""
    return [(together * sum(chance.random() < 0.1 for _ in range(draws)), together * draws) for _ in range(300)]


def test_the_dispersion_of_independent_requests_is_one() -> None:
    factor, deviation = split.dispersion(_blocks(random.Random(1), 100, 1))

    assert abs(factor - 1) < 4 * deviation


@pytest.mark.parametrize("together", [5, 20])
def test_the_dispersion_tells_how_many_requests_one_draw_decides_for(together: int) -> None:
    factor, deviation = split.dispersion(_blocks(random.Random(2), 100, together))

    assert abs(factor / together - 1) < 4 * deviation


def test_draws_per_connection_fail_by_default_and_pass_with_their_design_effect() -> None:
    chance = random.Random(4)
    seen = []
    for hits, n in _blocks(chance, 20, 100):
        counts = {"new": hits, "old": n - hits}
        seen.append(
            (
                within({"new": 10, "old": 90}, counts)[0].verdict,
                within({"new": 10, "old": 90}, counts, design_effect=100)[0].verdict,
            )
        )

    assert sum(plain == "fail" for plain, _ in seen) > 150
    assert sum(known == "fail" for _, known in seen) <= 1


def test_no_counts_tell_nothing_about_dispersion() -> None:
    assert split.dispersion([(0, 0), (0, 10), (0, 10)]) == (1.0, math.inf)


# --- sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "counts", "expected"),
    [
        (
            {"llm": 90, "llm-new": 10},
            {"llm": 1797, "llm-new": 203},
            Finding(
                "split",
                "pass",
                "89.8 % of 2,000 requests served by llm, 95 % interval 88.4 %–91.1 %",
                "90 % ± 2.7 (4 sigma of 2,000)",
                "stage 10",
            ),
        ),
        (
            {"llm": 90, "llm-new": 10},
            {"llm": 1997, "llm-new": 3},
            Finding(
                "split",
                "fail",
                "99.9 % of 2,000 requests served by llm, 95 % interval 99.6 %–99.9 %",
                "90 % ± 2.7 (4 sigma of 2,000)",
                "stage 10",
            ),
        ),
        (
            {"llm": 99, "llm-new": 1},
            {"llm": 99, "llm-new": 1},
            Finding(
                "split",
                "unknown",
                "99 % of 100 requests served by llm, 95 % interval 94.6 %–99.8 %",
                "99 % ± 4 (4 sigma of 100)",
                "stage 10",
                "too few requests to tell: send at least 1,617",
            ),
        ),
        (
            {"llm": 0, "llm-new": 100},
            {"llm": 1, "llm-new": 4999},
            Finding(
                "split",
                "fail",
                "0.02 % of 5,000 requests served by llm, 95 % interval 0.004 %–0.1 %",
                "exactly 0 % (4 sigma of 5,000)",
                "stage 10",
            ),
        ),
        (
            {"llm": 90, "llm-new": 10},
            {},
            Finding(
                "split",
                "unknown",
                "0 % of 0 requests served by llm, 95 % interval 0 %–100 %",
                "90 % ± 100 (4 sigma of 0)",
                "stage 10",
                "too few requests to tell: send at least 178",
            ),
        ),
    ],
)
def test_a_verdict_says_what_was_seen_what_was_wanted_and_what_to_do(
    wanted: dict[str, float], counts: dict[str, int], expected: Finding
) -> None:
    assert finding(within(wanted, counts), "stage 10") == expected
