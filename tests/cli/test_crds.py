"""What `rollout crds` prints, and which files it takes to check against."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from inference_rollouts.cli.crds import plain, read_documents, render
from inference_rollouts.crds import needs
from inference_rollouts.errors import InputError

NEEDS = needs("v1", gke=True, adapters=True, criticality=False, creates_gateway=False)
CRD = {"kind": "CustomResourceDefinition", "metadata": {"name": "a"}}
HOW = "Make it with: kubectl get crds -o json > FILE"


def printed(*, terminal: bool) -> str:
    out = io.StringIO()
    render(NEEDS, Console(file=out, force_terminal=terminal, width=80, color_system=None, legacy_windows=False))
    return out.getvalue()


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_documents(path)
    (problem,) = caught.value.problems
    return str(problem).replace(str(path), "FILE", 1)


def saved(folder: Path, content: str | bytes) -> Path:
    file = folder / "crds.txt"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_the_names_stand_one_a_line_for_kubectl() -> None:
    assert plain(NEEDS).splitlines() == [
        "httproutes.gateway.networking.k8s.io",
        "inferencepools.inference.networking.k8s.io",
        "inferencemodelrewrites.inference.networking.x-k8s.io",
        "healthcheckpolicies.networking.gke.io",
        "gcpbackendpolicies.networking.gke.io",
        "podmonitorings.monitoring.googleapis.com",
    ]


def test_a_terminal_shows_a_table_with_kind_reason_and_installer() -> None:
    text = printed(terminal=True)

    assert "inference.networking.x-k8s.io/v1alpha2" in text
    assert "installed by GKE, on a cluster" in text
    assert max(map(len, text.splitlines())) <= 80


def test_piped_output_is_one_unbroken_line_per_crd_with_four_fields() -> None:
    lines = printed(terminal=False).splitlines()

    assert [line.split("\t") for line in lines] == [[n.name, n.version, n.because, n.installed_by] for n in NEEDS]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(CRD),
        json.dumps(CRD).encode("utf-16"),
        f"---\n{json.dumps(CRD)}\n---\n",
        "kind: CustomResourceDefinition\nmetadata: {name: a}\n",
        "{kind: CustomResourceDefinition, metadata: {name: a}}",
    ],
)
def test_json_and_yaml_are_read_alike(tmp_path: Path, content: str | bytes) -> None:
    assert read_documents(saved(tmp_path, content)) == [CRD]


def test_several_documents_and_lists_are_read_in_order(tmp_path: Path) -> None:
    empty = {"kind": "List", "items": []}

    assert read_documents(saved(tmp_path, json.dumps(empty))) == [empty]
    assert read_documents(saved(tmp_path, f"{json.dumps(CRD)}\n---\n{json.dumps(empty)}")) == [CRD, empty]


def test_values_that_trip_yaml_readers_stay_text(tmp_path: Path) -> None:
    file = saved(tmp_path, "kind: CustomResourceDefinition\nenum: [=, 2025-13-45, !!str 1]\n")

    assert read_documents(file) == [{"kind": "CustomResourceDefinition", "enum": ["=", "2025-13-45", "1"]}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", f"FILE: is empty (kubectl did not reach the cluster, or found none of the CRDs). {HOW}"),
        (" \n", f"FILE: is empty (kubectl did not reach the cluster, or found none of the CRDs). {HOW}"),
        ('{"kind": "List",', "FILE: is neither JSON nor YAML: Expecting property name"),
        ("kind: [\n", "FILE:2: is neither JSON nor YAML: did not find expected node content"),
        ("a: b: c\n", "FILE:1: is neither JSON nor YAML: mapping values are not allowed in this context"),
        (b"\xff\xfe\x00", "FILE: is neither JSON nor YAML: "),
        (b"kind: \x00", "FILE: is neither JSON nor YAML: "),
        (b"\x89PNG\r\n\x1a\n", "FILE: is neither JSON nor YAML: "),
        ('{"a": ' + "[" * 100_000, "FILE: is neither JSON nor YAML: "),
        ("a: !!python/object:os.system {}", "FILE:1: is neither JSON nor YAML: could not determine a constructor"),
        ("a: " + "9" * 5000, "FILE: is neither JSON nor YAML: Exceeds the limit"),
        ("? [a]\n: b\n", "FILE:1: is neither JSON nor YAML: found unhashable key"),
        ("NAME   CREATED AT\na.b   2025-08-01T12:00:00Z\n", "FILE: document 1 is text, not a CustomResourceDefinition"),
        ("- 1\n", f"FILE: document 1 is a list, not a CustomResourceDefinition. {HOW}"),
        ('{"kind": "PodList", "items": []}', f"FILE: holds no CustomResourceDefinition. {HOW}"),
        ("---\n---\n", f"FILE: holds no CustomResourceDefinition. {HOW}"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert refusal(saved(tmp_path, content)).startswith(said)


def test_a_file_that_is_not_there_or_no_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent") == f"FILE: cannot be read: No such file or directory. {HOW}"
    assert refusal(tmp_path) == f"FILE: cannot be read: Is a directory. {HOW}"


def test_as_json_what_is_needed_and_what_of_it_is_missing(tmp_path, monkeypatch):
    from tests.cli.command import command
    from tests.conftest import ROOT

    monkeypatch.chdir(ROOT)
    assert command("crds", "node-update", "--json").document["missing"] is None
    (tmp_path / "crds.json").write_text('{"kind": "List", "items": []}')
    ended = command("crds", "node-update", "--check", str(tmp_path / "crds.json"), "--json")

    assert ended.code == 3
    assert len(ended.document["missing"]) == len(ended.document["needed"]) == 5
