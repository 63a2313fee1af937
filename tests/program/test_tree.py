"""The tree that the program registers: how deep, whose child, under which names, and with nothing secret in it."""

from __future__ import annotations

import json

from tests.program.runs import PLACES, components, customs, every_place, kind, owner, recorded, walked_down

SECRET = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the SDK sends for a value that a preview cannot know."""

PARTS = {
    "AcceleratorNodePool": {"NodePool"},
    "ModelServer": {"Deployment", "PodDisruptionBudget", "PodMonitoring", "ConfigMap", "HorizontalPodAutoscaler"},
    "InferencePool": {"InferencePool", "HealthCheckPolicy", "GCPBackendPolicy"},
    "EndpointPicker": {"ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Service", "Deployment", "PodMonitoring"},
    "AdapterSplit": {"InferenceModelRewrite", "InferenceObjective", "InferenceModel"},
    "WeightedRoute": {"HTTPRoute"},
    "Gateway": {"Gateway"},
}
"""Which component makes which kind, and no other does."""


def chain(urn: str) -> list[str]:
    """The kinds of all parents and of the resource itself, from its URN."""
    return [part.rpartition(":")[2] for part in urn.split("::")[2].split("$")]


@every_place
def test_components_are_nested_no_deeper_than_service_version_part(place):
    for component in components(recorded(place)):
        assert len(chain(component.urn)) <= 3, f"{component.urn} is buried"


@every_place
def test_every_urn_names_the_whole_chain_of_its_parents(place):
    recording = recorded(place)

    for registration in recording.resources.values():
        parent = recording.resources[registration.parent].urn if registration.parent else ""
        assert chain(registration.urn)[:-1] == (chain(parent) if parent else [])


@every_place
def test_every_object_is_the_child_of_the_component_that_owns_its_kind(place):
    recording = recorded(place)

    for registration in customs(recording):
        parent = recording.resources[registration.parent]
        assert not parent.custom, "children get parent=self"
        assert kind(registration) in PARTS[kind(parent)], f"{kind(parent)} made a {kind(registration)}"


@every_place
def test_every_component_is_the_child_of_the_service_or_version_that_it_serves(place):
    recording = recorded(place)
    top = {"ClusterAccess", "Gateway", "ModelService"}

    for component in components(recording):
        if kind(component) in top:
            assert component.parent == "", f"{component.name} stands at the top"
        elif kind(component) in ("ServedVersion", "WeightedRoute"):
            assert kind(recording.resources[component.parent]) == "ModelService"
        else:
            assert kind(recording.resources[component.parent]) == "ServedVersion"


@every_place
def test_every_kubernetes_object_has_the_clusters_own_provider(place):
    recording = recorded(place)
    (provider,) = [r.urn for r in recording.resources.values() if r.type == "pulumi:providers:kubernetes"]

    for registration in customs(recording):
        if registration.type.startswith("kubernetes:"):
            assert registration.provider == provider, "a default one would go to whatever the ambient kubeconfig names"


@every_place
def test_the_provider_names_its_cluster_so_that_an_unknown_endpoint_replaces_nothing(place):
    (provider,) = [r for r in recorded(place).resources.values() if r.type == "pulumi:providers:kubernetes"]

    assert provider.inputs["clusterIdentifier"]
    assert str(provider.inputs["enableConfigMapMutable"]).lower() == "true"


@every_place
def test_urns_and_hook_names_are_unique(place):
    assert recorded(place).twice == [], "Pulumi refuses the second"


@every_place
def test_every_hook_is_asked_in_previews_and_its_errors_count(place):
    recording = recorded(place)
    bound = {hook for r in recording.resources.values() for hook in r.before_update}

    assert bound == recording.hooks.keys(), "a hook that nothing binds guards nothing"
    for hook in recording.hooks.values():
        assert hook.on_dry_run, "a refusal that shows at `up` only comes too late"
    guarded = {kind(r) for r in recording.resources.values() if r.before_update}
    assert {"ModelService", "HTTPRoute"} <= guarded


@every_place
def test_no_option_is_used_that_the_rehearsal_has_no_rule_for(place):
    assert [r.name for r in recorded(place).resources.values() if r.unmodelled] == []


@every_place
def test_nothing_registered_is_secret_or_unknown_in_a_preview(place):
    text = json.dumps([dict(r.inputs) for r in recorded(place).resources.values()])

    assert SECRET not in text, "a secret makes the whole property unreadable for the guard"
    assert UNKNOWN not in text, "the preview could not show it"


@every_place
def test_an_update_registers_exactly_what_the_preview_showed(place):
    update = walked_down(place.stack, place.rollout)[place.step]

    assert update.resources == recorded(place).resources, "something structural hides in an output"


@every_place
def test_every_component_records_its_outputs(place):
    recording = recorded(place)

    assert {c.urn for c in components(recording)} <= recording.outputs.keys(), "register_outputs is the last line of each"


def test_the_stack_exports_where_each_service_stands():
    for place in PLACES:
        services = components(recorded(place), "ModelService")
        exported = recorded(place).exports
        assert exported.keys() == {service.name for service in services}
        for service in services:
            shown = exported[service.name]
            assert (shown["pools"], shown["adapters"]) == (service.inputs["pools"], service.inputs["adapters"])


def test_the_stack_exports_the_header_by_which_a_criticality_acts():
    exported = recorded(next(place for place in PLACES if "lora-adapter" in str(place))).exports

    assert any("x-gateway-inference-objective" in note for note in exported["llm"]["notes"])


def test_logical_names_tell_what_a_thing_is_and_nothing_that_changes_between_stages():
    for place in PLACES:
        recording = recorded(place)
        for registration in recording.resources.values():
            version = owner(registration, recording, "ServedVersion")
            if version:
                service = owner(version, recording, "ModelService")
                assert service is not None
                assert registration.name.startswith(f"{service.name}.{version.inputs['version']}")
