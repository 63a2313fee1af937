"""What the gateway says of the route and of the pools: conditions, each about the generation that stands.

A condition of an earlier generation says nothing about this one, and on GKE it takes one to two minutes until there is
one of the current. Some gateways never publish any; then nobody can tell, and the finding says how to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from inference_rollouts.checks import Finding, Verdict
from inference_rollouts.manifests.route import GKE_CONTROLLER
from inference_rollouts.observe.cluster import Absent, Answer, Found, Unreadable
from inference_rollouts.observe.targets import ReadyTarget, VersionTarget

GO_ON = (
    "wait: a status takes one to two minutes on GKE; if this gateway never publishes one for the current generation, see by a "
    "test request that it serves the route, and allow this one move by `override`"
)

Judged = tuple[Verdict, str, str]
"""Verdict, what was seen, advice."""


def route_accepted(target: ReadyTarget, answer: Answer) -> list[Finding]:
    """One finding for each parent of the HTTPRoute."""
    names = ("Accepted", "ResolvedRefs", "Reconciled") if target.gke else ("Accepted", "ResolvedRefs")
    wanted = f"{', '.join(names)} at the current generation"

    def finding(ref: Mapping[str, Any]) -> Finding:
        verdict, seen, advice = _of_parent(target, ref, names, answer)
        at = f"{target.at('HTTPRoute', target.route.name)}, parent {ref.get('name')}"
        return Finding("route accepted", verdict, seen, wanted, at, advice)

    return [finding(ref) for ref in target.parent_refs]


def _of_parent(target: ReadyTarget, ref: Mapping[str, Any], names: tuple[str, ...], answer: Answer) -> Judged:
    match answer:
        case Absent():
            return "fail", "nothing of that name", ""
        case Unreadable(reason):
            return "unknown", f"no answer: {reason}", ""
        case Found(route):
            parents = (route.get("status") or {}).get("parents") or []
            own = [p for p in parents if _is_of(p, ref, target)]
            if not own:
                return "unknown", _nothing(parents), GO_ON
            return _worst(_conditions(p, names, route["metadata"]["generation"], strict=True) for p in own)


def _is_of(parent: Mapping[str, Any], ref: Mapping[str, Any], target: ReadyTarget) -> bool:
    """Whether a status entry is about this parentRef; on GKE only the word of GKE's controller counts."""
    if target.gke and parent.get("controllerName") != GKE_CONTROLLER:
        return False
    told = parent.get("parentRef") or {}
    return _names(told, ref, target) and all(told.get(key) == ref[key] for key in ("sectionName", "port") if key in ref)


def _names(told: Mapping[str, Any], ref: Mapping[str, Any], target: ReadyTarget) -> bool:
    namespace = target.namespace
    return (told.get("name"), told.get("namespace", namespace)) == (ref.get("name"), ref.get("namespace", namespace))


def _nothing(parents: list[Mapping[str, Any]]) -> str:
    others = sorted({str(p.get("controllerName")) for p in parents})
    return f"a status from {', '.join(others)} only, and none for this parent" if others else "no status from any gateway"


def pool_accepted(target: ReadyTarget, version: VersionTarget, answer: Answer) -> Finding:
    """The finding on an InferencePool: it is there, and what the route's parents say of it, where they say anything."""
    verdict, seen, advice = _of_pool(target, answer)
    wanted = "Accepted, ResolvedRefs by the route's parents"
    return Finding(f"{version.role} pool accepted", verdict, seen, wanted, target.at("InferencePool", version.pool), advice)


def _of_pool(target: ReadyTarget, answer: Answer) -> Judged:
    match answer:
        case Absent():
            return "fail", "nothing of that name", ""
        case Unreadable(reason):
            return "unknown", f"no answer: {reason}", ""
        case Found(pool):
            status, generation = pool.get("status") or {}, pool["metadata"]["generation"]
            parents = [p for p in status.get("parents") or status.get("parent") or [] if _is_parent(p, target)]
            if not parents:
                return "pass", "it stands, without a status from them", ""
            return _worst(_conditions(p, ("Accepted", "ResolvedRefs"), generation, strict=False) for p in parents)


def _is_parent(parent: Mapping[str, Any], target: ReadyTarget) -> bool:
    """Another Gateway may use the pool, too; and a v1alpha2 pool has a placeholder, Status/default, until one comes."""
    told = parent.get("parentRef") or {}
    return told.get("kind") != "Status" and any(_names(told, ref, target) for ref in target.parent_refs)


def _conditions(parent: Mapping[str, Any], names: tuple[str, ...], generation: int, *, strict: bool) -> Judged:
    """The worst of the named conditions; strict takes one without a generation for one of an unknown generation."""
    known = {c.get("type"): c for c in parent.get("conditions") or ()}
    judged = [_condition(name, known.get(name), generation, strict=strict) for name in names]
    worst = _worst(judged)
    return worst if worst[0] != "pass" else ("pass", f"{', '.join(names)} at generation {generation}", "")


def _condition(name: str, condition: Mapping[str, Any] | None, generation: int, *, strict: bool) -> Judged:
    if condition is None:
        return "unknown", f"no condition {name}", GO_ON
    about = condition.get("observedGeneration")
    if about is None and strict:
        return "unknown", f"{name} without the generation that it is about", GO_ON
    if about not in (None, generation):
        return "unknown", f"{name} about generation {about}, while {generation} stands", GO_ON
    status = condition.get("status")
    if status == "True":
        return "pass", name, ""
    told = f"{name} {status} ({condition.get('reason')}: {condition.get('message')})"
    return ("fail", told, "") if status == "False" else ("unknown", told, GO_ON)


def _worst(judged: Iterable[Judged]) -> Judged:
    """What failed comes before what nobody can tell, and that before what passed."""
    return min(judged, key=lambda j: ("fail", "unknown", "pass").index(j[0]))
