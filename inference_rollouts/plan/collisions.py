"""Names that meet: two objects of one kind, namespace and name, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

from inference_rollouts.errors import Problem, path_of
from inference_rollouts.manifests import adapter_split, endpoint_picker, inference_pool, model_server
from inference_rollouts.manifests.objects import Manifest
from inference_rollouts.plan.values import Plan, ServedVersionArgs


def collisions(plan: Plan) -> list[Problem]:
    """Objects that would have the same kind, namespace and name, each pair as a problem."""
    owner: dict[tuple[str, str, str], str] = {}
    problems = []
    for place, kind, namespace, name in _all_names(plan):
        first = owner.setdefault((kind, namespace, name), place)
        if first != place:
            where = f" in namespace {namespace}" if namespace else ""
            problems.append(
                Problem(place, f"its {kind} {name}{where} has the same name as that of {first}; give it another one (names)")
            )
    return problems


def _all_names(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    for service in plan.services:
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
