"""Checks: what was seen, what was wanted and where, as pass, fail or unknown; and how the answer of a metric is judged.

Plain values and pure functions: no network, no clock, no Pulumi. Who asks, and how, is `observe`; the ready-made queries
are in `observe.queries`. A check that is configured and got no answer is unknown, and unknown never raises a weight.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Verdict = Literal["pass", "fail", "unknown"]
LeastTime = Literal["settle", "bake", "keep"]
"""The times that weights must stand for: until they act everywhere, at a rung, and at 100."""


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes:
        check: what was asked, as "canary ready".
        verdict: unknown is for what could not be seen, never for what is not there.
        seen: what stands.
        wanted: what it takes to pass.
        at: where it was seen: an object of the cluster, or a query.
        advice: what to do, where that does not go without saying.
    """

    check: str
    verdict: Verdict
    seen: str
    wanted: str
    at: str
    advice: str = ""

    @property
    def sentence(self) -> str:
        """The whole finding as one sentence.

        >>> Finding("canary ready", "fail", "1 of 2 replicas available", "2", "Deployment default/llm-new").sentence
        'canary ready: seen 1 of 2 replicas available, wanted 2 (Deployment default/llm-new)'
        """
        told = f"{self.check}: seen {self.seen}, wanted {self.wanted} ({self.at})"
        return f"{told}; {self.advice}" if self.advice else told

    @property
    def blocks(self) -> bool:
        """Whether it stands in the way of a raise."""
        return self.verdict != "pass"


def blocks(findings: Iterable[Finding]) -> list[Finding]:
    """Those that stand in the way of a raise: what failed, and what nobody could tell."""
    return [finding for finding in findings if finding.blocks]


# --- metrics ----------------------------------------------------------------------------------------------------------


PLACEHOLDERS = frozenset({"picker", "requests", "server", "pool", "namespace", "window"})
"""What a query may say with a `$`: `$picker` and `$server` are label matchers that select what a version's endpoint picker
and its servers report, `$requests` the picker's for the requests in question (on an adapter rollout, those for the adapter
version), `$pool` and `$namespace` names, `$window` a duration: `sum(rate(my_errors_total{$server}[$window]))`."""


@dataclass(frozen=True, kw_only=True)
class MetricCheck:
    """One question to a Prometheus API, and the limits of its answer. A version has to keep every limit that is set.

    Attributes:
        name: of a ready-made check (`READY_MADE`), or any name with a `query`.
        query: PromQL with `PLACEHOLDERS`, asked once for each version; None for the ready-made one.
        max, min: limits of the canary's value.
        max_ratio: limit of the canary's value, as a multiple of stable's.
        window_seconds: `for`, the time that the value is taken over.
        min_requests: requests in the window below which the value is no evidence, and counts as empty.
        when_empty: what an empty answer means: `hold` makes it unknown.
    """

    name: str
    query: str | None = None
    max: float | None = None
    min: float | None = None
    max_ratio: float | None = None
    window_seconds: int = 300
    min_requests: int | None = None
    when_empty: Literal["hold", "pass"] = "hold"

    @property
    def has_limit(self) -> bool:
        """Whether there is anything to judge by."""
        return any(limit is not None for limit in (self.max, self.min, self.max_ratio))

    @property
    def unit(self) -> str:
        """What its values are in, as a suffix; empty where that is not known."""
        return READY_MADE[self.name].unit if self.query is None and self.name in READY_MADE else ""

    @property
    def unknown_placeholders(self) -> list[str]:
        """What stands in the query like a placeholder and is none."""
        found = re.findall(r"\$\{?([A-Za-z_]\w*)", self.query or "")
        return sorted(set(found) - PLACEHOLDERS)


class Defaults(NamedTuple):
    """What a ready-made check takes where the config says nothing.

    Attributes:
        unit: what its values are in.
        max: limit, where no limit at all is given; None where the operator has to say one.
        min_requests: traffic floor.
    """

    unit: str
    max: float | None
    min_requests: int | None


READY_MADE: dict[str, Defaults] = {
    "error-ratio": Defaults("", 0.05, 50),
    "time-to-first-token": Defaults(" s", None, 50),
    "time-per-output-token": Defaults(" s", None, 50),
    "queue": Defaults(" requests", 50, None),
    "kv-cache": Defaults("", 0.9, None),
}
"""Upstream alerts on an error ratio of 5 %, a queue of 50 and a KV cache of 90 % (GIE v1.5.0 tools/alerts/alert.yaml), and
canary analysis wants 50 data points (Kayenta). For latencies there is no such number: the hardware decides."""


def completed(check: MetricCheck) -> MetricCheck:
    """The check with the defaults of its ready-made query; others stay as they are."""
    if check.query is not None or check.name not in READY_MADE:
        return check
    known = READY_MADE[check.name]
    floor = known.min_requests if check.min_requests is None else check.min_requests
    return replace(check, min_requests=floor, max=check.max if check.has_limit else known.max)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a query said of one version.

    Attributes:
        value: None when the answer was empty.
        requests: requests in the window; None where nobody asked, or nothing counted any.
        error: why there is no answer at all.
        warnings: what the server warned of, as of stores that did not answer.
        at: where it was asked.
    """

    value: float | None = None
    requests: float | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    at: str = ""


def judge(check: MetricCheck, canary: Sample, stable: Sample | None = None) -> Finding:
    """The finding of a metric check.

    Args:
        check: with its defaults (`completed`).
        canary: what the query said of the version whose weight is to rise.
        stable: what it said of the version being left; None when there is none to compare with.
    """
    verdict, seen, advice = _verdict(check, canary, stable)
    warned = [f"warning: {text}" for sample in (canary, stable) if sample for text in sample.warnings]
    if warned:
        verdict, seen = "unknown" if verdict == "pass" else verdict, "; ".join([seen, *warned])
    return Finding(check.name, verdict, seen, _wanted(check), canary.at, advice)


def _verdict(check: MetricCheck, canary: Sample, stable: Sample | None) -> tuple[Verdict, str, str]:
    if canary.error:
        return "unknown", f"no answer: {canary.error}", ""
    if not check.has_limit:
        return "unknown", _shown(check, canary), "give the check a limit: max, min or maxRatio"
    if lacking := _lacking(check, canary):
        return _empty(check), lacking, _advice(check)
    assert canary.value is not None, "an empty sample lacks something"
    if _beyond(check, canary.value):
        return "fail", _shown(check, canary), ""
    return "pass" if check.max_ratio is None else _compared(check, canary, stable), _both(check, canary, stable), ""


def _compared(check: MetricCheck, canary: Sample, stable: Sample | None) -> Verdict:
    assert check.max_ratio is not None, "asked only with a ratio"
    if stable and stable.error:
        return "unknown"
    if stable is None or stable.value is None or _lacking(check, stable) or math.isinf(stable.value):
        return _empty(check)
    return "pass" if (canary.value or 0) <= check.max_ratio * stable.value else "fail"


def _beyond(check: MetricCheck, value: float) -> bool:
    return (check.max is not None and value > check.max) or (check.min is not None and value < check.min)


def _lacking(check: MetricCheck, sample: Sample) -> str:
    """What the sample lacks to be evidence; nothing when it is."""
    if sample.value is None:
        return "no value (the answer is empty)"
    if math.isnan(sample.value):
        return "no value (NaN: nothing was counted in the window)"
    if check.min_requests is not None and (sample.requests is None or not sample.requests >= check.min_requests):
        return f"{_shown(check, sample)} from {_number(sample.requests or 0)} requests"
    return ""


def _empty(check: MetricCheck) -> Verdict:
    return "pass" if check.when_empty == "pass" else "unknown"


def _advice(check: MetricCheck) -> str:
    if check.when_empty == "pass":
        return "passed, since whenEmpty is pass"
    return "wait for traffic, widen `for`, lower minRequests, or see whether the series are scraped"


def _wanted(check: MetricCheck) -> str:
    limits = [] if check.max is None else [f"at most {_number(check.max)}{check.unit}"]
    limits += [] if check.min is None else [f"at least {_number(check.min)}{check.unit}"]
    limits += [] if check.max_ratio is None else [f"at most {_number(check.max_ratio)} times stable's"]
    floor = "" if check.min_requests is None else f" from at least {check.min_requests} requests"
    return f"{' and '.join(limits) or 'a limit'}{floor} in {check.window_seconds} s"


def _both(check: MetricCheck, canary: Sample, stable: Sample | None) -> str:
    if check.max_ratio is None:
        return _shown(check, canary)
    if stable is None:
        return f"{_shown(check, canary)}, with no stable to compare with"
    told = f"no answer: {stable.error}" if stable.error else _lacking(check, stable) or _shown(check, stable)
    return f"{_shown(check, canary)}, stable {told}"


def _shown(check: MetricCheck, sample: Sample) -> str:
    return "no value" if sample.value is None else f"{_number(sample.value)}{check.unit}"


def _number(value: float) -> str:
    return f"{value:+}" if math.isinf(value) else f"{value:.4g}"
