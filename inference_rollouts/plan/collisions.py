"""Names that meet: two objects of one kind, namespace and name, and pools that are meant twice; found before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from inference_rollouts.errors import Problem, all_of, named, path_of
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


def shared_pools(services: Iterable[ModelServiceArgs]) -> list[Problem]:
    """Pools that are meant twice: weights between them would say nothing, and whoever leaves would take the other one's away."""
    services = tuple(services)
    return [problem for service in services for problem in (*_externals(services, service), *_rules(services, service))]


def _externals(services: Iterable[ModelServiceArgs], service: ModelServiceArgs) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for version in service.versions:
        pool, place = version.external_pool, path_of("services", service.name, "versions", version.name)
        if pool is None:
            continue
        other = seen.setdefault(pool, place)
        if other != place:
            message = f"{named(pool)} is the pool of {other} too; weights need a pool for each version"
            yield Problem(f"{place}.external.pool", message)
        for _, owner in _builders(services, service.route.namespace, pool):
            yield Problem(
                f"{place}.external.pool",
                f"{named(pool)} is a pool that this stack builds for {owner}, and that goes away with it; "
                "name one that somebody else owns, or build one here (server)",
            )


def _rules(services: Iterable[ModelServiceArgs], service: ModelServiceArgs) -> Iterator[Problem]:
    """A rule of one's own may name a pool of the stack while no rollout takes it away."""
    for i, rule in enumerate(service.route.rules):
        for j, backend in enumerate(rule.get("backendRefs") or ()):
            if not isinstance(backend, Mapping) or backend.get("kind") != "InferencePool":
                continue
            pool, namespace = str(backend.get("name")), str(backend.get("namespace") or service.route.namespace)
            for builder, owner in _builders(services, namespace, pool):
                if builder.record.pools.to:
                    yield Problem(
                        path_of("services", service.name, "route", "rules", i, "backendRefs", j, "name"),
                        f"{named(pool)} is the pool of {owner}, which has a rollout that may take it away; "
                        "send this rule elsewhere, or make a service of its own for it, before the rollout enters the file",
                    )


def _builders(services: Iterable[ModelServiceArgs], namespace: str, pool: str) -> Iterator[tuple[ModelServiceArgs, str]]:
    """The service, and the path of its version, for which a pool is built."""
    for service in services:
        for version in service.versions:
            if version.pool and (version.pool.namespace, version.pool.name) == (namespace, pool):
                yield service, path_of("services", service.name, "versions", version.name)


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
