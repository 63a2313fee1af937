"""Checks of one service: its rollouts, its names, and whether every version holds every adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference_rollouts.errors import Problem, nearest, one_of, path_of
from inference_rollouts.settings.kind import built_versions, pool_kind
from inference_rollouts.settings.model import Adapter, AdapterRollout, Service

Place = tuple[str | int, ...]


def service_problems(service: Service, at: Place, broken: Sequence[str]) -> Iterator[Problem]:
    """Every problem of one service beyond its single fields."""
    yield from _named(service.serving, service.versions, (*at, "serving"), "version of this service")
    if service.rollout:
        yield from _rollout(service.rollout, service.serving, service.versions, (*at, "rollout"), broken)
        yield from _pool_kind(service, at)
    for name, adapter in service.adapters.items():
        yield from _adapter(adapter, (*at, "adapters", name), broken)
    yield from _one_rollout_at_a_time(service, at)
    yield from _names_of_models(service, at)
    yield from _adapters_fit(service, at)


def _named(name: str, known: Mapping[str, Any], at: Place, what: str) -> Iterator[Problem]:
    if name not in known:
        yield Problem(path_of(*at), f"{name} is no {what}{nearest(name, known)}; allowed: {one_of(known)}")


def _rollout(
    rollout: AdapterRollout, serving: str, versions: Mapping[str, Any], at: Place, broken: Sequence[str]
) -> Iterator[Problem]:
    what = "version of this adapter" if "adapters" in at else "version of this service"
    if rollout.to == serving:
        others = [name for name in versions if name != serving]
        yield Problem(path_of(*at, "to"), f"{serving} serves already; name another version: {one_of(others)}")
    else:
        yield from _named(rollout.to, {k: v for k, v in versions.items() if k != serving}, (*at, "to"), what)
    if rollout.stage not in rollout.ladder and path_of(*at, "steps") not in broken:
        yield Problem(path_of(*at, "stage"), f"{rollout.stage} is not on the ladder; allowed: {one_of(rollout.ladder)}")


def _pool_kind(service: Service, at: Place) -> Iterator[Problem]:
    rollout = service.rollout
    if rollout is None or rollout.kind is None or len(built_versions(service)) < 2:
        return
    stable, canary = service.versions[service.serving], service.versions[rollout.to]
    actual = pool_kind(stable, canary)
    if actual != rollout.kind:
        models = [v.server.model if v.server else None for v in (stable, canary)]
        why = (
            f"{service.serving} serves {models[0]} and {rollout.to} serves {models[1]}"
            if actual == "base-model"
            else f"{service.serving} and {rollout.to} both serve {models[0]}"
        )
        yield Problem(
            path_of(*at, "rollout", "kind"),
            f"{rollout.kind} is asserted, but this is a {actual} rollout: {why}; mend the version or the assertion",
        )


def _adapter(adapter: Adapter, at: Place, broken: Sequence[str]) -> Iterator[Problem]:
    yield from _named(adapter.serving, adapter.versions, (*at, "serving"), "version of this adapter")
    if adapter.rollout:
        yield from _rollout(adapter.rollout, adapter.serving, adapter.versions, (*at, "rollout"), broken)
        if adapter.rollout.kind not in (None, "adapter"):
            yield Problem(
                path_of(*at, "rollout", "kind"),
                f"{adapter.rollout.kind} is asserted, but this is an adapter rollout, {adapter.serving} to {adapter.rollout.to}; mend the assertion",
            )


def _one_rollout_at_a_time(service: Service, at: Place) -> Iterator[Problem]:
    if service.rollout is None:
        return
    for name, adapter in service.adapters.items():
        stages = (service.rollout.stage, adapter.rollout.stage if adapter.rollout else None)
        if adapter.rollout and stages != ("baseline", "baseline"):
            yield Problem(
                path_of(*at, "adapters", name, "rollout"),
                f"an adapter rollout (at {stages[1]}) and a pool rollout (at {stages[0]}) in one service: "
                "finish one, or take it back to baseline, before the other",
            )


def _names_of_models(service: Service, at: Place) -> Iterator[Problem]:
    """One name means one thing: a model, an adapter that clients ask for, or a version that the servers hold."""
    seen: dict[str, str] = {}

    def taken(name: str, place: str) -> Iterator[Problem]:
        if name in seen:
            yield Problem(place, f"{name} is the name of {seen[name]} too; a name means one thing in a service")
        seen.setdefault(name, place.split(".", 2)[2])

    for i, model in enumerate(service.models or (str(at[1]),)):
        place = path_of(*at, "models", i) if service.models else path_of(*at, "models")
        yield from taken(model, place)
    for name, adapter in service.adapters.items():
        yield from taken(name, path_of(*at, "adapters", name))
        for version in adapter.versions:
            yield from taken(version, path_of(*at, "adapters", name, "versions", version))


def standing(adapter: Adapter) -> tuple[str, ...]:
    """The adapter versions that the servers must hold at the adapter's stage, stable first."""
    rollout = adapter.rollout
    if rollout is None or rollout.stage == "baseline":
        return (adapter.serving,)
    return (adapter.serving, rollout.to)


def _adapters_fit(service: Service, at: Place) -> Iterator[Problem]:
    """Every version that may get traffic holds every adapter: capacity, rank and a source for its base model."""
    if not service.adapters:
        return
    needed = sum(2 if adapter.rollout else 1 for adapter in service.adapters.values())
    for name in built_versions(service):
        version, place = service.versions[name], (*at, "versions", name)
        if version.external:
            yield Problem(
                path_of(*place, "external"),
                "adapters need versions that this package builds; this one is somebody else's",
            )
            continue
        lora = version.server.lora if version.server else None
        if lora is None:
            adapters = one_of(sorted(service.adapters))
            yield Problem(
                path_of(*place, "server", "lora"),
                f"is missing: {name} must hold the adapters of the service ({adapters}); add lora: {{maxLoras: {max(4, needed)}, maxRank: 16}}",
            )
            continue
        if lora.max_loras < needed:
            yield Problem(
                path_of(*place, "server", "lora", "maxLoras"),
                f"{lora.max_loras} adapters fit, {needed} are routed at a time (two while an adapter is rolled out)",
            )
        yield from _ranks(service, lora.max_rank, at)
        yield from _sources(service, name, at)


def _ranks(service: Service, max_rank: int, at: Place) -> Iterator[Problem]:
    for name, adapter in service.adapters.items():
        for key, version in adapter.versions.items():
            if version.rank and version.rank > max_rank:
                yield Problem(
                    path_of(*at, "adapters", name, "versions", key, "rank"),
                    f"{version.rank} is more than server.lora.maxRank, {max_rank}; larger ranks need a version that has them",
                )


def _sources(service: Service, name: str, at: Place) -> Iterator[Problem]:
    """A LoRA adapter belongs to its base model: another base needs sources of its own."""
    version = service.versions[name]
    known = {v for adapter in service.adapters.values() for v in adapter.versions}
    for key in version.adapters:
        yield from _named(
            key, dict.fromkeys(known), (*at, "versions", name, "adapters", key), "version of an adapter of this service"
        )
    if name == service.serving or service.serving not in service.versions:
        return
    if pool_kind(service.versions[service.serving], version) == "node":
        return
    for adapter in service.adapters.values():
        for key in standing(adapter):
            if key not in version.adapters and key in adapter.versions:
                model = version.server.model if version.server else None
                yield Problem(
                    path_of(*at, "versions", name, "adapters"),
                    f"{name} serves another base model ({model}) and lacks adapter {key}: give its source there, adapters: {{{key}: {{source: …}}}}",
                )
