"""A project whose stack stands in a cluster that can be asked, and written to: as `pulumi up` would have left it."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.manifests import adapter_split
from inference_rollouts.manifests.inference_pool import inference_pool
from inference_rollouts.manifests.route import GKE_CONTROLLER, http_route
from inference_rollouts.plan import ModelServiceArgs, plan_for
from inference_rollouts.settings.stack_file import read
from tests.edit.project import Answer, Project, make_project
from tests.observe.fake_apiserver import Object, path_of
from tests.observe.server_side import WritableApiServer, apply, by_hand
from tests.observe.world import condition

MANAGER = "pulumi-kubernetes-0a1b2c3d"


@dataclass
class LiveProject:
    """The stack `name` of a project, and the cluster that it is deployed to."""

    project: Project
    server: WritableApiServer
    name: str

    @property
    def file(self) -> Path:
        return self.project.file(self.name)

    def rollout(self, *arguments: str, stdin: str = "") -> Answer:
        return self.project.rollout(*arguments, stdin=stdin)

    def stage(self, stage: object) -> None:
        """Write a stage to the file; nothing is deployed."""
        self.file.write_text(re.sub(r"stage: \w+", f"stage: {stage}", self.file.read_text("utf-8")), "utf-8")

    @property
    def staged(self) -> str:
        found = re.search(r"stage: (\w+)", self.file.read_text("utf-8"))
        assert found
        return found[1]

    def up(self, stage: object | None = None) -> None:
        """What `pulumi up` does to the cluster, and the gateway after it."""
        if stage is not None:
            self.stage(stage)
        for service in plan_for(read(self.file).settings()).services:
            for value in _objects(service):
                self._apply(value)
            self._ready(service)

    def _apply(self, value: Object) -> None:
        old = self.server.objects.get(path_of(value))
        if old is None:
            self.server.put(apply({**copy.deepcopy(value), "metadata": _born(value)}, value, MANAGER))
        else:
            self.server.put(apply(old, value, MANAGER))

    def _ready(self, service: ModelServiceArgs) -> None:
        route = self.of("HTTPRoute")
        conditions = [
            condition(name, generation=route["metadata"]["generation"]) for name in ("Accepted", "ResolvedRefs", "Reconciled")
        ]
        parents = [
            {"parentRef": dict(ref), "controllerName": GKE_CONTROLLER, "conditions": conditions}
            for ref in service.route.parent_refs
        ]
        route["status"] = {"parents": parents}
        for version in service.versions:
            if version.server:
                self.server.put(_deployment(version.server.name, service.route.namespace, version.server.replicas))
            if version.picker:
                self.server.put(_deployment(version.picker.name, service.route.namespace, 1))
            if version.pool:
                self.server.put(inference_pool(version.pool))

    def of(self, kind: str) -> Object:
        """The one object of a kind."""
        (found,) = [value for value in self.server.objects.values() if value["kind"] == kind]
        return found

    def weights(self, kind: str = "HTTPRoute") -> dict[str, int]:
        spec = self.of(kind)["spec"]
        refs = spec["targetModels"] if "targetModels" in spec else next(v for k, v in spec["rules"][-1].items() if k != "matches")
        return {ref.get("modelRewrite") or ref["name"]: ref["weight"] for ref in refs}

    def touch(self, change: Any, kind: str = "HTTPRoute", manager: str = "kubectl-edit") -> None:
        """Somebody changes the one object of a kind by hand."""
        self.server.put(by_hand(self.of(kind), change, manager))


def make_live(folder: Path, monkeypatch: pytest.MonkeyPatch, stack: str, server: WritableApiServer) -> LiveProject:
    """A project with one example, deployed at the stage in its file; the context `here` leads to the server."""
    monkeypatch.chdir(folder)
    project = make_project(folder, stack)
    file = project.file(stack)
    text = file.read_text("utf-8").replace("location: us-central1 }", "location: us-central1, context: here }")
    file.write_text(text, "utf-8")
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(server.kubeconfig(), "utf-8")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    live = LiveProject(project, server, stack)
    live.up()
    return live


def reweigh(*weights: int) -> Any:
    """A hand that changes the weights of a route."""

    def change(value: Object) -> None:
        refs = copy.deepcopy(value["spec"]["rules"])
        for ref, weight in zip(refs[-1]["backendRefs"], weights, strict=True):
            ref["weight"] = weight
        value["spec"]["rules"] = refs

    return change


def _objects(service: ModelServiceArgs) -> list[Object]:
    splits = [adapter_split.split(args) for version in service.versions for args in version.splits.values()]
    return [http_route(service.route), *splits]


def _born(value: Object) -> Object:
    meta = value["metadata"]
    return {**copy.deepcopy(meta), "uid": f"uid-of-{meta['name']}", "resourceVersion": "1", "generation": 1}


def _deployment(name: str, namespace: str, replicas: int) -> Object:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 1, **counts},
    }
