"""Conditions of a raise, as an operator writes them: what must hold before a weight goes up. A fall asks none of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from inference_rollouts.checks import MetricCheck
from inference_rollouts.settings.base import Settings
from inference_rollouts.settings.promql import balance_problem
from inference_rollouts.settings.types import DURATION, Count, Text, _seconds, wrong
from inference_rollouts.windows import check_bound, is_weekly, zone


def _bound(value: str) -> str:
    try:
        return check_bound(value)
    except ValueError as e:
        raise wrong(str(e)) from None


def _zone(value: str) -> str:
    try:
        zone(value)
    except ValueError as e:
        raise wrong(str(e)) from None
    return value


def _query(value: str) -> str:
    if problem := balance_problem(value):
        raise wrong(problem)
    return value


Bound = Annotated[str, AfterValidator(_bound), WithJsonSchema({"type": "string"})]
Zone = Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string"})]
Duration = Annotated[int, BeforeValidator(_seconds), WithJsonSchema({"type": "string", "pattern": DURATION})]
Query = Annotated[Text, AfterValidator(_query)]
Positive = Annotated[float, Field(gt=0)]


class Amount(Settings):
    """An amount of traffic, in one unit."""

    requests_per_second: Positive | None = None
    """Requests per second."""
    tokens_per_second: Positive | None = None
    """Output tokens per second."""

    @model_validator(mode="after")
    def _one(self) -> Amount:
        if (self.requests_per_second is None) == (self.tokens_per_second is None):
            raise wrong("takes one unit: requestsPerSecond or tokensPerSecond")
        return self

    @property
    def unit(self) -> Literal["requestsPerSecond", "tokensPerSecond"]:
        """The unit that is written."""
        return "requestsPerSecond" if self.requests_per_second is not None else "tokensPerSecond"

    @property
    def value(self) -> float:
        """The amount in that unit."""
        return self.requests_per_second or self.tokens_per_second or 0.0


class FreezeWindow(Settings):
    """A time in which no weight is raised; falling is always allowed."""

    origin: Bound = Field(alias="from")
    """Its beginning: a date ("2026-12-20" or "2026-12-20 18:00") or a day of the week ("Fri 18:00")."""
    to: Bound
    """Its end, of the same kind; without a time the whole day counts."""
    timezone: Zone = "UTC"
    """IANA name of the time zone; default: UTC."""
    reason: Text
    """Why."""

    @model_validator(mode="after")
    def _alike(self) -> FreezeWindow:
        if is_weekly(self.origin) != is_weekly(self.to):
            raise wrong("begins and ends in different ways; write two dates, or two days of the week")
        if not is_weekly(self.origin) and self.to < self.origin[: len(self.to)]:
            raise wrong(f"ends ({self.to}) before it begins ({self.origin})")
        return self


class Check(Settings):
    """A question to a Prometheus API, asked of the canary before a raise."""

    name: Text
    """Of a ready-made check (error-ratio, time-to-first-token, time-per-output-token, queue, kv-cache), or any with `query`."""
    query: Query | None = None
    """PromQL; $picker, $server, $requests, $pool, $namespace and $window stand for the version's. Default: the ready-made one."""
    max: float | None = None
    """Most that the canary's value may be."""
    min: float | None = None
    """Least that the canary's value may be."""
    max_ratio: Positive | None = None
    """Most that the canary's value may be as a multiple of stable's."""
    window: Duration = Field(300, alias="for")
    """The time that the value is taken over; default: 5m."""
    min_requests: Count | None = None
    """Requests below which the value is no evidence, and counts as empty."""
    when_empty: Literal["hold", "pass"] = "hold"
    """What an empty answer means: `hold` (the default) does not raise, `pass` takes it as kept."""

    def metric(self) -> MetricCheck:
        """As the plain value that is judged."""
        return MetricCheck(
            name=self.name,
            query=self.query,
            max=self.max,
            min=self.min,
            max_ratio=self.max_ratio,
            window_seconds=self.window,
            min_requests=self.min_requests,
            when_empty=self.when_empty,
        )

    @model_validator(mode="after")
    def _judgeable(self) -> Check:
        from inference_rollouts.checks import READY_MADE, completed

        if self.query is None and self.name not in READY_MADE:
            raise wrong(f"{self.name} is no ready-made check; give it a query, or take one of {', '.join(READY_MADE)}")
        if unknown := self.metric().unknown_placeholders:
            raise wrong(
                f"${unknown[0]} stands for nothing in a query; allowed: $picker, $server, $requests, $pool, $namespace, $window"
            )
        if not completed(self.metric()).has_limit:
            raise wrong("has no limit to judge by; give max, min or maxRatio")
        return self


class Metrics(Settings):
    """Where metrics are asked."""

    url: Annotated[Text, Field(pattern=r"^https?://\S+$")]
    """Base URL of a Prometheus API, before /api/v1/query."""
