"""The first preview after the import: nothing is replaced, and no pod template changes; what changes is shown."""

from __future__ import annotations

import pytest

from inference_rollouts.cli.import_preview import FirstPreview, first_preview
from inference_rollouts.takeover.stack import Takeover
from tests.conftest import EXAMPLES, FIXTURES, ROOT
from tests.takeover.reading import given_of, live, rendered_objects, taken_files, taken_objects


def previewed(takeover: Takeover) -> FirstPreview:
    return first_preview(ROOT, "imported", takeover.judged, takeover.inventory)


def pod_templates(first: FirstPreview) -> list[str]:
    """Objects whose pod template is among what changes, whatever the operation."""
    return [o.title for o in first.preview.operations if any(path.startswith("spec.template") for path in o.diff)]


@pytest.mark.parametrize("name", [*EXAMPLES, *FIXTURES])
def test_of_what_was_rendered_nothing_is_replaced_and_no_pod_restarts(name: str) -> None:
    first = previewed(taken_objects(map(live, rendered_objects(name)), given_of(name)))

    assert (first.of("replace"), first.of("delete"), pod_templates(first)) == ([], [], [])
    assert not first.preview.refusals
    assert first.harmless
    updates = {path for o in first.of("update") for path in o.diff}
    assert all(path.startswith(("metadata.annotations", "protect")) for path in updates), updates


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_kubernetes_object_of_an_example_is_imported_and_none_is_created(name: str) -> None:
    first = previewed(taken_objects(map(live, rendered_objects(name)), given_of(name)))

    assert first.created == ()
    assert len(first.imported) == len(rendered_objects(name))


def test_of_a_teams_own_servers_only_the_route_changes() -> None:
    first = previewed(taken_files("upstream-helm"))

    assert [one.exists.title for one in first.imported] == ["HTTPRoute serving/llm-route"]
    assert [(o.op, o.title) for o in first.preview.operations if o.op not in ("same",)] == [("update", "HTTPRoute llm-route")]
    (route,) = first.of("update")
    # The rule of the health check moves before the one that splits, and the weights become percent.
    assert "spec.rules[0].matches[0].path.value" in route.diff
    assert first.harmless


def test_a_pod_template_that_would_change_is_seen() -> None:
    """The check can fail: a server that is taken over, and then is another."""
    takeover = taken_objects(map(live, rendered_objects("node-update")), given_of("node-update"))
    versions = takeover.config["inference-rollouts:services"]["llm"]["versions"]
    versions["llm"]["server"]["image"] = "vllm/vllm-openai:v0.33.0"
    first = previewed(takeover)

    assert pod_templates(first) == ["Deployment llm"]
    assert [o.title for o in first.restarts] == ["Deployment llm"]
    assert not first.harmless


def test_a_selector_that_would_change_is_seen_as_a_replacement_that_protection_refuses() -> None:
    takeover = taken_objects(map(live, rendered_objects("node-update")), given_of("node-update"))
    versions = takeover.config["inference-rollouts:services"]["llm"]["versions"]
    for found in takeover.inventory.objects:
        if found.title == "Deployment default/llm":
            found.manifest["spec"]["selector"]["matchLabels"]["tier"] = "serving"
    assert "external" not in versions["llm"]
    first = previewed(takeover)

    assert not first.harmless
    assert [o.op for o in first.preview.operations if o.title == "Deployment llm"] == ["refuse"]


def test_the_guard_judges_the_first_update_of_an_imported_route() -> None:
    """The route has no split to compare yet, and the service's record is created by the update before the import."""
    first = previewed(taken_objects(map(live, rendered_objects("node-update")), given_of("node-update")))
    (service,) = [o for o in first.preview.operations if o.type.endswith(":ModelService")]

    assert service.op == "same"
