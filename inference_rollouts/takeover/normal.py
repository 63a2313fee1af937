"""Objects without what the API server fills in, so that what was applied and what is rendered can be compared.

Kubernetes' defaults: pkg/apis/core/v1/defaults.go and pkg/apis/apps/v1/defaults.go (v1.34); Gateway API and inference extension:
the defaults of their CRDs. What is not listed here counts as a difference: so an unknown default never hides a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.errors import below
from inference_rollouts.takeover.shapes import part

POD = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {}}
CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "resources": {}}
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
DEPLOYMENT = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
SERVICE = {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
SERVICE_ASSIGNED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
PICKER = {"group": "", "kind": "Service", "failureMode": "FailClose"}
MODE = {"defaultMode": 420}


def effective(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest without defaults. What is free of them already stays as it is."""
    out = {key: _plain(value) for key, value in manifest.items() if value is not None}
    spec = out.get("spec")
    by_kind = {"Deployment": _deployment, "Service": _service, "InferencePool": _pool, "HTTPRoute": _route}
    if isinstance(spec, dict) and out.get("kind") in by_kind:
        out["spec"] = by_kind[out["kind"]](spec)
    if out.get("kind") == "ServiceAccount":
        out.pop("secrets", None)  # written by an older API server
    return out


def _plain(value: Any) -> Any:
    """A copy without nulls."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items() if inner is not None}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _without(part: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in defaults or defaults[key] != value}


def _deployment(spec: dict[str, Any]) -> dict[str, Any]:
    out = _without(spec, {**DEPLOYMENT, "strategy": ROLLING})
    if isinstance(spec.get("template"), dict):
        out["template"] = template(spec["template"])
    return out


def template(value: Mapping[str, Any]) -> dict[str, Any]:
    """A pod template without defaults."""
    out = _plain(value)
    spec = _without(dict(part(out, "spec")), {**POD, "terminationGracePeriodSeconds": 30})
    alias = spec.pop("serviceAccount", None)  # the old name, which the API server keeps equal
    if alias and "serviceAccountName" not in spec:
        spec["serviceAccountName"] = alias
    for key in ("containers", "initContainers"):
        if isinstance(spec.get(key), list):
            spec[key] = [_container(c) if isinstance(c, dict) else c for c in spec[key]]
    if isinstance(spec.get("volumes"), list):
        spec["volumes"] = [_volume(v) if isinstance(v, dict) else v for v in spec["volumes"]]
    return {**out, "spec": spec}


def _pull_policy(image: Any) -> str:
    tag = str(image).partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and "@" not in str(image) else "IfNotPresent"


def _container(value: dict[str, Any]) -> dict[str, Any]:
    out = _without(value, {**CONTAINER, "imagePullPolicy": _pull_policy(value.get("image"))})
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(out.get(key), dict):
            out[key] = _handler(_without(out[key], PROBE))
    if isinstance(out.get("lifecycle"), dict):
        out["lifecycle"] = {hook: _handler(action) for hook, action in out["lifecycle"].items() if isinstance(action, dict)}
    if isinstance(out.get("ports"), list):
        out["ports"] = [_without(port, {"protocol": "TCP"}) if isinstance(port, dict) else port for port in out["ports"]]
    if isinstance(out.get("env"), list):
        out["env"] = [_variable(item) if isinstance(item, dict) else item for item in out["env"]]
    if isinstance(out.get("resources"), dict):
        out["resources"] = {key: _quantities(amounts) for key, amounts in out["resources"].items()}
    return out


def _handler(value: dict[str, Any]) -> dict[str, Any]:
    out = dict(value)
    if isinstance(out.get("httpGet"), dict):
        out["httpGet"] = _without(out["httpGet"], {"scheme": "HTTP"})
    if isinstance(out.get("grpc"), dict):
        out["grpc"] = _without(out["grpc"], {"service": ""})
    return out


def _variable(item: dict[str, Any]) -> dict[str, Any]:
    source = item.get("valueFrom")
    if isinstance(source, dict) and isinstance(source.get("fieldRef"), dict):
        return {**item, "valueFrom": {**source, "fieldRef": _without(source["fieldRef"], {"apiVersion": "v1"})}}
    return item


def _quantities(amounts: Any) -> Any:
    """The API server keeps numbers as text."""
    return {key: str(amount) for key, amount in amounts.items()} if isinstance(amounts, dict) else amounts


def _volume(value: dict[str, Any]) -> dict[str, Any]:
    out = dict(value)
    for key in ("configMap", "secret", "projected", "downwardAPI"):
        if isinstance(out.get(key), dict):
            out[key] = _without(out[key], MODE)
    if isinstance(out.get("hostPath"), dict):
        out["hostPath"] = _without(out["hostPath"], {"type": ""})
    return out


def _service(spec: dict[str, Any]) -> dict[str, Any]:
    out = {key: value for key, value in _without(spec, SERVICE).items() if key not in SERVICE_ASSIGNED}
    if isinstance(out.get("ports"), list):
        ports = [port for port in out["ports"] if isinstance(port, dict)]
        out["ports"] = [_without(port, {"protocol": "TCP", "targetPort": port.get("port")}) for port in ports]
    return out


def _pool(spec: dict[str, Any]) -> dict[str, Any]:
    out = _without(spec, {"appProtocol": "http"})
    for key, port in (("endpointPickerRef", "port"), ("extensionRef", "portNumber")):
        if isinstance(out.get(key), dict):
            nine = {"number": 9002} if port == "port" else 9002
            out[key] = _without(out[key], {**PICKER, port: nine})
    return out


def _route(spec: dict[str, Any]) -> dict[str, Any]:
    out = dict(spec)
    if isinstance(out.get("parentRefs"), list):
        own = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
        out["parentRefs"] = [_without(ref, own) if isinstance(ref, dict) else ref for ref in out["parentRefs"]]
    if isinstance(out.get("rules"), list):
        out["rules"] = [_rule(rule) if isinstance(rule, dict) else rule for rule in out["rules"]]
    return out


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    out = dict(rule)
    matches = [match(m) for m in rule.get("matches") or [] if isinstance(m, dict)]
    out.pop("matches", None)
    if [m for m in matches if m] or len(matches) > 1:
        out["matches"] = matches
    if isinstance(rule.get("backendRefs"), list):
        core = {"group": "", "kind": "Service", "weight": 1}
        out["backendRefs"] = [_without(ref, core) if isinstance(ref, dict) else ref for ref in rule["backendRefs"]]
    return out


def match(value: Mapping[str, Any]) -> dict[str, Any]:
    """An HTTPRouteMatch without defaults; empty when it matches everything."""
    out = _plain(value)
    if isinstance(out.get("path"), dict):
        out["path"] = _without(out["path"], {"type": "PathPrefix", "value": "/"})
        if not out["path"]:
            del out["path"]
    for key in ("headers", "queryParams"):
        if isinstance(out.get(key), list):
            out[key] = [_without(item, {"type": "Exact"}) if isinstance(item, dict) else item for item in out[key]]
    return out


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Paths of the leaves that differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), below(path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, below(path, i))
    elif old != new:
        yield path
