"""How long a split has stood at its rung, from managedFields as API servers write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inference_rollouts.manifests.inference_pool import InferenceApi
from inference_rollouts.observe.bake import age, baked, last_writer
from inference_rollouts.observe.cluster import Absent, Found, Unreadable
from inference_rollouts.wording import duration
from tests.observe.fake_apiserver import Object
from tests.observe.world import SINCE, managed, route, tone

THEN = datetime.fromisoformat(SINCE)
AT = "HTTPRoute default/routes-to-llm"


def after(seconds: float) -> datetime:
    return THEN + timedelta(seconds=seconds)


# --- the age ----------------------------------------------------------------------------------------------------------


def test_the_age_counts_from_when_the_weights_were_written() -> None:
    assert age(route(), after(90)) == 90


@pytest.mark.parametrize("api", ["v1", "llm-d", "v1alpha2"])
def test_the_age_of_an_adapters_split_is_read_in_every_api(api: InferenceApi) -> None:
    assert age(tone(api=api), after(90)) == 90


def test_the_newest_of_those_who_own_the_weights_counts() -> None:
    twice = managed(route(), "rules", "kubectl-edit", "Update", "2026-11-24T12:05:00Z")

    assert age(twice, after(600)) == 300
    assert str(last_writer(twice)) == "kubectl-edit (Update) at 2026-11-24 12:05:00Z"


def test_who_wrote_something_else_later_does_not_count() -> None:
    value = managed(route(), "hostnames", "somebody", "Update", "2026-11-24T12:05:00Z")
    status: Object = {"manager": "gke", "subresource": "status", "time": "2026-11-24T12:09:00Z", "fieldsV1": {"f:status": {}}}
    value["metadata"]["managedFields"].append(status)

    assert age(value, after(600)) == 600


def test_a_clock_that_is_behind_makes_no_negative_age() -> None:
    assert age(route(), after(-5)) == 0


def test_an_object_without_managed_fields_has_no_age() -> None:
    value = route()
    del value["metadata"]["managedFields"]

    assert age(value, after(90)) is None


# --- the check --------------------------------------------------------------------------------------------------------


def test_a_rung_that_stood_long_enough_passes() -> None:
    finding = baked(Found(route()), AT, after(600), 600)

    assert finding.verdict == "pass"
    assert finding.seen == "10m, since pulumi-kubernetes-1 (Apply) at 2026-11-24 12:00:00Z"


def test_a_rung_that_is_too_young_fails_and_says_how_long_to_wait() -> None:
    finding = baked(Found(route()), AT, after(250), 600)

    assert (finding.verdict, finding.sentence) == (
        "fail",
        "bake: seen 4m10s, since pulumi-kubernetes-1 (Apply) at 2026-11-24 12:00:00Z, wanted at least 10m at this weight "
        "(HTTPRoute default/routes-to-llm); wait another 5m50s",
    )


@pytest.mark.parametrize("answer", [Absent(), Unreadable("HTTP 403: forbidden"), Found({"kind": "HTTPRoute", "metadata": {}})])
def test_a_time_that_nobody_can_read_is_unknown(answer: Absent | Unreadable | Found) -> None:
    finding = baked(answer, AT, after(9999), 600, "keep")

    assert (finding.check, finding.verdict) == ("keep", "unknown")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (0.2, "1s"), (59.5, "1m"), (3600, "1h"), (90061, "25h1m1s")])
def test_durations_are_written_as_operators_write_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_time_without_a_zone_is_utc() -> None:
    naive = managed({"kind": "HTTPRoute", "apiVersion": "v1", "metadata": {}}, "rules", time="2026-11-24T12:00:00")

    write = last_writer(naive)
    assert write
    assert write.time == datetime(2026, 11, 24, 12, tzinfo=UTC)
