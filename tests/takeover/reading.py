"""Manifests to what is taken over, in one call; and objects as the API server gives them back."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from inference_rollouts.cli.render import rendered
from inference_rollouts.settings.stack_file import StackFile, read
from inference_rollouts.takeover import documents, stack, text
from inference_rollouts.takeover.inventory import Inventory
from inference_rollouts.takeover.stack import Given, Takeover
from tests.conftest import ROOT, stack_path

MANIFESTS = ROOT / "tests" / "takeover" / "manifests"
CLUSTER = {"name": "my-cluster", "location": "us-central1"}
PROJECT = "inference-rollouts"

Object = dict[str, Any]


def manifests(*names: str) -> list[Path]:
    return [MANIFESTS / f"{name}.yaml" for name in names]


def taken(texts: Mapping[str, str], given: Given | None = None, namespace: str = "default") -> Takeover:
    """What is taken over from files, by their names."""
    objects, findings = [], []
    for name, content in texts.items():
        found, said = documents.read(content.encode(), name, namespace)
        objects += found
        findings += said
    return stack.take(Inventory(objects), given or Given(CLUSTER, "my-project"), findings)


def taken_files(*names: str, given: Given | None = None) -> Takeover:
    return taken({path.name: path.read_text("utf-8") for path in manifests(*names)}, given)


def taken_objects(objects: Iterable[Object], given: Given | None = None) -> Takeover:
    return taken({f"{i}.yaml": yaml.safe_dump(found) for i, found in enumerate(objects)}, given)


@functools.cache
def rendered_texts(name: str) -> Mapping[str, str]:
    """What `rollout render` writes for an example or a fixture; it runs once."""
    return rendered(read(stack_path(name))).files


def rendered_objects(name: str) -> list[Object]:
    return [yaml.safe_load(content) for content in rendered_texts(name).values()]


def given_of(name: str) -> Given:
    """What a person says on the command line for it."""
    config = read(stack_path(name)).config
    return Given(config[f"{PROJECT}:cluster"], config.get("gcp:project"))


def written(takeover: Takeover, folder: Path) -> StackFile:
    """The stack file, written and read again."""
    path = folder / "Pulumi.imported.yaml"
    path.write_text(text.stack_text(takeover.config, takeover.comments, ["a test"]), "utf-8")
    return read(path)


def service(takeover: Takeover, name: str = "llm") -> Object:
    return takeover.config[f"{PROJECT}:services"][name]


def sentences(takeover: Takeover, level: str) -> list[str]:
    return [str(finding) for finding in takeover.of(level)]


# --- as the API server gives them back --------------------------------------------------------------------------------


def live(applied: Object) -> Object:
    """An object as `kubectl get -o yaml` shows it after `kubectl apply`: with status, managers, and defaults filled in."""
    out = copy.deepcopy(applied)
    meta = out["metadata"]
    meta |= {"uid": "8d1c", "resourceVersion": "4711", "generation": 3, "creationTimestamp": "2026-01-05T12:00:00Z"}
    meta["managedFields"] = [
        {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsType": "FieldsV1"},
        {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status"},
    ]
    meta.setdefault("annotations", {})["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
    out["status"] = {"observedGeneration": 3}
    if out["kind"] == "Deployment":
        meta["annotations"]["deployment.kubernetes.io/revision"] = "2"
        _deployment(out["spec"])
    elif out["kind"] == "Service":
        out["spec"] |= {
            "clusterIP": "10.0.0.7",
            "clusterIPs": ["10.0.0.7"],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
        }
        out["spec"] |= {"internalTrafficPolicy": "Cluster", "sessionAffinity": "None"}
    return out


def _deployment(spec: Object) -> None:
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec["template"]["metadata"]["creationTimestamp"] = None
    pod = spec["template"]["spec"]
    for key, value in {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}.items():
        pod.setdefault(key, value)
    pod.setdefault("securityContext", {})
    pod["serviceAccount"] = pod["serviceAccountName"]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        container |= {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("resources", {})
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            if probe in container:
                defaults = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
                container[probe] = {**defaults, **container[probe]}
                if "httpGet" in container[probe]:
                    container[probe]["httpGet"]["scheme"] = "HTTP"
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            volume["configMap"]["defaultMode"] = 420
