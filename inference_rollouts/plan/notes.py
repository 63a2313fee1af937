"""What a preview should say beside its operations, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from inference_rollouts import naming, wording
from inference_rollouts.errors import all_of
from inference_rollouts.manifests import vllm
from inference_rollouts.manifests.adapter_split import OBJECTIVE_HEADER
from inference_rollouts.plan.records import capacity_of
from inference_rollouts.plan.values import ServedVersionArgs
from inference_rollouts.settings import Service
from inference_rollouts.settings.checks import lacks_policy, short_lived
from inference_rollouts.settings.kind import differs_in_size_only


def notes_on(name: str, service: Service, versions: tuple[ServedVersionArgs, ...], *, gke: bool) -> Iterator[str]:
    """The notes of one service."""
    if service.rollout and service.rollout.to in service.versions:
        stable, canary = service.versions[service.serving], service.versions[service.rollout.to]
        if differs_in_size_only(stable, canary):
            yield wording.differs_in_size_only(service.serving, service.rollout.to)
        yield from _short_lived(service, service.rollout.to)
        if gke and lacks_policy(service):
            yield wording.policy_lacking(service.rollout.to, all_of(sorted(service.backend_policy)))
        unknown = [name for name in (service.serving, service.rollout.to) if capacity_of(service.versions[name]) is None]
        if unknown:
            yield wording.capacity_unchecked(unknown)
    if service.decommission:
        yield wording.decommissioned(f"service {name}")
    for key, adapter in sorted(service.adapters.items()):
        if adapter.decommission:
            yield wording.decommissioned(f"adapter {key}")
        if adapter.criticality and service.inference_api != "v1alpha2":
            objects = [f"{v.pool_name}-{naming.object_name(key)}" for v in versions]
            yield wording.objective_header(key, adapter.criticality, OBJECTIVE_HEADER[service.inference_api], objects)
    for version in versions:
        if version.server and version.server.engine == "vllm" and not vllm.knows_shutdown_timeout(version.server.image):
            yield wording.no_shutdown_timeout(version.name, version.server.image)


def _short_lived(service: Service, canary: str) -> Iterator[str]:
    if found := short_lived(service.versions[canary]):
        yield wording.short_lived_canary(canary, found.why)
    elif found := short_lived(service.versions[service.serving]):
        yield wording.short_lived_stable(service.serving, canary, found.why)
