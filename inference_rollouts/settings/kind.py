"""Which kind of rollout it is, from what really differs between the two versions."""

from __future__ import annotations

from typing import Literal

from inference_rollouts.settings.model import Service, Version

PoolKind = Literal["node", "base-model"]


def pool_kind(stable: Version, canary: Version) -> PoolKind:
    """`base-model` when `server.model` differs, else `node`."""
    models = [version.server.model if version.server else None for version in (stable, canary)]
    return "base-model" if models[0] != models[1] else "node"


def differs_in_size_only(stable: Version, canary: Version) -> bool:
    """Whether nothing but replicas and node counts differs, so that the rollout proves nothing new."""

    def rest(version: Version) -> dict[str, object]:
        data = version.model_dump(exclude={"like", "names", "allow_in_place_updates"})
        for part, size in (("nodes", ("min", "max")), ("server", ("replicas", "autoscaling"))):
            data[part] = {k: v for k, v in (data[part] or {}).items() if k not in size}
        return data

    return rest(stable) == rest(canary)


def built_versions(service: Service) -> tuple[str, ...]:
    """Names of the versions that a stage may build, stable first; all others are templates."""
    names = (service.serving, service.rollout.to if service.rollout else None)
    return tuple(name for name in dict.fromkeys(names) if name in service.versions)
