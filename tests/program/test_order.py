"""What waits for what. A resource that does not become ready holds up all that waits for it, in every later update."""

from __future__ import annotations

import pytest

from inference_rollouts.rehearsal.recording import Recording, Registration
from tests.program.runs import (
    PLACES,
    below,
    components,
    customs,
    every_place,
    kind,
    manifests,
    of_kind,
    owner,
    planned,
    recorded,
)

ROUTE_MAY_WAIT_FOR = {"InferencePool", "HealthCheckPolicy", "GCPBackendPolicy"}


def waited_for(registration: Registration, recording: Recording) -> list[Registration]:
    """What a resource waits for, without components and providers."""
    own = {r.urn: r for r in customs(recording)}
    return [own[urn] for urn in sorted(below(registration.urn, recording)) if urn in own]


def part_of(registration: Registration, recording: Recording, component: str) -> bool:
    return owner(registration, recording, component) is not None


@every_place
def test_the_route_waits_for_pools_and_their_policies_and_for_nothing_else(place):
    recording = recorded(place)

    for route in of_kind(recording, "HTTPRoute"):
        waits = {kind(r) for r in waited_for(route, recording)}
        assert waits <= ROUTE_MAY_WAIT_FOR, "a server or node pool that is not ready would hold up the way back"


@every_place
def test_the_route_waits_for_every_pool_that_it_names(place):
    recording = recorded(place)
    own = {pool.inputs["metadata"]["name"]: pool.urn for pool in of_kind(recording, "InferencePool")}

    for route in of_kind(recording, "HTTPRoute"):
        named = {ref["name"] for rule in route.inputs["spec"]["rules"] for ref in rule["backendRefs"]}
        missing = {name for name in named & own.keys() if own[name] not in below(route.urn, recording)}
        assert missing == set(), "the route would name what is not there yet"


@every_place
def test_nothing_waits_for_a_server_or_an_endpoint_picker(place):
    recording = recorded(place)
    deployments = {d.urn for d in of_kind(recording, "Deployment")}
    pickers = {r.urn for r in customs(recording) if part_of(r, recording, "EndpointPicker")}

    for registration in recording.resources.values():
        held_up = below(registration.urn, recording) & deployments
        assert held_up == set(), f"{registration.name} would wait for a Deployment to become ready"
        if not part_of(registration, recording, "EndpointPicker"):
            assert not below(registration.urn, recording) & pickers, "nothing depends on the picker"


@every_place
def test_a_pickers_deployment_comes_after_its_rights_its_config_and_its_pool(place):
    recording = recorded(place)

    for picker in components(recording, "EndpointPicker"):
        (deployment,) = [d for d in of_kind(recording, "Deployment") if d.parent == picker.urn]
        before = {kind(r) for r in waited_for(deployment, recording)}
        wanted = {"ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Service", "InferencePool"}
        assert wanted <= before, "without them it crashes until they are there"


@every_place
def test_a_server_comes_after_its_own_nodes_and_after_what_it_mounts(place):
    recording = recorded(place)

    for server in components(recording, "ModelServer"):
        version = owner(server, recording, "ServedVersion")
        (deployment,) = [d for d in of_kind(recording, "Deployment") if d.parent == server.urn]
        own = [r.urn for r in of_kind(recording, "NodePool") if owner(r, recording, "ServedVersion") == version]
        mounted = [r.urn for r in of_kind(recording, "ConfigMap") if r.parent == server.urn]
        assert {*own, *mounted} <= below(deployment.urn, recording)


@every_place
def test_an_adapter_split_comes_after_the_pool_that_it_names_and_waits_for_no_server(place):
    recording = recorded(place)

    for split in of_kind(recording, "InferenceModelRewrite", "InferenceModel", "InferenceObjective"):
        waits = waited_for(split, recording)
        assert {kind(r) for r in waits} <= ROUTE_MAY_WAIT_FOR
        pools = {r.inputs["metadata"]["name"] for r in waits if kind(r) == "InferencePool"}
        assert pools == {split.inputs["spec"]["poolRef"]["name"]}


@every_place
def test_nothing_of_one_service_waits_for_another_service(place):
    recording = recorded(place)
    services = {r.urn: owner(r, recording, "ModelService") for r in recording.resources.values()}

    for registration in recording.resources.values():
        service = services[registration.urn]
        if service:
            around = [services[urn] for urn in below(registration.urn, recording)]
            assert all(other is None or other.urn == service.urn for other in around), "services fail one by one"


@every_place
def test_no_input_comes_from_another_resource(place):
    for registration in recorded(place).resources.values():
        assert registration.property_dependencies == (), (
            "a replacement would drag it along, and a preview could not say its value"
        )


@every_place
def test_the_pods_of_a_version_go_to_its_own_nodes_only(place):
    recording = recorded(place)
    nodes = {v.name: v for service in planned(place).services for v in service.versions}

    for version in components(recording, "ServedVersion"):
        inside = [r for r in customs(recording) if owner(r, recording, "ServedVersion") == version]
        pools = [r for r in inside if kind(r) == "NodePool"]
        for server in [r for r in inside if kind(r) == "Deployment" and part_of(r, recording, "ModelServer")]:
            selector = server.inputs["spec"]["template"]["spec"].get("nodeSelector", {})
            if pools:
                assert selector["cloud.google.com/gke-nodepool"] == pools[0].inputs["name"]
            elif planned(place).cluster.gke:
                assert selector, f"{version.name} would land on anybody's nodes"
            args = nodes[version.inputs["version"]].server
            assert args is not None
            assert selector == args.node_selector


@pytest.mark.parametrize(
    ("stack", "selectors"),
    [
        (
            "existing-nodes",
            [{"cloud.google.com/gke-nodepool": "shared-l4"}, {"cloud.google.com/compute-class": "l4-anywhere"}],
        ),
        ("context-only", [{"disk": "ssd"}, {}]),
        ("tpu", [{"cloud.google.com/gke-tpu-topology": "2x2"}, {"cloud.google.com/gke-tpu-topology": "2x4"}]),
    ],
)
def test_nodes_that_exist_already_are_selected_as_the_config_says(stack, selectors):
    place = next(p for p in PLACES if p.stack == stack and p.step == "prepare")
    servers = [d for d in of_kind(recorded(place), "Deployment") if d.name.endswith(".server")]
    found = [d.inputs["spec"]["template"]["spec"].get("nodeSelector", {}) for d in servers]

    for wanted in selectors:
        assert any(wanted.items() <= selector.items() for selector in found), f"{wanted} is in none of {found}"
    assert bool(of_kind(recorded(place), "NodePool")) == (stack == "tpu"), "no node pool is made where nodes exist"


def test_two_versions_never_share_a_pod():
    for place in PLACES:
        deployments = [m for m in manifests(recorded(place)) if m["kind"] == "Deployment"]
        selectors = [tuple(sorted(d["spec"]["selector"]["matchLabels"].items())) for d in deployments]
        assert len(set(selectors)) == len(selectors), f"{place}: one pool would find another version's pods"
