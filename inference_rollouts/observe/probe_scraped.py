"""How many generations a version's servers have answered, as a Prometheus API counts them: it lags by its scrapes."""

from __future__ import annotations

import time

from inference_rollouts.observe.probe_pods import COUNTER
from inference_rollouts.observe.prometheus import Prometheus, default_url
from inference_rollouts.observe.queries import Series
from inference_rollouts.plan.values import Conditions, ModelServiceArgs

PATIENCE, EVERY = 90.0, 5.0
"""Seconds to wait for what was answered to be scraped (managed collection: every 30 s, and some more until it can be asked)."""


class Scraped:
    """A counter of one version, from now on.

    Args:
        prometheus: where to ask.
        series: the version's.
    """

    def __init__(self, prometheus: Prometheus, series: Series) -> None:
        self._prometheus = prometheus
        self._query = series.fill(f"sum({COUNTER}{{$server}})", 0)
        self._before = prometheus.query(self._query)

    def rise(self, wanted: int) -> float | None:
        """How much it has grown, once that is as much as is wanted; None where it does not come to that in time."""
        deadline = time.monotonic() + PATIENCE
        while not self._before.error:
            now = self._prometheus.query(self._query)
            if now.value is not None and (grown := now.value - (self._before.value or 0)) >= wanted:
                return grown
            if now.error or time.monotonic() > deadline:
                break
            time.sleep(EVERY)
        return None


def scraped(service: ModelServiceArgs, project: str | None) -> Scraped | None:
    """The counter of the canary's servers; None where the stack file neither names a Prometheus nor asks one anything.

    Args:
        service: as in the plan.
        project: the Google Cloud project, for its metrics.
    """
    version = next(version for version in service.versions if version.name == service.record.pools.to)
    configured = service.metrics_url or service.conditions.get("", Conditions()).checks
    if not configured or version.server is None:
        return None
    series = Series(
        pool=version.pool_name,
        namespace=service.route.namespace,
        picker=version.picker.name if version.picker else version.pool_name,
        server=version.server.name,
        labels=service.metrics_labels,
    )
    return Scraped(Prometheus(service.metrics_url or default_url(project or "-")), series)
