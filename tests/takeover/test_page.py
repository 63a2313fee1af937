"""The page's own manifests, with their four mistakes: each is named, with what was assumed; and the file is valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_rollouts.cli.project import plan_of
from inference_rollouts.takeover import text
from tests.program.golden import FOLDER, check
from tests.takeover.reading import sentences, service, taken, taken_files, written

GROUP = (
    "is missing, so {pool} means a kind InferencePool of the core API, which there is not, and its share of the requests gets "
    "500; read as group inference.networking.k8s.io: the first update mends the route"
)


def test_each_mistake_of_the_node_rollout_is_named_with_what_was_assumed(tmp_path: Path) -> None:
    found = taken_files("page-node")
    route = "page-node.yaml:2: HTTPRoute default/routes-to-llm: spec.rules"

    assert sentences(found, "assumed") == [
        "page-node.yaml:3: kind: the value stands in backticks, which is no YAML; read as HTTPRoute",
        f"{route}: is a map, and the API takes a list of rules, so no cluster accepts it; read as a list of this one rule",
        f"{route}[0].backendRefs[0].group: {GROUP.format(pool='llm')}",
        f"{route}[0].backendRefs[1].group: {GROUP.format(pool='llm-new')}",
    ]
    assert found.whole
    assert service(found)["rollout"] == {"to": "llm-new", "steps": [1, 10, 25, 50, 100], "stage": 10}
    plan_of(written(found, tmp_path))


@pytest.mark.parametrize(("page", "serving"), [("page-node", "llm"), ("page-base-model", "llm-pool")])
def test_the_stack_file_of_the_page_is_as_it_was_looked_at(page: str, serving: str) -> None:
    found = taken_files(page)

    assert service(found)["serving"] == serving
    check(FOLDER / "takeover" / f"{page}.yaml", text.stack_text(found.config, found.comments, ["the page"]), "read the diff")


def test_the_adapter_sample_is_read_as_one_name_with_two_targets_and_cannot_be_said_without_servers() -> None:
    found = taken_files("page-base-model", "page-lora")
    (assumed,) = [s for s in sentences(found, "assumed") if "InferenceModel" in s]
    (cannot,) = sentences(found, "cannot")

    assert "spec.versions: is a field that no InferenceModel has" in assumed
    assert "the targets llm-v1 and llm-v2" in assumed
    assert assumed.endswith("the name that clients send is not there: llm is assumed")
    assert "llm is spread over adapters on pool llm-pool, which stays somebody else's" in cannot
    assert not found.whole


def test_the_adapter_sample_alone_has_no_service() -> None:
    found = taken_files("page-lora")

    assert found.services == []
    assert len(sentences(found, "assumed")) == 1
    assert [s.rpartition(": ")[2] for s in sentences(found, "cannot")] == [
        "no HTTPRoute here has an InferencePool for a backend, and a service is such a route; give the manifest of the route too",
        "spreads a model name on pool llm-pool, to which no HTTPRoute here leads; give the route too",
    ]


def test_a_pool_of_the_old_generation_gives_its_group_to_the_route() -> None:
    pool = """\
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferencePool
metadata: { name: NAME }
spec: { selector: { app: NAME }, targetPortNumber: 8000, extensionRef: { name: NAME-epp } }
"""
    page = Path(__file__).parent / "manifests" / "page-node.yaml"
    files = {"route.yaml": page.read_text("utf-8")} | {f"{n}.yaml": pool.replace("NAME", n) for n in ("llm", "llm-new")}
    found = taken(files)

    assert service(found)["inferenceApi"] == "v1alpha2"
    assert "read as group inference.networking.x-k8s.io" in sentences(found, "assumed")[-1]
