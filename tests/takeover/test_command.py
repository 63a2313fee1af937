"""`rollout import`: what it says, what it writes, and how it ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.cli import import_live
from inference_rollouts.edit import writing
from inference_rollouts.errors import InputError
from tests.cli.command import Ended, command
from tests.conftest import ROOT
from tests.observe.fake_apiserver import FORBIDDEN, FakeApiServer
from tests.takeover.reading import MANIFESTS, live, rendered_objects, rendered_texts

GKE = ("--cluster", "my-cluster", "--location", "us-central1", "--project", "my-project")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the command needs of the project; the working directory."""
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "page.yaml").write_text((MANIFESTS / "page-node.yaml").read_text("utf-8"), "utf-8")
    (tmp_path / "team.yaml").write_text((MANIFESTS / "upstream-helm.yaml").read_text("utf-8"), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_files_are_written_and_valid(project: Path) -> None:
    ended = command("import", "team.yaml", *GKE, "--stack", "prod")

    assert (ended.code, ended.err) == (0, "")
    assert files(project / "stacks") == ["Pulumi.prod.yaml", "import.prod.json"]
    assert "stacks/import.prod.json and stacks/Pulumi.prod.yaml written" in ended.out
    assert "0 replaced, 0 deleted, 0 pod templates changed" in ended.out
    assert command("validate", "prod").code == 0
    (entry,) = json.loads((project / "stacks" / "import.prod.json").read_text("utf-8"))["resources"]
    assert (entry["id"], entry["logicalName"]) == ("serving/llm-route", "llm")


def test_what_a_draft_lacks_is_in_the_report(project: Path) -> None:
    team = project / "team.yaml"
    team.write_text(team.read_text("utf-8").replace("failureMode: FailOpen", "failureMode: FailClose"), "utf-8")
    ended = command("import", "team.yaml", *GKE, "--stack", "prod")

    assert ended.code == 0
    assert "    it lacks what stands there besides: the endpoint picker's failureMode; add what it needs" in ended.out


def test_a_folder_of_rendered_objects_is_read_and_the_files_go_where_they_are_sent(project: Path) -> None:
    (project / "rendered").mkdir()
    for name, text in rendered_texts("node-update").items():
        (project / "rendered" / name).write_text(text, "utf-8")
    ended = command("import", "rendered", *GKE, "-o", "out")

    assert ended.code == 0
    assert files(project / "out") == ["Pulumi.imported.yaml", "import.imported.json"]
    assert "27 objects imported, 0 that do not exist yet" in ended.out
    assert "--config-file out/Pulumi.imported.yaml" in ended.out


def test_without_a_place_nothing_is_written_and_the_file_is_shown(project: Path) -> None:
    before = files(project)
    ended = command("import", "page.yaml", *GKE)

    assert ended.code == 0
    assert "Nothing is written without --stack or -o" in ended.out
    assert "rollout: { to: llm-new, steps: [1, 10, 25, 50, 100], stage: 10 }" in ended.out
    assert files(project) == before
    numbered = [line for line in ended.out.splitlines() if line[:2] in ("1.", "2.")]
    assert numbered[0].startswith("1. Add --stack NAME to this command")
    assert "rollout validate NAME" in ended.out
    assert "validate imported" not in ended.out
    assert command("import", "page.yaml", *GKE, "--json").document["steps"][0]["say"].startswith("Add --stack NAME")


def test_what_cannot_be_said_is_listed_and_nothing_is_written_but_with_partial(project: Path) -> None:
    text = (project / "team.yaml").read_text("utf-8").replace("weight: 3 }", "weight: 2 }")
    (project / "team.yaml").write_text(text, "utf-8")
    ended = command("import", "team.yaml", *GKE, "--stack", "prod")

    assert ended.code == 1
    assert "team.yaml:2: HTTPRoute serving/llm-route: spec.rules: the weights 2/1 are no whole percent" in ended.out
    assert files(project / "stacks") == []
    ended = command("import", "team.yaml", *GKE, "--stack", "prod", "--partial")
    assert ended.code == 1
    assert files(project / "stacks") == ["Pulumi.prod.yaml", "import.prod.json"]


def test_a_cluster_that_no_manifest_names_is_asked_for(project: Path) -> None:
    ended = command("import", "page.yaml", "--stack", "prod")

    assert ended.code == 1
    assert "give --cluster and --location of a GKE cluster, or --context" in ended.out
    assert files(project / "stacks") == []


def test_json_is_one_document_and_nothing_else(project: Path) -> None:
    ended = command("import", "page.yaml", *GKE, "--json")
    report = ended.document

    assert ended.code == 0
    assert list(report) == [
        *("stack", "whole", "written", "services", "assumed", "left", "cannot", "imported", "created", "firstPreview"),
        *("steps", "stackFile", "importFile"),
    ]
    assert len(report["assumed"]) == 4
    assert report["firstPreview"]["replaces"] == report["firstPreview"]["podTemplates"] == 0
    assert [v["managed"] for v in report["services"][0]["versions"]] == [False, False]
    assert json.loads(report["importFile"])["resources"][0]["id"] == "default/routes-to-llm"


def test_a_stack_file_that_stands_is_not_written_over_without_a_yes(project: Path) -> None:
    path = project / "stacks" / "Pulumi.prod.yaml"
    path.write_text("encryptionsalt: v1:abc\nconfig: {}\n", "utf-8")
    ended = command("import", "page.yaml", *GKE, "--stack", "prod")

    assert ended.code == 1
    assert "-config: {}" in ended.out
    assert "pulumi import" not in ended.out
    assert path.read_text("utf-8") == "encryptionsalt: v1:abc\nconfig: {}\n"
    ended = command("import", "page.yaml", *GKE, "--stack", "prod", "--yes")
    assert ended.code == 0
    assert "encryptionsalt: v1:abc\nconfig:\n" in path.read_text("utf-8")
    again = command("import", "page.yaml", *GKE, "--stack", "prod")
    assert (again.code, "written" in again.out) == (0, False)


def test_a_stack_file_that_is_not_valid_is_not_written_and_that_is_said(project: Path) -> None:
    text = (project / "page.yaml").read_text("utf-8")
    (project / "again.yaml").write_text(text.replace("routes-to-llm", "again"), "utf-8")
    ended = command("import", "page.yaml", "again.yaml", *GKE, "--stack", "prod", "--partial")

    assert (ended.code, files(project / "stacks")) == (1, [])
    assert "asks for the same requests as service" in ended.out
    assert "Nothing is written" in ended.out


def test_lines_of_pulumi_survive_with_all_that_belongs_to_them(project: Path) -> None:
    path = project / "stacks" / "Pulumi.prod.yaml"
    path.write_text("environment:\n  - base\n  - prod\n\nencryptionsalt: v1:abc\nconfig:\n  gcp:project: mine\n", "utf-8")

    assert command("import", "page.yaml", *GKE, "--stack", "prod", "--yes").code == 0
    assert "\nenvironment:\n  - base\n  - prod\n\nencryptionsalt: v1:abc\nconfig:\n" in path.read_text("utf-8")
    assert "mine" not in path.read_text("utf-8")


def test_a_folder_that_takes_no_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        writing.create_file(tmp_path / "none" / "a", b"ours")


def test_a_file_that_comes_up_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("theirs")
    with pytest.raises(InputError, match="a: "):
        writing.create_file(tmp_path / "a", b"ours")

    assert files(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "theirs"


def test_a_write_that_fails_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", fails)
    with pytest.raises(InputError, match="No space left on device"):
        writing.create_file(tmp_path / "a", b"ours")

    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "name files, or say --live"),
        (("a.yaml", "--live"), "name files, or say --live"),
        (("a.yaml", "--cluster", "c"), "--cluster and --location belong together"),
        (("a.yaml", "--cluster", "c", "--location", "here"), "is no region or zone"),
        (("a.yaml", *GKE, "--context", "kind"), "--cluster and --context both name the cluster"),
        (("a.yaml", "--stack", "a/b"), "is no name of a stack"),
    ],
)
def test_wrong_usage_is_exit_code_2(project: Path, arguments: tuple[str, ...], sentence: str) -> None:
    ended = command("import", *arguments)

    assert ended.code == 2
    assert sentence in " ".join(ended.err.replace("│", " ").split())


def test_a_file_that_is_not_there_is_a_sentence(project: Path) -> None:
    ended = command("import", "nothing.yaml", *GKE)

    assert (ended.code, ended.err) == (1, "nothing.yaml: cannot be read: No such file or directory\n")


# --- a live cluster ---------------------------------------------------------------------------------------------------


def collection(version: str, kind: str, namespace: str = "default") -> str:
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = f"{kind.lower()[:-1]}ies" if kind.endswith("Policy") else f"{kind.lower()}s"
    return f"{root}/namespaces/{namespace}/{plural}"


@pytest.fixture
def cluster(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    """An API server with what node-update renders, and a kubeconfig whose contexts lead there."""
    objects = [live(o) for o in rendered_objects("node-update")]
    with FakeApiServer() as fake:
        for version, kind in import_live.KINDS:
            items = [strip(o) for o in objects if (o["apiVersion"], o["kind"]) == (version, kind)]
            fake.answers[collection(version, kind)] = (200, {"kind": f"{kind}List", "apiVersion": version, "items": items})
        config = json.loads(fake.kubeconfig())
        config["contexts"].append({"name": "gke_my-project_us-central1_my-cluster", "context": config["contexts"][0]["context"]})
        (project / "kubeconfig").write_text(json.dumps(config), "utf-8")
        monkeypatch.setenv("KUBECONFIG", str(project / "kubeconfig"))
        # The client has read the variable already.
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(project / "kubeconfig"))
        yield fake


def strip(item: dict[str, Any]) -> dict[str, Any]:
    """Items of a list say neither their kind nor their version."""
    return {key: value for key, value in item.items() if key not in ("apiVersion", "kind")}


def imported(*arguments: str) -> Ended:
    return command("import", "--live", *arguments)


def test_a_live_cluster_is_read_and_its_name_is_the_contexts(cluster: FakeApiServer) -> None:
    ended = imported("--context", "gke_my-project_us-central1_my-cluster", "--stack", "prod")

    assert ended.code == 0, ended.out + ended.err
    assert "27 objects imported, 0 that do not exist yet" in ended.out
    text = Path("stacks/Pulumi.prod.yaml").read_text("utf-8")
    assert "inference-rollouts:cluster: { name: my-cluster, location: us-central1 }" in text
    assert "gcp:project: my-project" in text
    assert not any("secrets" in path for path in cluster.asked)


def test_the_current_context_is_the_default_and_another_cluster_has_no_gke_policies(cluster: FakeApiServer) -> None:
    ended = imported("--json")

    assert ended.document["stackFile"].count("inference-rollouts:cluster: { context: here }") == 1


def test_a_kind_that_the_cluster_does_not_know_is_none_of_its_objects(cluster: FakeApiServer) -> None:
    cluster.answers[collection("llm-d.ai/v1alpha2", "InferenceObjective")] = (404, "404 page not found\n")

    assert imported("--context", "gke_my-project_us-central1_my-cluster").code == 0


def test_a_list_that_may_not_be_read_is_named(cluster: FakeApiServer) -> None:
    cluster.answers[collection("apps/v1", "Deployment")] = FORBIDDEN
    ended = imported("--context", "gke_my-project_us-central1_my-cluster", "--stack", "prod")

    assert ended.code == 1
    assert "Deployment objects in namespace default cannot be read (HTTP 403:" in ended.out
    assert files(Path("stacks")) == []


def test_a_pool_that_the_cluster_does_not_have_is_missing(cluster: FakeApiServer) -> None:
    pools = collection("inference.networking.k8s.io/v1", "InferencePool")
    others = [pool for pool in cluster.answers[pools][1]["items"] if pool["metadata"]["name"] != "llm-new"]
    cluster.answers[pools] = (200, {"items": others})
    ended = imported("--context", "gke_my-project_us-central1_my-cluster")

    assert "InferencePool llm-new is missing: the route names it, and the cluster has none" in ended.out
    assert "InferencePool llm-new is not among what was read" not in ended.out


def test_a_pool_that_may_not_be_read_is_not_called_missing(cluster: FakeApiServer) -> None:
    cluster.answers[collection("inference.networking.k8s.io/v1", "InferencePool")] = FORBIDDEN
    ended = imported("--context", "gke_my-project_us-central1_my-cluster")

    assert "InferencePool llm-new is not among what was read" in ended.out


def test_a_cluster_that_does_not_answer_is_a_sentence(cluster: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.loads(Path("kubeconfig").read_text("utf-8"))
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    Path("kubeconfig").write_text(json.dumps(config), "utf-8")
    ended = imported("--context", "here")

    assert ended.code == 1
    assert ended.err.startswith("here: cannot be read: ")


def test_a_context_that_is_not_there_is_a_sentence(cluster: FakeApiServer) -> None:
    assert imported("--context", "elsewhere").err.startswith("elsewhere: cannot be read: ")
