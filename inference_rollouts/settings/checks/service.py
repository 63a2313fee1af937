"""Checks of one service: its rollouts, and whether every version can take the traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.errors import Problem, allowed, named, nearest_word, one_of, path_of
from inference_rollouts.settings.checks.adapters import adapter_problems
from inference_rollouts.settings.checks.policies import policy_problems
from inference_rollouts.settings.checks.short_lived import short_lived_problems
from inference_rollouts.settings.checks.version import is_complete, version_problems
from inference_rollouts.settings.kind import built_versions, pool_kind
from inference_rollouts.settings.model import AdapterRollout, Cluster, Service
from inference_rollouts.settings.report import Place, Report
from inference_rollouts.settings.types import label_problem


def service_problems(service: Service, cluster: Cluster | None, at: Place, report: Report) -> Iterator[Problem]:
    """Every problem of one service beyond its single fields.

    Args:
        service: with what its versions inherit.
        cluster: None when its kind is not known.
        at: the service's place.
        report: what is broken already.
    """
    yield from _version_named(service.serving, service.versions, (*at, "serving"), at, report)
    if service.rollout:
        yield from _rollout(service.rollout, service.serving, service.versions, at, report)
        yield from _pool_kind(service, at, report)
    for name, adapter in service.adapters.items():
        place = (*at, "adapters", name)
        yield from _version_named(adapter.serving, adapter.versions, (*place, "serving"), place, report)
        if adapter.rollout:
            yield from _rollout(adapter.rollout, adapter.serving, adapter.versions, place, report)
            yield from _adapter_kind(adapter.rollout, adapter.serving, place)
    yield from _one_rollout_at_a_time(service, at, report)
    for version in service.versions:
        yield from version_problems(service, version, cluster, at, report)
    yield from adapter_problems(service, at, report)
    yield from short_lived_problems(service, at)
    yield from policy_problems(service, cluster, at)
    yield from _one_unit(service, at)
    yield from _without_effect(service, cluster, at)


def _version_named(
    name: str, versions: Mapping[str, Any], at: Place, owner: Place, report: Report, *, but: str | None = None
) -> Iterator[Problem]:
    """A name must be a version's; what only follows from a version with a wrong or doubled name is not said."""
    twice = any(path_of(*owner, "versions", version) in report.broken for version in versions)
    adapter = len(owner) > 2
    near = nearest_word(name, versions)
    misnamed = not adapter and near is not None and label_problem(near) is not None
    if name not in versions and not twice and not misnamed and not report.touches(*owner, "versions", name):
        what = "version of this adapter" if adapter else "version of this service"
        choices = [version for version in versions if version != but]
        remedy = allowed(name, choices) if choices else "; there is none yet: add it to versions"
        yield Problem(path_of(*at), f"{named(name)} is no {what}{remedy}")


def _rollout(rollout: AdapterRollout, serving: str, versions: Mapping[str, Any], at: Place, report: Report) -> Iterator[Problem]:
    place, known = (*at, "rollout"), not report.touches(*at, "serving")
    if rollout.to == serving and known:
        others = [name for name in versions if name != serving]
        remedy = f"name another version: {one_of(others)}" if others else "add the version to move to, and name it"
        yield Problem(path_of(*place, "to"), f"{named(serving)} serves already; {remedy}")
    else:
        yield from _version_named(rollout.to, versions, (*place, "to"), at, report, but=serving if known else None)
    if rollout.stage not in rollout.ladder and not report.touches(*place, "steps"):
        yield Problem(
            path_of(*place, "stage"), f"{rollout.stage} is not on the ladder of these steps; allowed: {one_of(rollout.ladder)}"
        )
    if rollout.override and rollout.override.origin == rollout.override.to:
        yield Problem(path_of(*place, "override"), f"allows no move: from and to are both {rollout.override.to}; take it out")


def _pool_kind(service: Service, at: Place, report: Report) -> Iterator[Problem]:
    rollout, pair = service.rollout, built_versions(service)
    if rollout is None or rollout.kind is None or len(pair) < 2:
        return
    if not all(is_complete(service, name, at, report) for name in pair):
        return
    stable, canary = (service.versions[name] for name in pair)
    actual = pool_kind(stable, canary)
    if actual == rollout.kind:
        return
    models = [named(v.server.model) if v.server and v.server.model else "a model that is not named" for v in (stable, canary)]
    why = (
        f"{service.serving} serves {models[0]}, and {rollout.to} serves {models[1]}"
        if actual == "base-model"
        else f"{service.serving} and {rollout.to} both serve {models[0]}"
    )
    yield Problem(
        path_of(*at, "rollout", "kind"),
        f"{rollout.kind} is asserted, but this is a {actual} rollout: {why}; mend the version or the assertion",
    )


def _adapter_kind(rollout: AdapterRollout, serving: str, at: Place) -> Iterator[Problem]:
    if rollout.kind not in (None, "adapter"):
        yield Problem(
            path_of(*at, "rollout", "kind"),
            f"{rollout.kind} is asserted, but this is an adapter rollout, {named(serving)} to {named(rollout.to)}; mend the assertion",
        )


def _one_rollout_at_a_time(service: Service, at: Place, report: Report) -> Iterator[Problem]:
    if service.rollout is None or report.touches(*at, "rollout", "stage"):
        return
    for name, adapter in service.adapters.items():
        if adapter.rollout and (service.rollout.stage, adapter.rollout.stage) != ("baseline", "baseline"):
            yield Problem(
                path_of(*at, "adapters", name, "rollout"),
                f"an adapter rollout (at {adapter.rollout.stage}) and a pool rollout (at {service.rollout.stage}) stand in one service; "
                "finish one, or take it back to baseline, before the other",
            )


def _one_unit(service: Service, at: Place) -> Iterator[Problem]:
    """Capacities and the peak are compared, so they are in one unit."""
    units = {"peak": service.peak.unit} if service.peak else {}
    for name in built_versions(service):
        server = service.versions[name].server
        if server and server.capacity:
            units[f"versions.{name}.server.capacity"] = server.capacity.unit
    first, *others = units.items() or [("", "")]
    for place, unit in others:
        if unit != first[1]:
            yield Problem(
                path_of(*at, *place.split(".")), f"is in {unit}, and {first[0]} is in {first[1]}; write both in one unit"
            )
    if service.peak and len(units) == 1:
        yield Problem(path_of(*at, "peak"), "has no effect without server.capacity on a version; add that, or take it out")


def _without_effect(service: Service, cluster: Cluster | None, at: Place) -> Iterator[Problem]:
    """Keys that only act on what this package builds, or only on GKE."""
    built = [service.versions[name] for name in built_versions(service)]
    if built and all(version.external for version in built):
        for key, name in (("longest_request", "longestRequest"), ("backend_policy", "backendPolicy")):
            if key in service.model_fields_set:
                yield Problem(path_of(*at, name), "has no effect where all versions are external; take it out")
    elif service.backend_policy and cluster and not cluster.gke:
        yield Problem(path_of(*at, "backendPolicy"), "has no effect without name and location of a GKE cluster; take it out")
    for key in ("timeoutSec", "connectionDraining"):
        if key in service.backend_policy:
            yield Problem(path_of(*at, "backendPolicy", key), "follows from longestRequest; set that, and take this out")
