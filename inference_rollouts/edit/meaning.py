"""What an edit means for the config as values: the edited text must say exactly this, and nothing else may differ."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_rollouts.errors import path_of
from inference_rollouts.settings import PROJECT, like
from inference_rollouts.stages import Stage

Config = Mapping[str, Any]
"""All config keys with their namespace, as in StackFile."""


@dataclass(frozen=True)
class Place:
    """A service, or one of its adapters: what a rollout belongs to."""

    service: str
    adapter: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """Keys from `services` to the block that holds `serving` and `rollout`."""
        return ("services", self.service, *(("adapters", self.adapter) if self.adapter is not None else ()))

    def block(self, config: Config) -> dict[str, Any]:
        """That block in a config."""
        service = service_of(config, self.service)
        return service if self.adapter is None else service["adapters"][self.adapter]

    def __str__(self) -> str:
        return self.service if self.adapter is None else f"{self.service}/{self.adapter}"


def service_of(config: Config, name: str) -> dict[str, Any]:
    """A service's own keys."""
    return config[f"{PROJECT}:services"][name]


def with_stage(config: Config, place: Place, stage: Stage) -> dict[str, Any]:
    """With a rollout at another stage."""
    changed = copy.deepcopy(dict(config))
    place.block(changed)["rollout"]["stage"] = stage
    return changed


def with_rollout(config: Config, place: Place, rollout: Mapping[str, Any]) -> dict[str, Any]:
    """With a rollout where there is none."""
    changed = copy.deepcopy(dict(config))
    place.block(changed)["rollout"] = copy.deepcopy(dict(rollout))
    return changed


def finished(config: Config, place: Place) -> dict[str, Any]:
    """With a rollout finished: the canary serves, rollout and old version are gone; what others took from it is written out."""
    changed = copy.deepcopy(dict(config))
    block = place.block(changed)
    old, block["serving"] = block["serving"], block.pop("rollout")["to"]
    versions = service_of(changed, place.service)["versions"]
    if place.adapter is None:
        for name in heirs(config, place.service, old):
            versions[name] = standing_alone(config, place.service, name)
    else:
        for version in versions.values():
            if version.get("adapters", {}).pop(old, None) is not None and not version["adapters"]:
                del version["adapters"]
    del block["versions"][old]
    return changed


def heirs(config: Config, service: str, base: str) -> list[str]:
    """The versions that are like another one."""
    return [name for name, version in service_of(config, service)["versions"].items() if version.get("like") == base]


def standing_alone(config: Config, service: str, version: str) -> dict[str, Any]:
    """A version with all that it inherits, and without `like`."""
    versions = service_of(config, service)["versions"]

    def whole(name: str) -> dict[str, Any]:
        base = versions[name].get("like")
        return like.inherit(whole(base) if base else {}, versions[name])

    return {key: value for key, value in whole(version).items() if key != "like"}


def with_source(config: Config, place: Place) -> list[str]:
    """The versions that have a source of their own for the adapter version that a finish removes."""
    old = place.block(config)["serving"]
    versions = service_of(config, place.service)["versions"]
    return [name for name, version in versions.items() if old in version.get("adapters", {})]


def differences(wanted: Any, found: Any, at: Sequence[str | int] = ()) -> Iterator[str]:
    """Paths of what differs; numbers and booleans that compare equal differ all the same."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key in {**wanted, **found}:
            if key not in wanted or key not in found:
                yield path_of(*at, str(key))
            else:
                yield from differences(wanted[key], found[key], (*at, str(key)))
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for i, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, (*at, i))
    elif type(wanted) is not type(found) or wanted != found or str(wanted) != str(found):
        yield path_of(*at)
