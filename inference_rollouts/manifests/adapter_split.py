"""Arguments and manifests of one adapter's split on one pool, by API generation.

`v1` and `llm-d`: InferenceModelRewrite with weighted targets, and InferenceObjective for the criticality. `v1alpha2`:
InferenceModel with targetModels. All of them name one pool, so a service with two pools has two of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from inference_rollouts.manifests.endpoint_picker import MODEL_GROUP
from inference_rollouts.manifests.inference_pool import POOL_GROUP, InferenceApi
from inference_rollouts.manifests.objects import Manifest, metadata, without_none

Criticality = Literal["Critical", "Standard", "Sheddable"]

PRIORITY: Mapping[Criticality, int] = {"Critical": 10, "Standard": 0, "Sheddable": -10}
"""InferenceObjective priority by criticality; on GKE what is below 0 is shed first (HTTP 429)."""

OBJECTIVE_HEADER: Mapping[InferenceApi, str] = {
    "v1": "x-gateway-inference-objective",
    "llm-d": "x-llm-d-inference-objective",
}
"""Request header by which a client chooses an InferenceObjective; its value is the object's name."""


@dataclass(frozen=True, kw_only=True)
class AdapterSplitArgs:
    """How requests for one model name are spread over adapter versions, on one pool.

    Attributes:
        name: name of the objects.
        namespace: the pool's namespace.
        api: API generation.
        pool: name of the InferencePool.
        model: the name that clients ask for.
        weights: percent by name as the servers hold it. A weight of 0 cannot be expressed (the API starts at 1): such a
            target is left out.
        criticality: None for no statement.
        annotations: as the split it is written for.

    Raises:
        ValueError: when the weights do not add up to 100.
    """

    name: str
    namespace: str
    api: InferenceApi = "v1"
    pool: str
    model: str
    weights: Mapping[str, int]
    criticality: Criticality | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if sum(self.weights.values()) != 100:
            raise ValueError(f"split {self.name}: the weights add up to {sum(self.weights.values())}, not 100")

    @property
    def targets(self) -> dict[str, int]:
        """What has weight."""
        return {name: weight for name, weight in self.weights.items() if weight}


def split(args: AdapterSplitArgs) -> Manifest:
    """InferenceModelRewrite or InferenceModel: the object that carries the weights."""
    return _inference_model(args) if args.api == "v1alpha2" else _rewrite(args)


def _pool_ref(args: AdapterSplitArgs) -> Manifest:
    return {"group": POOL_GROUP[args.api], "kind": "InferencePool", "name": args.pool}


def _object(args: AdapterSplitArgs, kind: str, spec: Manifest, annotations: Mapping[str, str]) -> Manifest:
    return {
        "apiVersion": f"{MODEL_GROUP[args.api]}/v1alpha2",
        "kind": kind,
        "metadata": metadata(args.name, args.namespace, args.labels, annotations),
        "spec": spec,
    }


def _forced(args: AdapterSplitArgs) -> dict[str, str]:
    return {"pulumi.com/patchForce": "true", **args.annotations}


def _rewrite(args: AdapterSplitArgs) -> Manifest:
    targets = [{"modelRewrite": name, "weight": weight} for name, weight in args.targets.items()]
    rule = {"matches": [{"model": {"type": "Exact", "value": args.model}}], "targets": targets}
    return _object(args, "InferenceModelRewrite", {"poolRef": _pool_ref(args), "rules": [rule]}, _forced(args))


def _inference_model(args: AdapterSplitArgs) -> Manifest:
    targets = [{"name": name, "weight": weight} for name, weight in args.targets.items()]
    spec = {
        "modelName": args.model,
        "criticality": args.criticality,
        "poolRef": _pool_ref(args),
        "targetModels": targets,
    }
    return _object(args, "InferenceModel", without_none(spec), _forced(args))


def objective(args: AdapterSplitArgs) -> Manifest | None:
    """InferenceObjective with the criticality as a priority; None without one, and under v1alpha2."""
    if args.criticality is None or args.api == "v1alpha2":
        return None
    spec = {"priority": PRIORITY[args.criticality], "poolRef": _pool_ref(args)}
    return _object(args, "InferenceObjective", spec, {})


def objects(args: AdapterSplitArgs) -> dict[str, Manifest]:
    """All objects of a split by part name."""
    found = {"split": split(args), "objective": objective(args)}
    return {part: manifest for part, manifest in found.items() if manifest}
