"""What a team's server has that the version of our own beside it has not: named in one comment, so that nothing is lost unseen.

Left out is what this package always writes itself: probes, ports, the shared memory, and the end of a pod's traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.manifests import endpoint_picker
from inference_rollouts.manifests.endpoint_picker import EndpointPickerArgs
from inference_rollouts.takeover import command_line, normal, pickers, servers
from inference_rollouts.takeover.inventory import Existing, Inventory
from inference_rollouts.takeover.servers import Server
from inference_rollouts.takeover.shapes import part, parts, texts

OWN_DEPLOYMENT = {"replicas", "selector", "template"}
OWN_POD = {"containers", "initContainers", "volumes", "tolerations", "nodeSelector", "serviceAccountName", "enableServiceLinks"}
OWN_CONTAINER = {"name", "image", "command", "args", "env", "resources", "ports", "volumeMounts", "lifecycle"}
PROBES = {"livenessProbe", "readinessProbe", "startupProbe"}
OWN_POOL = {"selector", "targetPorts", "targetPortNumber", "endpointPickerRef", "extensionRef"}
OWN_SCALER = {"scaleTargetRef", "minReplicas", "maxReplicas", "metrics"}
"""What settings say, or what is told apart below."""


def draft(
    pool: Existing, server: Server, config: Mapping[str, Any], service: Mapping[str, Any], inventory: Inventory
) -> list[str]:
    """Each thing in a few words.

    Args:
        pool: the InferencePool of the server.
        config: the keys of the version of our own.
        service: the keys of its service.
        inventory: everything that was read.
    """
    return [
        *_names(server, service),
        *_container(server, config),
        *_pod(server),
        *_deployment(server),
        *_scaler(server, config, inventory),
        *_pool(pool),
        *_picker(pool, inventory),
        *_policy(pool, service, inventory),
    ]


def _names(server: Server, service: Mapping[str, Any]) -> Iterator[str]:
    known = (*service.get("models", ()), *service.get("adapters", ()))
    yield from (f"the model name {name}" for name in server.line.names if name not in known)


def _container(server: Server, config: Mapping[str, Any]) -> Iterator[str]:
    container = server.container
    if texts(container.get("command"))[:1] and texts(container.get("command"))[0] in command_line.SHELLS:
        yield "the shell script around the server"
    said = (*config.get("server", {}).get("env", {}), *servers.OWN_ENV)
    yield from (f"env {item.get('name')}" for item in parts(container.get("env")) if item.get("name") not in said)
    if part(container, "lifecycle", "postStart"):
        yield "lifecycle.postStart"
    yield from _others(container, OWN_CONTAINER | PROBES)


def _pod(server: Server) -> Iterator[str]:
    pod = part(normal.template(part(server.deployment.spec, "template")), "spec")
    for key in ("initContainers", "containers"):
        yield from (f"{key}.{c.get('name')}" for c in parts(pod.get(key)) if c.get("name") != server.container.get("name"))
    yield from (f"volumes.{volume.get('name')}" for volume in parts(pod.get("volumes")) if not _is_shared_memory(volume, server))
    yield from (f"the toleration of {t.get('key') or 'everything'}" for t in parts(pod.get("tolerations")) if not _on_gke(t))
    yield from _others(pod, OWN_POD)
    chosen = part(server.deployment.spec, "selector", "matchLabels")
    details = servers.details(server)
    yield from (f"pod label {key}" for key in details.get("podLabels", {}) if key not in chosen)
    yield from (f"pod annotation {key}" for key in part(details, "podAnnotations"))


def _is_shared_memory(volume: Mapping[str, Any], server: Server) -> bool:
    mounts = [m.get("mountPath") for m in parts(server.container.get("volumeMounts")) if m.get("name") == volume.get("name")]
    return part(volume, "emptyDir").get("medium") == "Memory" and mounts == ["/dev/shm"]


def _on_gke(toleration: Mapping[str, Any]) -> bool:
    """Whether nodes with accelerators ask for it, and the version has it by them."""
    return toleration.get("key") in servers.RESOURCES


def _deployment(server: Server) -> Iterator[str]:
    spec = part(normal.effective(server.deployment.manifest), "spec")
    yield from (f"the Deployment's {key}" for key in sorted(spec.keys() - OWN_DEPLOYMENT))


def _scaler(server: Server, config: Mapping[str, Any], inventory: Inventory) -> Iterator[str]:
    scaler = servers.scaler_of(server.deployment, inventory)
    if scaler and "autoscaling" not in config.get("server", {}):
        least, most = scaler.spec.get("minReplicas", 1), scaler.spec.get("maxReplicas")
        yield f"{scaler.title} ({least} to {most} replicas)"
    elif scaler:
        yield from (f"{key} of {scaler.title}" for key in sorted(scaler.spec.keys() - OWN_SCALER))
        if part(parts(scaler.spec.get("metrics"))[0], "pods", "metric", "selector"):
            yield f"the metric's selector of {scaler.title}"


def _pool(pool: Existing) -> Iterator[str]:
    spec = part(normal.effective(pool.manifest), "spec")
    if len(parts(spec.get("targetPorts"))) > 1:
        yield "the further targetPorts of the InferencePool"
    yield from (f"the InferencePool's {key}" for key in sorted(spec.keys() - OWN_POOL))


def _picker(pool: Existing, inventory: Inventory) -> Iterator[str]:
    api = pickers.api_of(pool, inventory)
    said = pickers.settings(pool, inventory, api)
    yield from (f"the endpoint picker's {key}" for key in sorted(said.keys() - {"args"}))
    own = EndpointPickerArgs(name="", namespace="", pool="", api=api, replicas=2)
    known = _flags(endpoint_picker.command_args(own))
    for picker in pickers.deployments(pool, inventory)[:1]:
        given = texts(next(iter(parts(part(picker.spec, "template", "spec").get("containers"))), {}).get("args"))
        further = [flag for name, flag in _flags(given).items() if name not in known]
        yield from (f"the endpoint picker's {flag}" for flag in further)


def _flags(words: list[str]) -> dict[str, str]:
    """Flags by their names, which are in kebab-case or in camelCase."""
    flags = [word.partition("=")[0] for word in words if word[:1] == "-" and not word[1:2].isdigit()]
    return {flag.replace("-", "").lower(): flag for flag in flags}


def _policy(pool: Existing, service: Mapping[str, Any], inventory: Inventory) -> Iterator[str]:
    said = service.get("backendPolicy", {})
    for policy in pickers.policies(pool, inventory):
        default = part(policy.spec, "default")
        if policy.kind == "GCPBackendPolicy":
            yield from (
                f"{key} of {policy.title}" for key in sorted(default) if key != "logging" and said.get(key) != default[key]
            )


def _others(value: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    yield from (key for key in sorted(value.keys() - known) if value[key] not in (None, "", [], {}))
