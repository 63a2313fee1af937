"""Any bytes become objects and findings; what kubectl prints is read."""

from __future__ import annotations

import doctest
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_rollouts.takeover import documents, kinds

ONE = "apiVersion: v1\nkind: Service\nmetadata: { name: a }\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def read(text: str | bytes, namespace: str = "default") -> tuple[list[str], list[str]]:
    data = text.encode() if isinstance(text, str) else text
    objects, findings = documents.read(data, "f.yaml", namespace)
    return [f"{o.title}:{o.line}" for o in objects], [str(f) for f in findings]


def test_several_documents_lists_and_json_are_read() -> None:
    items = [{"metadata": {"name": "x"}}, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "y"}}]
    listed = json.dumps({"apiVersion": "v1", "kind": "ServiceList", "items": items})

    assert read(f"{ONE}---\n# nothing\n---\n{ONE.replace('a }', 'b }')}") == (["Service default/a:1", "Service default/b:7"], [])
    assert read(listed)[0] == ["Service default/x:1", "ConfigMap default/y:1"]
    assert read(f"kind: List\napiVersion: v1\nitems:\n- {ONE.strip().replace(chr(10), chr(10) + '  ')}\n", "ns")[0] == [
        "Service ns/a:4"
    ]


def test_what_the_api_server_adds_is_left_out() -> None:
    text = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
  creationTimestamp: 2026-01-05T12:00:00Z
  uid: x
  managedFields: [{ manager: kubectl }]
  annotations: { deployment.kubernetes.io/revision: "1", kubectl.kubernetes.io/last-applied-configuration: "{}" }
status: { replicas: 1 }
"""
    (found,), _ = documents.read(text.encode(), "f", "default")

    assert found.manifest == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "default"}}
    assert found.managers == {"kubectl"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"\xff\xfe", "is no text in UTF-8"),
        ("a: [", "is no YAML"),
        ("a: b: c", "f.yaml:1: is no YAML"),
        ("text", "holds something that is no Kubernetes object"),
        ("1: 2", "holds something that is no Kubernetes object"),
        ("kind: X", "holds an object without apiVersion and metadata.name"),
        ("kind: X\napiVersion: v1\nmetadata: { name: 1 }", "holds an object without metadata.name"),
        ("a: &a [*a]", "is nested more than 100 deep, or contains itself"),
        ("[" * 5000, "is no YAML"),
        (LAUGHS, "unfolds to more than"),
        ("a: !!python/object:os.system x", "is no YAML"),
    ],
)
def test_what_cannot_be_read_is_a_finding(text: str | bytes, sentence: str) -> None:
    objects, findings = read(text)

    assert objects == []
    assert len(findings) == 1
    assert sentence in findings[0]


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_taken(data: bytes) -> None:
    documents.read(data, "f", "default")


@pytest.mark.parametrize(
    ("version", "kind", "near"),
    [
        ("gateway.networking.k8s.io/v1", "HTTPRout", "HTTPRoute"),
        ("gateway.networking.k8s.io/v1", "HttpRoute", "HTTPRoute"),
        ("inference.networking.k8s.io/v1", "InferencePol", "InferencePool"),
        ("apps/v1", "Deploymnt", "Deployment"),
    ],
)
def test_a_misspelt_kind_is_named_with_the_right_word(version: str, kind: str, near: str) -> None:
    found, findings = read(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{ name: a }}\n")

    group = version.rpartition("/")[0]
    said = f"f.yaml:1: {kind} default/a: {kind} is no kind of {group}, and the object is not read; did you mean {near}?"
    assert (found, findings) == ([], [said])


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        *kinds.KINDS,
        ("gateway.networking.k8s.io/v1", "GRPCRoute"),
        ("gateway.networking.k8s.io/v1alpha2", "TCPRoute"),
        ("inference.networking.x-k8s.io/v1alpha1", "InferencePoolImport"),
        ("apps/v1", "ReplicaSet"),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        ("networking.gke.io/v1", "GCPGatewayPolicy"),
        ("monitoring.googleapis.com/v1", "ClusterPodMonitoring"),
        ("monitoring.coreos.com/v1", "PodMonitor"),
        ("v1", "Secret"),
    ],
)
def test_other_kinds_are_no_spelling_mistakes(version: str, kind: str) -> None:
    assert read(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{ name: a }}\n")[1] == []


def test_the_examples_of_near_kinds_are_true() -> None:
    assert doctest.testmod(kinds).failed == 0


def test_the_parser_in_python_ends_in_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at the characters as soon as it is made."""
    monkeypatch.setattr(documents, "_Loader", yaml.SafeLoader)
    found, (finding,) = read("a: b\x00\n")

    assert (found, "is no YAML" in finding) == ([], True)
