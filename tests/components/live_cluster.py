"""The examples on a cluster that answers: what it holds when everything is ready, and updates that ask it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from inference_rollouts.rehearsal.engine import Preview, preview, state_of
from inference_rollouts.rehearsal.program import Recording, run
from inference_rollouts.rehearsal.walk import Rehearsal, at
from tests.conftest import ROOT, example
from tests.observe.fake_apiserver import FakeApiServer
from tests.observe.world import condition, managed

STACK = "node-update"
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/routes-to-llm"


def config(name: str, stage: Any, **rollout: Any) -> dict[str, Any]:
    """An example on a cluster of the ambient kubeconfig, its rollout at a stage."""
    keys = example(name)
    keys["inference-rollouts:cluster"] = {**keys["inference-rollouts:cluster"], "context": "here"}
    (found,) = Rehearsal(ROOT, name, keys).rollouts()
    changed = at(keys, found, stage)
    service = changed["inference-rollouts:services"]["llm"]
    block = service["adapters"]["llm"] if found.adapter else service
    block["rollout"] |= rollout
    return changed


def update(old: dict[str, Any], new: dict[str, Any], *, dry_run: bool = False) -> Preview:
    """What an update from one config to another does, with the real hooks; not a preview, where nothing is asked."""
    state = state_of(run(ROOT, STACK, old))
    results: list[Preview] = []
    run(ROOT, STACK, new, lambda recording: results.append(preview(state, recording)), preview=dry_run)
    return results[0]


def live(recording: Recording) -> list[dict[str, Any]]:
    """The registered objects as a cluster shows them when everything is ready."""
    return [ready(copy.deepcopy(dict(r.inputs))) for r in recording.resources.values() if r.type.startswith("kubernetes:")]


def ready(value: dict[str, Any]) -> dict[str, Any]:
    value["metadata"]["generation"] = 3
    count = value.get("spec", {}).get("replicas", 1)
    parent = {"parentRef": {"name": "my-inference-gateway"}, "controllerName": "networking.gke.io/gateway"}
    accepted = {"parents": [parent | {"conditions": [condition(c) for c in ("Accepted", "ResolvedRefs", "Reconciled")]}]}
    statuses = {
        "Deployment": {"observedGeneration": 3, **dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count)},
        "HTTPRoute": accepted,
        "InferencePool": accepted,
    }
    value["status"] = statuses.get(value["kind"], {})
    return managed(value, "rules")


def registered(server: FakeApiServer, changed: dict[str, Any]) -> dict[str, Any]:
    """The route, in a cluster that holds what a config registers."""
    server.objects.clear()
    server.put(*live(run(ROOT, STACK, changed)))
    return server.objects[ROUTE]


def written(value: dict[str, Any], seconds_ago: float) -> None:
    """Lets the weights of an object have been written just then."""
    for entry in value["metadata"]["managedFields"]:
        entry["time"] = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
