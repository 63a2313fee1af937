"""The plain kubectl lines of an emergency rollback, for those who have nothing else at hand. Pure: from the plan of a service.

They are JSON patches with a `test` in front: where the live object is not the one that the plan knows, nothing is written. The
annotation stays as it was, so that `status --live` says of the object that a hand was at work until Pulumi applies it again.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.manifests import adapter_split
from inference_rollouts.manifests.adapter_split import AdapterSplitArgs
from inference_rollouts.manifests.objects import Manifest
from inference_rollouts.manifests.route import Backend, backend_refs, http_route
from inference_rollouts.plan.values import ModelServiceArgs
from inference_rollouts.record import Split
from inference_rollouts.stages import Stage


def way_back(split: Split) -> Stage | None:
    """The stage that a rollback goes to; None where there is nothing to roll back."""
    if split.to is None or split.stage in ("baseline", "prepare"):
        return None
    return 100 if split.stage == "retire" else "prepare"


def lines(service: ModelServiceArgs, adapter: str | None, context: str | None) -> list[str]:
    """The command lines that give stable all the traffic again; none where there is nothing to roll back.

    From `retire` a route goes to 100 first, as the ladder has it; the splits of an adapter look the same at both.

    Args:
        service: as in the file.
        adapter: whose rollout; None for the pools'.
        context: of the ambient kubeconfig; None for the current one.
    """
    split = service.record.pools if adapter is None else service.record.adapters[adapter]
    stage = way_back(split)
    if stage is None or (adapter is not None and split.stage == "retire"):
        return []
    wanted = split.at(stage)
    found = [_route(service, wanted)] if adapter is None else list(_splits(service, adapter, wanted))
    return [_line(manifest, patch, context) for manifest, patch in found]


def _route(service: ModelServiceArgs, wanted: Split) -> tuple[Manifest, list[Any]]:
    manifest = http_route(service.route)
    pools = {version.name: version.pool_name for version in service.versions}
    group = service.route.backends[0].group
    refs = backend_refs([Backend(group=group, pool=pools[name], weight=weight) for name, weight in wanted.weights.items()])
    path = f"/spec/rules/{len(manifest['spec']['rules']) - 1}/backendRefs"
    return manifest, _patch(f"{path}/0/name", service.route.backends[0].pool, path, refs)


def _splits(service: ModelServiceArgs, adapter: str, wanted: Split) -> Iterator[tuple[Manifest, list[Any]]]:
    for version in service.versions:
        for args in version.splits.values():
            if args.model == adapter:
                yield _of_split(args, {name: weight for name, weight in wanted.weights.items() if weight})


def _of_split(args: AdapterSplitArgs, weights: Mapping[str, int]) -> tuple[Manifest, list[Any]]:
    manifest = adapter_split.split(args)
    if args.api == "v1alpha2":
        targets = [{"name": name, "weight": weight} for name, weight in weights.items()]
        return manifest, _patch("/spec/modelName", args.model, "/spec/targetModels", targets)
    targets = [{"modelRewrite": name, "weight": weight} for name, weight in weights.items()]
    return manifest, _patch("/spec/rules/0/matches/0/model/value", args.model, "/spec/rules/0/targets", targets)


def _patch(known: str, as_known: str, path: str, value: Any) -> list[Any]:
    return [{"op": "test", "path": known, "value": as_known}, {"op": "replace", "path": path, "value": value}]


def _line(manifest: Manifest, patch: list[Any], context: str | None) -> str:
    meta = manifest["metadata"]
    group = manifest["apiVersion"].partition("/")[0]
    where = ["--context", context] if context else []
    # With the group: two of them may have an InferenceModelRewrite.
    kind = f"{manifest['kind'].lower()}.{group}"
    text = json.dumps(patch, separators=(",", ":"), ensure_ascii=False)
    return shlex.join(["kubectl", *where, "patch", kind, meta["name"], "-n", meta["namespace"], "--type=json", "-p", text])
