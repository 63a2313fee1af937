"""What has to stand before a probe sends anything: the route, its test rule, the canary that it is about, and the way in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts import probed
from inference_rollouts.checks import Finding
from inference_rollouts.manifests.route import HTTP_ROUTE
from inference_rollouts.observe import readiness
from inference_rollouts.observe.cluster import Absent, Cluster, Found, Unreadable
from inference_rollouts.observe.probe_door import Door, NoDoor, by_gateway
from inference_rollouts.observe.probe_route import pinned
from inference_rollouts.observe.splits import OF_SPLITS
from inference_rollouts.observe.targets import ReadyTarget
from inference_rollouts.plan.values import ModelServiceArgs

FIRST = "deploy the stack file first (pulumi up)"


class NoAnswer(Exception):
    """The cluster does not give the route, so nothing can be judged. The text is the reason."""


def read(
    cluster: Cluster, service: ModelServiceArgs, target: ReadyTarget, *, evidence: bool
) -> tuple[Mapping[str, Any] | None, list[Finding]]:
    """The live route, None where there is none, and every finding on it and on the canary.

    Args:
        cluster: where to look.
        service: as in the plan.
        target: what has to be ready for the canary.
        evidence: whether the canary has to be the one in the file.

    Raises:
        NoAnswer: when the route cannot be read.
    """
    seen = readiness.look(cluster, target)
    at = target.at("HTTPRoute", target.route.name)
    match seen.split(target.route):
        case Unreadable(reason):
            raise NoAnswer(reason)
        case Absent():
            return None, [Finding("test rule", "fail", "nothing of that name", "the route of the stack file", at, FIRST)]
        case Found(route):
            return route, list(_findings(service, target, seen, route, evidence=evidence))


def _findings(
    service: ModelServiceArgs, target: ReadyTarget, seen: readiness.Observed, route: Mapping[str, Any], *, evidence: bool
) -> Iterator[Finding]:
    assert service.route.test, "a probe needs a test header"
    at = target.at("HTTPRoute", target.route.name)
    yield pinned(route, service.route.test, at)[1]
    if evidence:
        yield _as_in_the_file(service, route, at)
    yield from (found for found in readiness.findings(target, seen) if found.check not in OF_SPLITS)


def _as_in_the_file(service: ModelServiceArgs, route: Mapping[str, Any], at: str) -> Finding:
    """Whether the canary that is deployed is the one in the file: evidence is about both."""
    canary = str(service.record.pools.to)
    digest = probed.digest(service.record, canary)
    live = (route["metadata"].get("annotations") or {}).get(probed.CANARY_ANNOTATION)
    wanted = f"{canary} as the file has it ({digest})"
    if live == digest:
        return Finding("canary as in the file", "pass", f"{canary} as {live}", wanted, at)
    seen = f"{canary} as {live}, so the file is ahead of what is deployed" if live else "no word on the route of what is deployed"
    return Finding("canary as in the file", "fail", seen, wanted, at, f"{FIRST}, or only test what is deployed: --no-evidence")


def gateways(cluster: Cluster, service: ModelServiceArgs) -> Door | Finding:
    """The way in by the Gateway's own address, or why there is none. Of several Gateways it is the first."""
    ref = next((ref for ref in service.route.parent_refs if ref.get("kind", "Gateway") == "Gateway"), {})
    namespace, name = ref.get("namespace", service.route.namespace), str(ref.get("name"))
    at, wanted = f"Gateway {namespace}/{name}", "an address to send to"
    match cluster.get(HTTP_ROUTE, "Gateway", namespace, name):
        case Absent():
            return Finding("gateway", "fail", "nothing of that name", wanted, at, "see gateway in the stack file, or give --url")
        case Unreadable(reason):
            return Finding("gateway", "unknown", f"no answer: {reason}", wanted, at, "give --url")
        case Found(gateway):
            try:
                return by_gateway(gateway, ref, service.route.hostnames, at)
            except NoDoor as e:
                return Finding("gateway", "fail", str(e), wanted, at, e.advice)
