"""The file for `pulumi import`, and the globs of the update before it, against what the program registers."""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

import pytest

from inference_rollouts.cli.import_preview import FirstPreview, first_preview
from inference_rollouts.takeover import import_file, steps
from tests.conftest import EXAMPLES, ROOT
from tests.takeover.reading import given_of, live, manifests, rendered_objects, taken_objects


@functools.cache
def first(name: str) -> FirstPreview:
    takeover = taken_objects(map(live, rendered_objects(name)), given_of(name))
    return first_preview(ROOT, "prod", takeover.judged, takeover.inventory)


def document(name: str) -> dict[str, Any]:
    return import_file.document(list(first(name).imported), first(name).recording.resources)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_entry_makes_the_urn_that_the_program_registers(name: str) -> None:
    """As `pulumi import` makes it: the parent's types, then the type and the logical name."""
    found = document(name)
    urns = set()
    for entry in found["resources"]:
        parent = found["nameTable"][entry["parent"]]
        head, types = parent.split("::")[:2], parent.split("::")[2]
        urns.add("::".join([*head, f"{types}${entry['type']}", entry["logicalName"]]))
        assert found["nameTable"][entry["provider"]].endswith("pulumi:providers:kubernetes::cluster")

    assert urns == {one.registered.urn for one in first(name).imported}
    assert len(urns) == len(found["resources"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_names_in_the_file_are_unique_and_ids_are_namespace_and_name(name: str) -> None:
    entries = document(name)["resources"]

    assert len({entry["name"] for entry in entries}) == len(entries)
    assert not {entry["name"] for entry in entries} & document(name)["nameTable"].keys()
    assert all(re.fullmatch(r"default/[a-z0-9-]+", entry["id"]) for entry in entries)


def glob(pattern: str) -> re.Pattern[str]:
    """As the engine reads a target: `**` is anything, `*` anything but a colon."""
    parts = [r"[^:]*".join(map(re.escape, part.split("*"))) for part in pattern.split("**")]
    return re.compile(".*".join(parts))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_update_before_the_import_creates_components_and_the_provider_and_nothing_else(name: str) -> None:
    resources = first(name).recording.resources
    targeted = {urn for urn in resources if any(glob(target).fullmatch(urn) for target in import_file.TARGETS)}

    assert targeted == {u for u, r in resources.items() if not r.custom or r.type.startswith("pulumi:providers:")}
    # What is created there depends on nothing that is left out: the engine would refuse that.
    assert all(set(resources[urn].dependencies) <= targeted for urn in targeted)
    assert all({resources[urn].parent, resources[urn].provider} - {""} <= targeted for urn in targeted)


def all_steps(objects: list[dict[str, Any]], **over: Any) -> list[steps.Step]:
    takeover = taken_objects(objects, given_of("node-update"))
    preview = first_preview(ROOT, "prod", takeover.judged, takeover.inventory)
    how = {"in_project": True, "drafts": [], **over}
    return list(steps.steps("prod", "stacks/Pulumi.prod.yaml", "stacks/import.prod.json", preview.imported, **how))


def test_the_steps_are_commands_in_their_order() -> None:
    commands = [step.run for step in all_steps(rendered_objects("node-update"))]

    assert [command.split()[:2] for command in commands] == [
        ["rollout", "validate"],
        ["pulumi", "stack"],
        ["pulumi", "up"],
        ["pulumi", "import"],
        ["pulumi", "preview"],
        ["pulumi", "up"],
    ]
    assert commands[3] == "pulumi import -s prod --file stacks/import.prod.json --generate-code=false --protect=true"


def test_what_helm_made_and_is_imported_is_kept_from_helm() -> None:
    import yaml

    objects = list(yaml.safe_load_all(manifests("upstream-helm")[0].read_text("utf-8")))
    objects[0]["metadata"]["annotations"] = {"meta.helm.sh/release-name": "routes"}
    (helm,) = [step for step in all_steps(objects) if "Helm" in step.say]

    assert "helm uninstall reads the release's own manifest" in helm.say
    assert helm.run == ("kubectl annotate -n serving httproute.gateway.networking.k8s.io/llm-route helm.sh/resource-policy=keep")


def test_helm_is_asked_in_each_namespace_of_a_release() -> None:
    import yaml

    objects = list(yaml.safe_load_all(manifests("upstream-helm")[0].read_text("utf-8")))
    objects[0]["metadata"]["annotations"] = {"meta.helm.sh/release-name": "routes"}
    other = copy.deepcopy(objects[0])
    other["metadata"] |= {"namespace": "staging", "name": "staging-route"}
    other["spec"]["hostnames"] = ["staging.example.com"]
    runs = [step.run.split()[2:5] for step in all_steps([*objects, other]) if "Helm" in step.say]

    assert runs == [
        ["-n", "serving", "httproute.gateway.networking.k8s.io/llm-route"],
        ["-n", "staging", "httproute.gateway.networking.k8s.io/staging-route"],
    ]


def test_other_field_managers_are_overruled_for_the_first_update_only() -> None:
    objects = [live(o) for o in rendered_objects("node-update")]
    assert not any("PATCH_FORCE" in step.run for step in all_steps(objects))

    (route,) = [o for o in objects if o["kind"] == "HTTPRoute"]
    route["metadata"]["managedFields"].append({"manager": "helm", "operation": "Update"})
    forced = [step.run.split()[2] for step in all_steps(objects) if step.run.startswith(steps.FORCE)]
    assert forced == ["preview", "up"]


def test_outside_the_project_the_config_file_is_named() -> None:
    runs = [step.run for step in all_steps(rendered_objects("node-update"), in_project=False)]

    assert runs[0] == "rollout validate stacks/Pulumi.prod.yaml"
    assert all("--config-file stacks/Pulumi.prod.yaml" in run for run in runs[2:])


def test_a_draft_has_its_step() -> None:
    last = all_steps(rendered_objects("node-update"), drafts=["llm: llm-managed"])[-1]

    assert last.run == "rollout start prod llm --to llm-managed"
