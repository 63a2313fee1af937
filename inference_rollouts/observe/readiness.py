"""Whether everything is ready for a raise: first everything is read, at the same time; then every answer is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from inference_rollouts.checks import Finding
from inference_rollouts.observe.adapters import adapters_held, held
from inference_rollouts.observe.cluster import Answer, Cluster
from inference_rollouts.observe.conditions import pool_accepted, route_accepted
from inference_rollouts.observe.deployments import available
from inference_rollouts.observe.pods import has_ready_pods, ready_behind
from inference_rollouts.observe.splits import as_deployed
from inference_rollouts.observe.targets import ReadyTarget, SplitTarget, VersionTarget, adapter_target, route_target

__all__ = ["Observed", "ReadyTarget", "SplitTarget", "VersionTarget", "adapter_target", "findings", "look", "route_target"]

Key = tuple[str, str, str]
"""apiVersion, kind, name."""


@dataclass(frozen=True)
class Observed:
    """What was read.

    Attributes:
        objects: by apiVersion, kind and name.
        pods: the word of every Ready pod on its adapters, by pool.
        behind: names of the Ready pods behind a pool that somebody else owns, by pool.
    """

    objects: Mapping[Key, Answer]
    pods: Mapping[str, Answer]
    behind: Mapping[str, Answer] = field(default_factory=dict)

    def split(self, split: SplitTarget) -> Answer:
        """The object that carries a split."""
        return self.objects[split.api_version, split.kind, split.name]

    def deployment(self, name: str) -> Answer:
        """A Deployment."""
        return self.objects["apps/v1", "Deployment", name]


def look(cluster: Cluster, target: ReadyTarget) -> Observed:
    """Read everything that the target names."""
    keys = sorted(set(_keys(target)))
    with ThreadPoolExecutor(16) as several:
        pods = {
            version.pool: several.submit(held, cluster, target.namespace, version.selector)
            for version in target.versions
            if version.adapters
        }
        objects = several.map(lambda key: cluster.get(key[0], key[1], target.namespace, key[2]), keys)
        read = dict(zip(keys, objects, strict=True))
        external = [version.pool for version in target.versions if not version.server]
        behind = {pool: ready_behind(cluster, target.namespace, read[_pool(target, pool)]) for pool in external}
        return Observed(read, {pool: found.result() for pool, found in pods.items()}, behind)


def _pool(target: ReadyTarget, name: str) -> Key:
    return target.pool_api, "InferencePool", name


def _keys(target: ReadyTarget) -> Iterator[Key]:
    for split in (target.route, *target.splits):
        yield split.api_version, split.kind, split.name
    for version in target.versions:
        yield _pool(target, version.pool)
        yield from (("apps/v1", "Deployment", name) for name in (version.server, version.picker) if name)


def findings(target: ReadyTarget, seen: Observed) -> list[Finding]:
    """Every finding on what was read: versions first, then the route and the splits."""
    out = [finding for version in target.versions for finding in _of_version(target, version, seen)]
    out += route_accepted(target, seen.split(target.route))
    for split in (target.route, *target.splits):
        out += as_deployed(split, target.at(split.kind, split.name), seen.split(split))
    return out


def _of_version(target: ReadyTarget, version: VersionTarget, seen: Observed) -> Iterable[Finding]:
    if version.server:
        at = target.at("Deployment", version.server)
        yield available(f"{version.role} ready", at, seen.deployment(version.server), version.replicas)
    if version.picker:
        at = target.at("Deployment", version.picker)
        # One is enough: of several replicas that elect a leader only the leader is ready.
        yield available(f"{version.role} picker ready", at, seen.deployment(version.picker), 1)
    yield pool_accepted(target, version, seen.objects[_pool(target, version.pool)])
    if not version.server:
        yield has_ready_pods(target, version, seen.behind[version.pool])
    if version.adapters:
        yield adapters_held(target, version, seen.pods[version.pool])
