"""The rules of GKE's own kinds that this project writes: HealthCheckPolicy, GCPBackendPolicy, PodMonitoring.

Their CRDs are in no Go module that can be relied on, so the rules are written out here as small CRDs of the same form,
from the open-source ones of GoogleCloudPlatform/gke-gateway-api (fc40d60) and those dumped from clusters in
datreeio/CRDs-catalog (7b1e26e). Where the two differ, the stricter one: either may be in a cluster. Fields that this
project never writes are left out and so count as unknown. Asked for beyond the schemas: a fixed port, both times of a
health check (their defaults fit only together), labels to select pods by, a target that GKE knows. `Sec` is seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_ANY: Schema = {"x-kubernetes-preserve-unknown-fields": True}
_BOOL: Schema = {"type": "boolean"}
_DURATION = r"^((([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?|0)$"


def _object(required: str = "", rules: Mapping[str, str] | None = None, **properties: Schema) -> Schema:
    """An object with these fields and no others; `rules` are CEL expressions and what to say when one does not hold."""
    said = [{"rule": rule, "message": message} for rule, message in (rules or {}).items()]
    out: Schema = {"type": "object", "properties": properties, "x-kubernetes-validations": said}
    return out | ({"required": required.split()} if required else {})


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _text(pattern: str = "", longest: int = 2048) -> Schema:
    return {"type": "string", "maxLength": longest} | ({"pattern": pattern} if pattern else {})


def _words(text: str) -> Schema:
    return {"type": "string", "enum": text.split()}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _crd(api_version: str, kind: str, spec: Schema) -> dict[str, Any]:
    group, name = api_version.split("/")
    version = {"name": name, "served": True, "schema": {"openAPIV3Schema": _object("spec", spec=spec)}}
    return {"spec": {"group": group, "names": {"kind": kind}, "versions": [version]}}


_TARGET = _object(
    "group kind name",
    {
        "self.kind != 'InferencePool' || self.group.matches('^inference[.]networking[.](x-)?k8s[.]io$')": (
            "an InferencePool is of group inference.networking.k8s.io or inference.networking.x-k8s.io"
        ),
        "self.kind != 'Service' || self.group == ''": "a Service is of group ''",
    },
    group=_text(longest=253),
    kind=_words("InferencePool Service"),
    name=_text("^.", 253),
)

_CHECKS = {"TCP": "tcp", "HTTP": "http", "HTTPS": "https", "HTTP2": "http2", "GRPC": "grpc"}


def _check(**own: Schema) -> Schema:
    # Without portSpecification the open-source CRD refuses a port and the one in clusters takes it.
    return _object("portSpecification port", portSpecification=_words("USE_FIXED_PORT"), port=_whole(1, 65535), **own)


def _http_check() -> Schema:
    path = r"^\/[A-Za-z0-9\/\-._~%!?$&'()*+,;=:]*$"
    host = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
    return _check(requestPath=_text(path), host=_text(host), response=_text(longest=1024))


def _check_config() -> Schema:
    out = _object(
        "type",
        {
            f"self.type != '{kind}' || has(self.{name}HealthCheck)": f"type {kind} goes with {name}HealthCheck"
            for kind, name in _CHECKS.items()
        },
        type=_words(" ".join(_CHECKS)),
        tcpHealthCheck=_check(request=_text(longest=1024), response=_text(longest=1024)),
        httpHealthCheck=_http_check(),
        httpsHealthCheck=_http_check(),
        http2HealthCheck=_http_check(),
        grpcHealthCheck=_check(grpcServiceName=_text(longest=1024)),
    )
    return out | {"minProperties": 2, "maxProperties": 2}


_HEALTH_CHECK_POLICY = _object(
    "targetRef default",
    targetRef=_TARGET,
    default=_object(
        "checkIntervalSec timeoutSec config",
        {"self.timeoutSec <= self.checkIntervalSec": "timeoutSec cannot exceed checkIntervalSec"},
        checkIntervalSec=_whole(1, 300),
        timeoutSec=_whole(1, 300),
        healthyThreshold=_whole(1, 10),
        unhealthyThreshold=_whole(1, 10),
        logConfig=_object(enabled=_BOOL),
        config=_check_config(),
    ),
)

_GCP_BACKEND_POLICY = _object(
    "targetRef",
    {
        f"self.targetRef.kind != 'InferencePool' || !has(self.default) || !has(self.default.{field})": (
            f"{field} cannot be configured for InferencePool targets"
        )
        for field in ("sessionAffinity", "scopes")
    },
    targetRef=_TARGET,
    default=_object(
        timeoutSec=_whole(1, 2**31 - 1),
        connectionDraining=_object(drainingTimeoutSec=_whole(0, 3600)),
        logging=_object(enabled=_BOOL, sampleRate=_whole(0, 1_000_000)),
        maxRatePerEndpoint=_whole(1, 10**9),
        backendPreference=_words("DEFAULT PREFERRED"),
        securityPolicy=_text(),
        sessionAffinity=_ANY,
        scopes=_ANY,
    ),
)

_SECRET = _object("name key", name=_text(), key=_text())
_AUTHORIZATION = _object(type=_text(), credentials=_object(secret=_SECRET))
_RELABELING = _object(
    sourceLabels=_list(_text()),
    separator=_text(),
    targetLabel=_text(),
    regex=_text(),
    replacement=_text(),
    action=_text(),
)

_ENDPOINT = _object(
    "port",
    {
        "!has(self.timeout) || [self.timeout, self.interval].exists(d, d.matches('[dwy]')) "
        "|| duration(self.timeout) <= duration(self.interval)": "timeout cannot exceed interval"
    },
    port={"x-kubernetes-int-or-string": True},
    path=_text(),
    scheme=_words("http https"),
    interval=_text(_DURATION) | {"default": "1m"},
    timeout=_text(_DURATION),
    authorization=_AUTHORIZATION,
    metricRelabeling=_list(_RELABELING),
)

_POD_MONITORING = _object(
    "selector endpoints",
    selector=_object(
        "matchLabels", matchLabels={"type": "object", "additionalProperties": _text(longest=63), "minProperties": 1}
    ),
    endpoints=_list(_ENDPOINT) | {"minItems": 1},
    targetLabels=_object(metadata=_list(_text()), fromPod=_list(_object("from", **{"from": _text(), "to": _text()}))),
)

CRDS = (
    _crd("networking.gke.io/v1", "HealthCheckPolicy", _HEALTH_CHECK_POLICY),
    _crd("networking.gke.io/v1", "GCPBackendPolicy", _GCP_BACKEND_POLICY),
    _crd("monitoring.googleapis.com/v1", "PodMonitoring", _POD_MONITORING),
)
