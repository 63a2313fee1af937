"""The evidence of a passed probe, on the live route: one annotation, in a name of its own.

Server-side apply of that annotation alone: what others apply stays theirs, and Pulumi's next apply leaves what it does not own.
No field of the spec is owned by it, so neither the generation nor the time at a rung (`bake`) moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts.manifests.route import HTTP_ROUTE, TestHeader
from inference_rollouts.observe.cluster import Answer, Unreadable
from inference_rollouts.observe.patch import ATTEMPTS, NotWritten, Writer, changed_meanwhile, found_at
from inference_rollouts.observe.probe_route import pinned
from inference_rollouts.probed import CANARY_ANNOTATION, PROBE_ANNOTATION, Evidence

MANAGER = "rollout-probe"


def write(cluster: Writer, probed: Mapping[str, Any], test: TestHeader, evidence: Evidence) -> None:
    """Write evidence to the route that was probed, and read it back.

    Args:
        cluster: where.
        probed: the live route as it was when the probe began.
        test: the header, and the pool that it goes to.
        evidence: what to write.

    Raises:
        NotWritten: when the route is another by now, or it cannot be written.
    """
    namespace, name = probed["metadata"]["namespace"], probed["metadata"]["name"]
    at = f"HTTPRoute {namespace}/{name}"
    for attempt in range(1, ATTEMPTS + 1):
        live = _found(cluster.get(HTTP_ROUTE, "HTTPRoute", namespace, name), at, "read")
        _same(probed, live, test, evidence, at)
        meta = {key: live["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
        annotated = {**meta, "annotations": {PROBE_ANNOTATION: evidence.to_json()}}
        answer = cluster.apply({"apiVersion": HTTP_ROUTE, "kind": "HTTPRoute", "metadata": annotated}, MANAGER)
        # Whatever came in between is judged anew.
        if not changed_meanwhile(answer) or attempt == ATTEMPTS:
            _read_back(_found(answer, at, "written"), evidence, at)
            return


def _read_back(written: Mapping[str, Any], evidence: Evidence, at: str) -> None:
    if _annotations(written).get(PROBE_ANNOTATION) != evidence.to_json():
        raise NotWritten(f"{at} was written, and reads back without the evidence; see what else writes its annotations")


def _same(probed: Mapping[str, Any], live: Mapping[str, Any], test: TestHeader, evidence: Evidence, at: str) -> None:
    """What was probed is what stands: a canary that was deployed in the meantime was not asked anything."""
    uids = [route["metadata"].get("uid") for route in (probed, live)]
    rules = [pinned(route, test, at)[0] for route in (probed, live)]
    if uids[0] != uids[1] or rules[0] != rules[1] or _annotations(live).get(CANARY_ANNOTATION) != evidence.digest:
        raise NotWritten(f"{at} was changed while it was probed, so the probe is about another canary; run it again")


def _annotations(route: Mapping[str, Any]) -> Mapping[str, str]:
    return route["metadata"].get("annotations") or {}


def _found(answer: Answer, at: str, verb: str) -> Mapping[str, Any]:
    if isinstance(answer, Unreadable) and "HTTP 403" in answer.reason:
        way = "ask for the right to patch httproutes, or run the probe where that right is"
        raise NotWritten(f"{at} cannot be {verb}: {answer.reason}; {way}")
    return found_at(answer, at, verb)
