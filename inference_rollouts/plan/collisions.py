"""Names that meet: two objects of one kind, namespace and name, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inference_rollouts.errors import Problem, all_of, path_of
from inference_rollouts.manifests import adapter_split, endpoint_picker, inference_pool, model_server
from inference_rollouts.manifests.objects import Manifest
from inference_rollouts.plan.values import ModelServiceArgs, ServedVersionArgs


def collisions(services: Iterable[ModelServiceArgs]) -> list[Problem]:
    """Objects that would have the same kind, namespace and name: one problem for each pair that meets in a name."""
    owner: dict[tuple[str, str, str], str] = {}
    met: dict[tuple[str, str, str, str], list[str]] = {}
    for place, kind, namespace, name in _all_names(services):
        first = owner.setdefault((kind, namespace, name), place)
        if first != place:
            met.setdefault((place, first, namespace, name), []).append(kind)
    return [Problem(place, _sentence(kinds, *rest)) for (place, *rest), kinds in met.items()]


def _sentence(kinds: list[str], first: str, namespace: str, name: str) -> str:
    where = f" in namespace {namespace}" if namespace else ""
    verb = "has" if len(kinds) == 1 else "have"
    return f"its {all_of(sorted(kinds))} {name}{where} {verb} the same name as in {first}; give one of them another name (names)"


def _all_names(services: Iterable[ModelServiceArgs]) -> Iterator[tuple[str, str, str, str]]:
    for service in services:
        yield path_of("services", service.name, "route"), "HTTPRoute", service.route.namespace, service.route.name
        for version in service.versions:
            place = path_of("services", service.name, "versions", version.name)
            for manifest in manifests_of(version):
                meta = manifest["metadata"]
                yield place, manifest["kind"], meta["namespace"], meta["name"]
            if version.nodes:
                yield place, "node pool", "", version.nodes.name


def manifests_of(version: ServedVersionArgs) -> Iterator[Manifest]:
    """Every Kubernetes object of a version."""
    if version.server:
        yield from model_server.objects(version.server).values()
    if version.pool:
        yield from inference_pool.objects(version.pool).values()
    if version.picker:
        yield from endpoint_picker.objects(version.picker).values()
    for split in version.splits.values():
        yield from adapter_split.objects(split).values()
