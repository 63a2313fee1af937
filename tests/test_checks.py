"""Findings, and how the answer of a metric is judged: pure, so every case is written out."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest

from inference_rollouts.checks import READY_MADE, Finding, MetricCheck, Sample, blocks, completed, judge

MOST = MetricCheck(name="mine", query="q", max=0.5)
LEAST = MetricCheck(name="mine", query="q", min=2)
RATIO = MetricCheck(name="mine", query="q", max_ratio=1.5)
FLOOR = replace(MOST, min_requests=50)


def finding(verdict: str) -> Finding:
    return Finding("canary ready", verdict, "1 of 2 replicas available", "2", "Deployment default/llm-new")  # type: ignore[arg-type]


def verdict(check: MetricCheck, value: float | None, stable: Sample | None = None, requests: float | None = None) -> str:
    return judge(check, Sample(value=value, requests=requests), stable).verdict


# --- findings ---------------------------------------------------------------------------------------------------------


def test_a_finding_is_one_sentence() -> None:
    assert finding("fail").sentence == ("canary ready: seen 1 of 2 replicas available, wanted 2 (Deployment default/llm-new)")
    assert replace(finding("fail"), advice="wait").sentence.endswith("(Deployment default/llm-new); wait")


def test_what_failed_and_what_nobody_could_tell_stand_in_the_way() -> None:
    assert blocks([finding("pass"), finding("fail"), finding("unknown")]) == [finding("fail"), finding("unknown")]


def test_asking_nothing_imports_nothing_that_could_be_broken() -> None:
    """Nor does the import of what would ask: a library comes in with the first question."""
    heavy = ("kubernetes", "requests", "urllib3", "google", "yaml", "pulumi")
    code = (
        "import sys, inference_rollouts.checks\n"
        f"bad = [m for m in {heavy!r} if m in sys.modules]\n"
        "assert not bad, bad\n"
        "assert not [m for m in sys.modules if m.startswith('inference_rollouts.observe')]\n"
        "import inference_rollouts.observe.ask\n"
        f"bad = [m for m in {heavy!r} if m in sys.modules]\n"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "value", "wanted"),
    [
        (MOST, 0.5, "pass"),
        (MOST, 0.51, "fail"),
        (MOST, math.inf, "fail"),
        (MOST, -math.inf, "pass"),
        (MOST, None, "unknown"),
        (MOST, math.nan, "unknown"),
        (LEAST, 2, "pass"),
        (LEAST, 1.9, "fail"),
        (LEAST, -math.inf, "fail"),
        (LEAST, None, "unknown"),
        (LEAST, math.nan, "unknown"),
        (replace(LEAST, max=3), 4, "fail"),
        (replace(LEAST, max=3), 1, "fail"),
        (replace(LEAST, max=3), 2.5, "pass"),
        (MetricCheck(name="mine", query="q"), 1, "unknown"),
    ],
)
def test_a_value_keeps_every_limit_or_fails(check: MetricCheck, value: float | None, wanted: str) -> None:
    assert verdict(check, value) == wanted


@pytest.mark.parametrize(
    ("canary", "stable", "wanted"),
    [
        (1.5, Sample(value=1), "pass"),
        (1.6, Sample(value=1), "fail"),
        (0, Sample(value=0), "pass"),
        (0.1, Sample(value=0), "fail"),
        (math.inf, Sample(value=1), "fail"),
        (1, None, "unknown"),
        (1, Sample(), "unknown"),
        (1, Sample(value=math.nan), "unknown"),
        (1, Sample(value=math.inf), "unknown"),
        (1, Sample(error="HTTP 503: down"), "unknown"),
        (None, Sample(value=1), "unknown"),
    ],
)
def test_a_ratio_compares_with_stable(canary: float | None, stable: Sample | None, wanted: str) -> None:
    assert verdict(RATIO, canary, stable) == wanted


def test_a_broken_limit_fails_whatever_stable_says() -> None:
    assert verdict(replace(RATIO, max=2), 3, Sample(error="HTTP 503: down")) == "fail"


@pytest.mark.parametrize(("requests", "wanted"), [(50, "pass"), (49.9, "unknown"), (None, "unknown"), (math.nan, "unknown")])
def test_a_value_from_too_few_requests_is_no_evidence(requests: float | None, wanted: str) -> None:
    assert verdict(FLOOR, 0.1, requests=requests) == wanted
    assert verdict(FLOOR, 0.9, requests=requests) == ("fail" if wanted == "pass" else wanted)


def test_stable_needs_as_many_requests_to_be_compared_with() -> None:
    check = replace(RATIO, min_requests=50)

    assert verdict(check, 1, Sample(value=1, requests=49), requests=900) == "unknown"


# --- empty answers, errors, warnings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, math.nan])
def test_an_empty_answer_passes_only_where_the_config_says_so(value: float | None) -> None:
    assert verdict(replace(MOST, when_empty="pass"), value) == "pass"
    assert verdict(replace(RATIO, when_empty="pass"), 1, Sample(value=value)) == "pass"
    assert verdict(replace(FLOOR, when_empty="pass"), 0.1, requests=3) == "pass"


def test_an_error_never_passes() -> None:
    error = Sample(error="HTTP 503: down")

    assert judge(replace(MOST, when_empty="pass"), error).verdict == "unknown"
    assert judge(replace(RATIO, when_empty="pass"), Sample(value=1), error).verdict == "unknown"


def test_an_answer_that_came_with_a_warning_does_not_pass() -> None:
    warned = Sample(value=0.1, warnings=("store b did not answer",))

    assert judge(MOST, warned).verdict == "unknown"
    assert judge(MOST, replace(warned, value=0.9)).verdict == "fail"
    assert judge(RATIO, Sample(value=1), replace(warned, value=1)).seen == "1, stable 1; warning: store b did not answer"


# --- ready-made checks ------------------------------------------------------------------------------------------------


def test_a_ready_made_check_has_the_limit_of_upstreams_alerts() -> None:
    assert completed(MetricCheck(name="error-ratio")) == MetricCheck(name="error-ratio", max=0.05, min_requests=50)
    assert completed(MetricCheck(name="queue")).max == 50
    assert completed(MetricCheck(name="kv-cache")).max == 0.9


def test_what_the_config_says_comes_first() -> None:
    ratio = MetricCheck(name="error-ratio", max_ratio=2, min_requests=0)

    assert completed(ratio) == ratio
    assert completed(MOST) == MOST
    own = MetricCheck(name="error-ratio", query="q", max=1)
    assert completed(own) == own


def test_a_latency_has_no_limit_that_fits_every_hardware() -> None:
    latency = completed(MetricCheck(name="time-to-first-token"))

    assert not latency.has_limit
    assert judge(latency, Sample(value=0.2, requests=99)).advice == "give the check a limit: max, min or maxRatio"


def test_placeholders_that_there_are_not_are_found() -> None:
    query = 'sum(rate(x{$server, path=~".*$", pod=~"$pod"}[$window])) / ${rate_interval}'

    assert MetricCheck(name="mine", query=query).unknown_placeholders == ["pod", "rate_interval"]
    assert all(MetricCheck(name=name).unknown_placeholders == [] for name in READY_MADE)


# --- sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            judge(completed(MetricCheck(name="error-ratio")), Sample(value=0.0712, requests=812, at="llm-new")),
            "error-ratio: seen 0.0712, wanted at most 0.05 from at least 50 requests in 300 s (llm-new)",
        ),
        (
            judge(completed(MetricCheck(name="error-ratio")), Sample(value=0.01, requests=12.4, at="llm-new")),
            "error-ratio: seen 0.01 from 12.4 requests, wanted at most 0.05 from at least 50 requests in 300 s (llm-new); "
            "wait for traffic, widen `for`, lower minRequests, or see whether the series are scraped",
        ),
        (
            judge(
                MetricCheck(name="time-to-first-token", max=2, max_ratio=1.5, window_seconds=600),
                Sample(value=0.9, at="llm-new"),
                Sample(value=0.5),
            ),
            "time-to-first-token: seen 0.9 s, stable 0.5 s, wanted at most 2 s and at most 1.5 times stable's in 600 s (llm-new)",
        ),
        (
            judge(MOST, Sample(at="llm-new")),
            "mine: seen no value (the answer is empty), wanted at most 0.5 in 300 s (llm-new); "
            "wait for traffic, widen `for`, lower minRequests, or see whether the series are scraped",
        ),
        (
            judge(replace(MOST, when_empty="pass"), Sample(value=math.nan, at="llm-new")),
            "mine: seen no value (NaN: nothing was counted in the window), wanted at most 0.5 in 300 s (llm-new); "
            "passed, since whenEmpty is pass",
        ),
        (
            judge(RATIO, Sample(value=1, at="llm-new"), Sample(error="HTTP 503: down")),
            "mine: seen 1, stable no answer: HTTP 503: down, wanted at most 1.5 times stable's in 300 s (llm-new)",
        ),
        (judge(MOST, Sample(value=0.1, at="llm-new")), "mine: seen 0.1, wanted at most 0.5 in 300 s (llm-new)"),
        (
            judge(MetricCheck(name="queue", query="q", min=2), Sample(value=1, at="llm-new")),
            "queue: seen 1, wanted at least 2 in 300 s (llm-new)",
        ),
        (
            judge(MetricCheck(name="made-up", max=2), Sample(error="there is no query", at="llm-new")),
            "made-up: seen no answer: there is no query, wanted at most 2 in 300 s (llm-new)",
        ),
        (
            judge(MOST, Sample(value=math.inf, at="llm-new")),
            "mine: seen +inf, wanted at most 0.5 in 300 s (llm-new)",
        ),
    ],
)
def test_the_sentences_of_metrics(found: Finding, sentence: str) -> None:
    assert found.sentence == sentence
