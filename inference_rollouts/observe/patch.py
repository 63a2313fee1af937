"""Break-glass: write the weights of a live split, and read them back. The one place that writes to a cluster past Pulumi.

How, and why so. Pulumi applies the route and the splits server-side, under a manager of its own that is random by object and
kept in its state; the weights stand in atomic lists, so whoever changes one owns them all.

- In Pulumi's own name, with force: so no second manager stays on the object, and the next `pulumi up` finds what it would
  write. A merge patch in that name is an Update, which the API server holds for another manager than the Apply of that name.
- Not the manifest of the stack file: what the file says and the cluster does not have yet would be deployed with it, and what
  is in the cluster and not in the file would go. What is sent is what the manager applies now (`owned`), read from the live
  object, with other weights; so nothing else changes, and nothing is lost.
- With the uid and the resourceVersion that were read: an object that is gone is not created, and one that was changed
  meanwhile is read again. So `get` and `patch` on these objects are all the rights that it takes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from inference_rollouts import naming
from inference_rollouts.observe.cluster import Absent, Answer, Cluster, Found, Unreadable, collection
from inference_rollouts.observe.owned import applied_by, applier
from inference_rollouts.observe.splits import listed, live_weights
from inference_rollouts.observe.targets import SplitTarget
from inference_rollouts.record import Split

NOW_ANNOTATION = f"{naming.DOMAIN}/now"
"""On an object that `rollback --now` wrote, until Pulumi applies it again: when, by whom and from which stage, as JSON."""

OWN_MANAGER = "rollout"
"""Where nobody applies the object."""

ATTEMPTS = 5
"""Times that an object is read again because somebody else changed it meanwhile; a gateway writes its status often."""


class NotWritten(Exception):
    """The weights could not be written, or are not there when read back. The text is never empty."""


@dataclass(frozen=True)
class Now:
    """Who wrote a split past Pulumi.

    Attributes:
        at: ISO 8601, UTC.
        by: a person, as their machine calls them.
        origin: the stage that stood before.
    """

    at: str
    by: str
    origin: str

    def to_json(self) -> str:
        """As text for an annotation."""
        return json.dumps({"at": self.at, "by": self.by, "from": self.origin})


def now_of(value: Mapping[str, Any]) -> Now | None:
    """What `rollback --now` left on an object; None where Pulumi has applied it since, or it never wrote it."""
    text = (value["metadata"].get("annotations") or {}).get(NOW_ANNOTATION)
    try:
        told = json.loads(text) if text else None
        return Now(str(told["at"]), str(told["by"]), str(told["from"])) if told else None
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        manager: in whose name.
        after: weight by backend, as read back.
    """

    manager: str
    after: Mapping[str, int]


class Writer(Cluster):
    """A cluster in which weights may be written."""

    def apply(self, value: Mapping[str, Any], manager: str) -> Answer:
        """Server-side apply, with force, of an object that stands.

        Args:
            value: all that the manager applies, with metadata.uid and metadata.resourceVersion.
            manager: the field manager.
        """
        meta = value["metadata"]
        path = f"{collection(value['apiVersion'], value['kind'], meta['namespace'])}/{quote(meta['name'], safe='')}"
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        return self._ask("PATCH", path, query, dict(value), "application/apply-patch+yaml")


# --- writing ----------------------------------------------------------------------------------------------------------


def write(cluster: Writer, namespace: str, target: SplitTarget, wanted: Split, *, group: str, now: Now) -> Written:
    """Write the weights of a split to one object, and read them back.

    Args:
        cluster: where.
        namespace: of the object.
        target: the object, and what it calls the versions.
        wanted: the split to write.
        group: API group of InferencePools, for a backend that is not in the route yet.
        now: what is left on the object.

    Raises:
        NotWritten: when it could not be written, or reads back otherwise.
    """
    at = f"{target.kind} {namespace}/{target.name}"

    def read(verb: str) -> dict[str, Any]:
        return found_at(cluster.get(target.api_version, target.kind, namespace, target.name), at, verb)

    live = read("read")
    for attempt in range(1, ATTEMPTS + 1):
        manager = applier(live)
        body = to_apply(live, manager or OWN_MANAGER, target.weights(wanted), group)
        body["metadata"]["annotations"] |= {naming.SPLIT_ANNOTATION: wanted.to_json()}
        if manager:  # only who applies the object again takes this annotation off again
            body["metadata"]["annotations"] |= {NOW_ANNOTATION: now.to_json()}
        answer = cluster.apply(body, manager or OWN_MANAGER)
        if not changed_meanwhile(answer) or attempt == ATTEMPTS:
            found_at(answer, at, "written")
            break
        live = read("read")
    after = live_weights(read("read back")) or {}
    if not agrees(target, wanted, after):
        told = listed(after) or "no weights"
        raise NotWritten(f"{at} was written and reads back as {told}: somebody else writes it, too; write it again")
    return Written(applier(live) or OWN_MANAGER, after)


def changed_meanwhile(answer: Answer) -> bool:
    """Whether an object was not written because it is another by now; a gateway writes its status often."""
    return isinstance(answer, Unreadable) and answer.reason.startswith("HTTP 409")


def agrees(target: SplitTarget, wanted: Split, live: Mapping[str, int]) -> bool:
    """Whether live weights send traffic where a split says: what has none may be there or not."""
    shown = target.weights(wanted)
    return {k: w for k, w in live.items() if w} == {k: w for k, w in shown.items() if w} and shown.keys() <= live.keys()


def found_at(answer: Answer, at: str, verb: str) -> dict[str, Any]:
    """The object that was to be read, or written.

    Raises:
        NotWritten: when there is none.
    """
    match answer:
        case Absent():
            raise NotWritten(f"{at} cannot be {verb}: there is nothing of that name")
        case Unreadable(reason):
            raise NotWritten(f"{at} cannot be {verb}: {reason}")
        case Found(value):
            return value


# --- what is sent -----------------------------------------------------------------------------------------------------


def to_apply(live: Mapping[str, Any], manager: str, weights: Mapping[str, int], group: str) -> dict[str, Any]:
    """All that a manager applies to a live object, with other weights.

    Args:
        live: the object as it was read.
        manager: in whose name.
        weights: by backend, as this kind of object shows them.
        group: API group of InferencePools.
    """
    part = copy.deepcopy(applied_by(live, manager))
    meta, own = live["metadata"], part.get("metadata", {})
    identity = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion") if key in meta}
    metadata = {**own, **identity, "annotations": dict(own.get("annotations") or {})}
    spec = {**part.get("spec", {}), **_weighted(live, weights, group)}
    return {**part, "apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata, "spec": spec}


def _weighted(live: Mapping[str, Any], weights: Mapping[str, int], group: str) -> dict[str, Any]:
    """The field of the spec that holds the weights, as a whole; in a list of rules it is the last that splits."""
    spec = copy.deepcopy(dict(live.get("spec") or {}))
    if live["kind"] == "InferenceModel":
        return {"targetModels": _targets(spec.get("targetModels") or [], "name", weights)}
    rules = spec.get("rules") or []
    if not rules:
        raise NotWritten(f"{live['kind']} {live['metadata']['name']} has no rule to write weights to")
    if live["kind"] == "HTTPRoute":
        rules[-1]["backendRefs"] = _backends(rules[-1].get("backendRefs") or [], weights, group)
    else:
        rules[-1]["targets"] = _targets(rules[-1].get("targets") or [], "modelRewrite", weights)
    return {"rules": rules}


def _backends(refs: list[dict[str, Any]], weights: Mapping[str, int], group: str) -> list[dict[str, Any]]:
    """In the order of the weights; what else is there, by whosever hand, stays without traffic."""
    known = {ref["name"]: ref for ref in refs}
    new = {"group": group, "kind": "InferencePool"}
    ours = [{**known.get(name, {**new, "name": name}), "weight": weight} for name, weight in weights.items()]
    return ours + [{**ref, "weight": 0} for ref in refs if ref["name"] not in weights]


def _targets(targets: list[dict[str, Any]], key: str, weights: Mapping[str, int]) -> list[dict[str, Any]]:
    """A target cannot have weight 0, so what gets none is left out."""
    known = {target.get(key): target for target in targets}
    return [{**known.get(name, {key: name}), "weight": weight} for name, weight in weights.items()]
