"""Whether every version that may get traffic holds every adapter: capacity, rank, and a source for its base model."""

from __future__ import annotations

from collections.abc import Iterator

from inference_rollouts.errors import Problem, all_of, allowed, named, nearest_word, path_of
from inference_rollouts.settings.checks.version import is_complete
from inference_rollouts.settings.kind import built_versions, pool_kind
from inference_rollouts.settings.model import Adapter, Lora, Service
from inference_rollouts.settings.report import Place, Report


def adapter_problems(service: Service, at: Place, report: Report) -> Iterator[Problem]:
    """Every problem between the adapters of a service and its versions."""
    yield from _overridden_sources(service, at, report)
    if not service.adapters:
        return
    for name in built_versions(service):
        version, place = service.versions[name], (*at, "versions", name)
        if version.external:
            message = "adapters need versions that this package builds, and this one is somebody else's; take the adapters out"
            yield Problem(path_of(*place, "external"), message)
        elif version.server and version.server.engine == "openai" and version.server.lora is None:
            message = "adapters are loaded through vLLM's API, and engine openai has none; use vllm, or take the adapters out"
            yield Problem(path_of(*place, "server", "engine"), message)
        elif is_complete(service, name, at, report):
            yield from _capacity(service, version.server.lora if version.server else None, name, at)
            yield from _sources(service, name, at, report)


def _needed(service: Service) -> int:
    return sum(len(routed(adapter)) for adapter in service.adapters.values())


def routed(adapter: Adapter) -> tuple[str, ...]:
    """The adapter versions that the servers may have to hold together, at whatever stage."""
    names = (adapter.serving, adapter.rollout.to if adapter.rollout else None)
    return tuple(name for name in dict.fromkeys(names) if name in adapter.versions)


def _capacity(service: Service, lora: Lora | None, name: str, at: Place) -> Iterator[Problem]:
    place, needed = (*at, "versions", name, "server", "lora"), _needed(service)
    if lora is None:
        yield Problem(
            path_of(*place),
            f"is missing: a version must hold the adapters of its service ({all_of(map(named, sorted(service.adapters)))}); "
            f"add lora: {{maxLoras: {max(4, needed)}, maxRank: 16}}",
        )
        return
    if lora.max_loras < needed:
        yield Problem(
            path_of(*place, "maxLoras"),
            f"{lora.max_loras} is too small: {needed} adapters are routed at a time (an adapter that is rolled out counts twice); "
            f"write at least {needed}",
        )
    for key, adapter in service.adapters.items():
        for version in routed(adapter):
            rank = adapter.versions[version].rank
            if rank and rank > lora.max_rank:
                yield Problem(
                    path_of(*at, "adapters", key, "versions", version, "rank"),
                    f"{rank} is more than server.lora.maxRank of {named(name)}, {lora.max_rank}; a larger rank needs a version that has it",
                )


def _overridden_sources(service: Service, at: Place, report: Report) -> Iterator[Problem]:
    known = dict.fromkeys(version for adapter in service.adapters.values() for version in adapter.versions)
    for name, version in service.versions.items():
        for key in version.adapters:
            if key not in known and not version.external and not report.touches(*at, "adapters"):
                message = f"{named(key)} is no version of an adapter of this service{allowed(key, known)}"
                yield Problem(path_of(*at, "versions", name, "adapters", key), message)


def _sources(service: Service, name: str, at: Place, report: Report) -> Iterator[Problem]:
    """A LoRA adapter belongs to its base model: another base needs sources of its own."""
    version, stable = service.versions[name], service.versions.get(service.serving)
    if stable is None or version is stable or stable.external or not is_complete(service, service.serving, at, report):
        return
    if pool_kind(stable, version) == "node":
        return
    known = [key for adapter in service.adapters.values() for key in adapter.versions]
    misnamed = {nearest_word(key, known) for key in version.adapters if key not in known}
    for adapter in service.adapters.values():
        for key in routed(adapter):
            if key not in version.adapters and key not in misnamed:
                model = version.server.model if version.server else None
                yield Problem(
                    path_of(*at, "versions", name, "adapters"),
                    f"lacks adapter {named(key)}, since {named(name)} serves another base model ({named(model or '')}) than {named(service.serving)}; "
                    f"give its source for that model, adapters: {{{key}: {{source: …}}}}",
                )
