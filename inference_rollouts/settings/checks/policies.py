"""Backend policies: a canary whose pool somebody else owns gets none from this package."""

from __future__ import annotations

from collections.abc import Iterator

from inference_rollouts.errors import Problem, all_of, path_of
from inference_rollouts.settings.kind import built_versions
from inference_rollouts.settings.model import Cluster, Service
from inference_rollouts.settings.report import Place
from inference_rollouts.stages import canary_weight


def lacks_policy(service: Service) -> bool:
    """Whether the canary would serve without the policy that the service's `backendPolicy` gives to what stands beside it."""
    stable, canary = service.versions.get(service.serving), service.versions.get(service.rollout.to if service.rollout else "")
    if not service.backend_policy or stable is None or stable.external or canary is None:
        return False
    return canary.external is not None and canary.external.backend_policy is None


def policy_problems(service: Service, cluster: Cluster | None, at: Place) -> Iterator[Problem]:
    """A canary that would get traffic without the policy; at `prepare` a note says so, so that falling there is never refused."""
    rollout, gke = service.rollout, cluster is None or cluster.gke
    if rollout and gke and lacks_policy(service) and canary_weight(rollout.stage) > 0:
        keys = all_of(sorted(service.backend_policy))
        yield Problem(
            path_of(*at, "versions", rollout.to, "external"),
            f"its pool gets nothing of the service's backendPolicy ({keys}), since somebody else owns it; have its owner attach a "
            f"GCPBackendPolicy with the same, and then say external: {{…, backendPolicy: own}}",
        )
    built = {name: service.versions[name].external for name in built_versions(service)}
    acts = bool(service.backend_policy) and gke and not all(built.values())
    for name, external in built.items():
        if external and external.backend_policy and not acts:
            why = "has no effect without a version beside it that gets the service's backendPolicy; take it out"
            yield Problem(path_of(*at, "versions", name, "external", "backendPolicy"), why)
