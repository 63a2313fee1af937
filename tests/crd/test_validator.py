"""The judges of manifests answer what kube-apiserver v1.36 answered; the CRDs are those of the published Go modules."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.crd import check, modules
from tests.crd.check import problems_of, validator_for
from tests.crd.validator import Validator

V1, X_K8S, LLM_D = "inference.networking.k8s.io", "inference.networking.x-k8s.io", "llm-d.ai"
DROP = object()


def resource(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "llm-new", "namespace": "default"},
        "spec": spec,
    }


def changed(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one place under spec set to another value, or dropped."""
    out = copy.deepcopy(manifest)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = out["spec"]
    for part in parents:
        place = place[part]
    if value is DROP:
        del place[last]
    else:
        place[last] = value
    return out


@pytest.fixture
def without_further_crds(monkeypatch: pytest.MonkeyPatch) -> None:
    """CRDs of a cluster would say the same thing once more, in other words."""
    monkeypatch.delenv("CRD_DIR", raising=False)


def pool_ref(name: str, weight: Any, group: str = V1) -> dict[str, Any]:
    return {"group": group, "kind": "InferencePool", "name": name, "weight": weight}


GATEWAY = resource(
    "gateway.networking.k8s.io/v1",
    "Gateway",
    {
        "gatewayClassName": "gke-l7-regional-external-managed",
        "addresses": [{"type": "NamedAddress", "value": "my-regional-ip"}],
        "listeners": [
            {
                "name": "https",
                "protocol": "HTTPS",
                "port": 443,
                "tls": {"mode": "Terminate", "options": {"networking.gke.io/cert-manager-certs": "my-regional-cert"}},
                "allowedRoutes": {"namespaces": {"from": "Same"}},
            }
        ],
    },
)
PARENT = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference-gateway"}
ROUTE = resource(
    "gateway.networking.k8s.io/v1",
    "HTTPRoute",
    {
        "parentRefs": [PARENT],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [pool_ref("llm", 90), pool_ref("llm-new", 10)],
            }
        ],
    },
)
MIGRATION = changed(ROUTE, "rules.0.backendRefs", [pool_ref("llm-alpha", 50, X_K8S), pool_ref("llm-ga", 50)])
POOL = resource(
    f"{V1}/v1",
    "InferencePool",
    {
        "selector": {"matchLabels": {"app": "llm-new"}},
        "targetPorts": [{"number": 8000}],
        "appProtocol": "http",
        "endpointPickerRef": {"name": "llm-new-epp", "port": {"number": 9002}, "failureMode": "FailOpen"},
    },
)
REWRITE = resource(
    f"{X_K8S}/v1alpha2",
    "InferenceModelRewrite",
    {
        "poolRef": {"group": V1, "name": "llm"},
        "rules": [
            {
                "matches": [{"model": {"type": "Exact", "value": "food-review"}}],
                "targets": [
                    {"modelRewrite": "food-review-v1", "weight": 90},
                    {"modelRewrite": "food-review-v2", "weight": 10},
                ],
            }
        ],
    },
)
ALIAS = changed(REWRITE, "rules.0.targets", [{"modelRewrite": "meta-llama/Llama-3.3-70B-Instruct"}])
OBJECTIVE = resource(f"{X_K8S}/v1alpha2", "InferenceObjective", {"priority": 10, "poolRef": {"group": V1, "name": "llm"}})
OLD_POOL = resource(
    f"{X_K8S}/v1alpha2",
    "InferencePool",
    {"targetPortNumber": 8000, "selector": {"app": "llm"}, "extensionRef": {"name": "llm-epp"}},
)
MODEL = resource(
    f"{X_K8S}/v1alpha2",
    "InferenceModel",
    {
        "modelName": "llm",
        "criticality": "Critical",
        "poolRef": {"name": "llm-pool"},
        "targetModels": [{"name": "llm-v1", "weight": 90}, {"name": "llm-v2", "weight": 10}],
    },
)
TARGET = {"group": V1, "kind": "InferencePool", "name": "llm-new"}
BACKEND = resource(
    "networking.gke.io/v1",
    "GCPBackendPolicy",
    {
        "targetRef": TARGET,
        "default": {
            "timeoutSec": 300,
            "connectionDraining": {"drainingTimeoutSec": 60},
            "logging": {"enabled": True, "sampleRate": 1000000},
        },
    },
)
HEALTH = resource(
    "networking.gke.io/v1",
    "HealthCheckPolicy",
    {
        "targetRef": TARGET,
        "default": {
            "timeoutSec": 2,
            "checkIntervalSec": 2,
            "logConfig": {"enabled": True},
            "config": {
                "type": "HTTP",
                "httpHealthCheck": {"portSpecification": "USE_FIXED_PORT", "port": 8000, "requestPath": "/health"},
            },
        },
    },
)
SECRET = {"secret": {"name": "llm-new-metrics-reader-secret", "key": "token"}}
METRICS = resource(
    "monitoring.googleapis.com/v1",
    "PodMonitoring",
    {
        "selector": {"matchLabels": {"inferencepool": "llm-new-epp"}},
        "endpoints": [
            {
                "port": "metrics",
                "scheme": "http",
                "interval": "10s",
                "path": "/metrics",
                "authorization": {"type": "Bearer", "credentials": SECRET},
            }
        ],
    },
)
PAGE_ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "routes-to-llm"},
    "spec": {
        "parentRefs": [{"name": "my-inference-gateway"}],
        "rules": {"backendRefs": [{"name": "llm", "kind": "InferencePool", "weight": 90}]},
    },
}
PAGE_MODEL = {
    "apiVersion": f"{X_K8S}/v1alpha2",
    "kind": "InferenceModel",
    "metadata": {"name": "inferencemodel-sample"},
    "spec": {
        "versions": [
            {"modelName": "llm-v1", "criticality": "Critical", "weight": 90, "poolRef": {"name": "llm-pool"}},
            {"modelName": "llm-v2", "criticality": "Critical", "weight": 10, "poolRef": {"name": "llm-pool"}},
        ]
    },
}
REDIRECT = {"type": "RequestRedirect", "requestRedirect": {"statusCode": 301}}
REF = "spec.rules[0].backendRefs[0]"


@pytest.mark.parametrize(
    "manifest",
    [GATEWAY, ROUTE, MIGRATION, POOL, REWRITE, ALIAS, OBJECTIVE, OLD_POOL, MODEL, BACKEND, HEALTH, METRICS],
    ids=lambda manifest: manifest["kind"],
)
def test_the_manifests_of_a_rollout_are_accepted(manifest: dict[str, Any]) -> None:
    assert problems_of(manifest) == []


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (changed(ROUTE, "rules.0.backendRefs.0.weight", 1000001), f"{REF}.weight: {{}}less than or equal to 1000000"),
        (changed(ROUTE, "rules.0.backendRefs.0.weight", -1), f"{REF}.weight: {{}}greater than or equal to 0"),
        (changed(ROUTE, "rules.0.backendRefs.0.weight", "90"), f'{REF}.weight: {{}}must be of type integer: "string"'),
        (changed(ROUTE, "rules.0.backendRefs.0", {"name": "svc"}), f"{REF}: {{}}Must have port for Service reference"),
        (changed(ROUTE, "rules.0.backendRefs.0.weigth", 1), f'{REF}.weigth: unknown field "{REF}.weigth"'),
        (changed(ROUTE, "rules.0.filters", [REDIRECT]), "spec.rules[0]: {}filter must not be used together with back"),
        (changed(ROUTE, "rules", ROUTE["spec"]["rules"] * 17), "spec.rules: Too many: 17: must have at most 16 items"),
        (changed(ROUTE, "parentRefs", [PARENT, PARENT]), "spec.parentRefs: {}sectionName must be unique when parentR"),
        (changed(GATEWAY, "addresses.0", {"type": "IPAddress", "value": "one"}), "spec.addresses[0]: {}oneOf"),
        (changed(POOL, "targetPorts", DROP), "spec.targetPorts: Required value"),
        (changed(POOL, "selector", DROP), "spec.selector: Required value"),
        (changed(POOL, "endpointPickerRef", DROP), "spec.endpointPickerRef: Required value"),
        (changed(POOL, "endpointPickerRef.port", DROP), "spec.endpointPickerRef: {}port is required when kind is 'Se"),
        (changed(POOL, "targetPorts", [{"number": 1}] * 2), "spec.targetPorts: {}port number must be unique"),
        (changed(MODEL, "targetModels.0.weight", DROP), "spec.targetModels: {}Weights should be set for all models, "),
        (changed(REWRITE, "rules.0.targets.0.weight", 0), "spec.rules[0].targets[0].weight: {}equal to 1"),
        (changed(REWRITE, "rules.0.targets", []), "spec.rules[0].targets: {}should have at least 1 items"),
        (changed(REWRITE, "rules.0.split", []), 'spec.rules[0].split: unknown field "spec.rules[0].split"'),
    ],
)
@pytest.mark.usefixtures("without_further_crds")
def test_what_the_api_server_rejects_is_rejected_for_its_reason(manifest: dict[str, Any], said: str) -> None:
    (problem,) = problems_of(manifest) or [""]

    start, _, reason = said.partition("{}")
    assert problem.startswith(start)
    assert reason in problem


@pytest.mark.parametrize(
    "manifest",
    [
        changed(ROUTE, "rules.0.backendRefs", [pool_ref("llm", 0), pool_ref("llm-new", 0)]),
        changed(ROUTE, "rules.0.backendRefs.0.group", DROP),
        changed(ROUTE, "parentRefs", [PARENT, PARENT | {"namespace": "other"}]),
        changed(REWRITE, "rules.0.targets.0.weight", DROP),
        changed(REWRITE, "rules.0.targets", DROP),
    ],
    ids=["all weights 0", "pool in the core group", "two parents", "mixed weights", "no targets"],
)
def test_what_the_schemas_let_pass_needs_checks_elsewhere(manifest: dict[str, Any]) -> None:
    assert problems_of(manifest) == []


def test_the_two_manifests_of_the_original_page_fail_for_the_known_reasons() -> None:
    assert problems_of(PAGE_ROUTE) == ['spec.rules: Invalid value: "object": must be of type array: "object"']
    assert problems_of(PAGE_MODEL) == [
        'spec.versions: unknown field "spec.versions"',
        "spec.modelName: Required value",
        "spec.poolRef: Required value",
    ]


def test_a_model_name_cannot_change_but_any_can_be_created() -> None:
    renamed = changed(MODEL, "modelName", "other")
    validator = validator_for(MODEL["apiVersion"], "InferenceModel")

    assert validator is not None
    assert validator.problems(renamed) == []
    assert validator.problems(renamed, old=MODEL) == ["spec.modelName: Invalid value: modelName is immutable"]
    assert validator.problems(changed(MODEL, "criticality", "Standard"), old=MODEL) == []


def test_objects_of_llm_d_are_judged_like_those_they_descend_from() -> None:
    for manifest in (REWRITE, OBJECTIVE):
        assert problems_of(manifest | {"apiVersion": f"{LLM_D}/v1alpha2"}) == []
    bad = changed(REWRITE, "rules.0.targets.0.weight", 0) | {"apiVersion": f"{LLM_D}/v1alpha2"}
    assert problems_of(bad) != []


def test_a_kind_in_the_wrong_group_matches_nothing_and_a_core_kind_is_not_judged() -> None:
    assert problems_of(REWRITE | {"apiVersion": f"{V1}/v1"}) == [
        f'kind: no matches for kind "InferenceModelRewrite" in version "{V1}/v1"'
    ]
    assert problems_of({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "llm"}}) is None


CHECK = "default.config.httpHealthCheck"


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (changed(HEALTH, "default.timeoutSec", DROP), "spec.default.timeoutSec: Required value"),
        (changed(HEALTH, "default.timeoutSec", 3), "spec.default: {}timeoutSec cannot exceed checkIntervalSec"),
        (
            changed(HEALTH, "default.checkIntervalSec", 301),
            "spec.default.checkIntervalSec: {}less than or equal to 300",
        ),
        (changed(HEALTH, "default.config.type", "GRPC"), "spec.default.config: {}type GRPC goes with grpcHealthCheck"),
        (changed(HEALTH, "default.config.type", "UDP"), "spec.default.config.type: Unsupported value: {}"),
        (changed(HEALTH, "default.config.httpHealthCheck", DROP), "spec.default.config: {}at least 2 properties"),
        (changed(HEALTH, f"{CHECK}.portSpecification", DROP), f"spec.{CHECK}.portSpecification: Required value"),
        (
            changed(HEALTH, f"{CHECK}.portSpecification", "USE_SERVING_PORT"),
            f"spec.{CHECK}.portSpecification: Unsup{{}}",
        ),
        (changed(HEALTH, f"{CHECK}.port", DROP), f"spec.{CHECK}.port: Required value"),
        (changed(HEALTH, f"{CHECK}.requestPath", "health"), f"spec.{CHECK}.requestPath: {{}}should match"),
        (changed(HEALTH, "targetRef.name", DROP), "spec.targetRef.name: Required value"),
        (changed(HEALTH, "targetRef.group", ""), "spec.targetRef: {}an InferencePool is of group"),
        (changed(HEALTH, "default.interval", 2), "spec.default.interval: unknown field"),
        (changed(BACKEND, "default.timeoutSec", 0), "spec.default.timeoutSec: {}greater than or equal to 1"),
        (
            changed(BACKEND, "default.connectionDraining.drainingTimeoutSec", 3601),
            "spec.default.connectionDraining.drainingTimeoutSec: {}less than or equal to 3600",
        ),
        (changed(BACKEND, "default.sessionAffinity", {}), "spec: {}sessionAffinity cannot be configured for Inference"),
        (changed(METRICS, "endpoints", []), "spec.endpoints: {}at least 1 items"),
        (changed(METRICS, "endpoints.0.port", DROP), "spec.endpoints[0].port: Required value"),
        (changed(METRICS, "endpoints.0.interval", "10"), "spec.endpoints[0].interval: {}should match"),
        (changed(METRICS, "endpoints.0.timeout", "1m"), "spec.endpoints[0]: {}timeout cannot exceed interval"),
        (changed(METRICS, "selector", {}), "spec.selector.matchLabels: Required value"),
    ],
)
@pytest.mark.usefixtures("without_further_crds")
def test_what_gke_would_reject_or_misread_is_named(manifest: dict[str, Any], said: str) -> None:
    (problem,) = problems_of(manifest) or [""]

    start, _, reason = said.partition("{}")
    assert problem.startswith(start)
    assert reason in problem


# --- the validator itself, on a small CRD

ITEM = {"type": "object", "properties": {"kind": {"type": "string", "default": "Pod"}, "name": {"type": "string"}}}
SMALL = {
    "type": "object",
    "properties": {
        "size": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "note": {"type": "string", "nullable": True},
        "plain": {"type": "string"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 3}},
        "code": {"type": "string", "pattern": "^[a-z$]+$"},
        "count": {"type": "integer", "format": "int32"},
        "zones": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "items": {
            "type": "array",
            "items": ITEM,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["kind", "name"],
        },
        "mode": {"type": "string", "default": "safe"},
    },
}


def judged(spec: dict[str, Any], *rules: dict[str, str], old: dict[str, Any] | None = None) -> list[str]:
    schema = {"type": "object", "properties": {"spec": SMALL | {"x-kubernetes-validations": list(rules)}}}
    version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}
    crd = {"spec": {"group": "a.test", "names": {"kind": "A"}, "versions": [version]}}
    before = None if old is None else resource("a.test/v1", "A", old)
    return Validator(crd).problems(resource("a.test/v1", "A", spec), before)


@pytest.mark.parametrize(
    "spec",
    [
        {"size": 3},
        {"size": "3"},
        {"note": None},
        {"plain": None},
        {"free": {"any": [{"thing": 1}]}},
        {"labels": {"any": "abc"}},
        {"code": "a$"},
        {"count": 90.0},
        {"zones": ["a", "b"]},
        {"items": [{"name": "a"}, {"name": "a", "kind": "Job"}]},
    ],
    ids=str,
)
def test_the_shapes_kubernetes_allows_are_accepted(spec: dict[str, Any]) -> None:
    assert judged(spec) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"size": 1.5}, 'spec.size: Invalid value: 1.5: must be of type integer/string: "number"'),
        ({"size": True}, 'spec.size: Invalid value: true: must be of type integer/string: "boolean"'),
        ({"labels": {"any": "abcd"}}, "spec.labels.any: Too long: may not be more than 3 bytes"),
        ({"code": "a\n"}, "spec.code: Invalid value: \"a\\n\": should match '^[a-z$]+$'"),
        ({"count": 2**31}, "spec.count: Invalid value: 2147483648: should be less than or equal to 2147483647"),
        ({"zones": ["a", "b", "a"]}, 'spec.zones[2]: Duplicate value: "a"'),
        (
            {"items": [{"name": "a"}, {"name": "a", "kind": "Pod"}]},
            'spec.items[1]: Duplicate value: {"kind": "Pod", "name": "a"}',
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_shapes_kubernetes_refuses_are_refused(spec: dict[str, Any], said: str) -> None:
    assert said in judged(spec)


def test_rules_see_defaults_and_wait_until_the_schema_passes() -> None:
    rule = {"rule": "self.mode != 'safe' || has(self.note)", "message": "a note is needed"}

    assert judged({}, rule) == ["spec: Invalid value: a note is needed"]
    assert judged({"mode": "fast"}, rule) == []
    assert judged({"count": "1"}, rule) == ['spec.count: Invalid value: "1": must be of type integer: "string"']


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("isIP('10.0.0.1') && isIP('::1') && !isIP('10.0.0') && !isIP('fe80::1%eth0')", True),
        ("self.plain.split('/')[0] == 'a' && self.plain.substring(2) == 'b'", True),
        ("self.plain.lowerAscii() == 'A/B'", False),
        ("self.absent == 1", False),
    ],
)
def test_rules_may_use_the_functions_of_kubernetes(rule: str, holds: bool) -> None:
    assert (judged({"plain": "a/b"}, {"rule": rule}) == []) is holds


def test_a_function_that_is_missing_here_is_an_error_and_no_verdict() -> None:
    with pytest.raises(NotImplementedError, match="cidr"):
        judged({}, {"rule": "cidr('10.0.0.0/8').prefixLength() == 8"})


def test_a_transition_rule_is_asked_on_update_only() -> None:
    rule = {"rule": "self.plain == oldSelf.plain", "messageExpression": "'was ' + oldSelf.plain"}

    assert judged({"plain": "b"}, rule) == []
    assert judged({"plain": "b"}, rule, old={"plain": "a"}) == ["spec: Invalid value: was a"]


def test_names_and_labels_are_judged_as_for_every_object() -> None:
    long = copy.deepcopy(POOL)
    long["metadata"] = {"name": "Llm_New", "labels": {"app": "x" * 64}, "owner": "me"}

    assert [problem.split(":")[0] for problem in problems_of(long) or []] == [
        "metadata.owner",
        "metadata.name",
        "metadata.labels",
    ]
    assert problems_of(POOL | {"metadata": {}}) == ["metadata.name: Required value: name or generateName is required"]


# --- where the CRDs come from


def test_further_crds_in_a_folder_are_asked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "required": ["here"]}}}
    version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}
    crd = {
        "kind": "CustomResourceDefinition",
        "spec": {"group": "networking.gke.io", "names": {"kind": "HealthCheckPolicy"}, "versions": [version]},
    }
    (tmp_path / "policy.yaml").write_text(json.dumps(crd), encoding="utf-8")
    monkeypatch.setenv("CRD_DIR", str(tmp_path))

    assert "spec.here: Required value" in (problems_of(HEALTH) or [])


def test_without_go_the_reason_is_said(tmp_path: Path) -> None:
    absent = str(tmp_path / "go")

    assert modules.download(None)[1] == "the CRDs come from Go modules, and there is no `go` on the PATH"
    assert modules.download(absent)[1] == f"`{absent}` does not start: No such file or directory"


def test_a_failed_download_names_the_module_and_the_cause(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\necho \'{"Path": "a.test/b", "Version": "v1", "Error": "a.test/b@v1: no route to host"}\'\nexit 1\n')
    go.chmod(0o755)

    folders, reason = modules.download(str(go))

    assert folders == {}
    assert reason == "the Go modules with the CRDs cannot be downloaded: a.test/b@v1: no route to host"


def test_where_the_crds_cannot_be_had_a_test_that_needs_them_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check.modules, "why_not", lambda: "no Go here")

    with pytest.raises(pytest.skip.Exception, match="no Go here"):
        problems_of(POOL)
    assert problems_of(HEALTH) == [], "GKE's rules need no CRDs"
