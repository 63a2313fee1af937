"""Every component is usable on its own by another Pulumi program: with its own provider, and with nothing of this project's."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_kubernetes
import pytest

import components as kit
from components.cluster_access import address
from components.weighted_route import Backend
from inference_rollouts.plan import plan_for
from inference_rollouts.rehearsal.program import record
from inference_rollouts.rehearsal.recording import Recording
from inference_rollouts.rehearsal.walk import own_keys
from inference_rollouts.settings import load
from tests.conftest import example
from tests.program import runs

LABELS = {"app": "mine"}

SERVER = kit.ModelServerArgs(
    name="mine", namespace="models", selector=LABELS, models=("mine",), model="Qwen/Qwen2.5-0.5B-Instruct", image="vllm:v0.32.0"
)
POOL = kit.InferencePoolArgs(name="mine", namespace="models", selector=LABELS, picker="mine-epp")
PICKER = kit.EndpointPickerArgs(name="mine-epp", namespace="models", pool="mine")
NODES = kit.AcceleratorNodePoolArgs(
    name="mine", cluster="theirs", location="us-central1", accelerator="nvidia-l4", machine_type="g2-standard-12", max_nodes=2
)
SPLIT = kit.AdapterSplitArgs(name="mine-tone", namespace="models", pool="mine", model="tone", weights={"v1": 95, "v2": 5})
ROUTE = kit.WeightedRouteArgs(
    name="mine",
    namespace="models",
    parent_refs=({"name": "their-gateway"},),
    backends=(
        Backend(group="inference.networking.k8s.io", pool="mine", weight=100),
        Backend(group="inference.networking.k8s.io", pool="other", weight=0),
    ),
)
GATEWAY = kit.GatewayArgs(name="mine", namespace="models", gateway_class="gke-l7-rilb")
VERSION = kit.ServedVersionArgs(name="mine", nodes=NODES, server=SERVER, pool=POOL, picker=PICKER, protect=False)


def service() -> kit.ModelServiceArgs:
    """A whole service, planned from config by hand."""
    (planned,) = plan_for(load(own_keys(example("node-update")))).services
    return planned


MADE: dict[str, tuple[Callable[[pulumi.ResourceOptions], object], set[str]]] = {
    "AcceleratorNodePool": (lambda opts: kit.AcceleratorNodePool("mine", NODES, opts), {"NodePool"}),
    "ModelServer": (
        lambda opts: kit.ModelServer("mine", SERVER, opts),
        {"Deployment", "PodDisruptionBudget", "PodMonitoring"},
    ),
    "InferencePool": (
        lambda opts: kit.InferencePool("mine", POOL, opts),
        {"InferencePool", "HealthCheckPolicy", "GCPBackendPolicy"},
    ),
    "EndpointPicker": (
        lambda opts: kit.EndpointPicker("mine", PICKER, opts),
        {"ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Service", "Deployment", "PodMonitoring"},
    ),
    "AdapterSplit": (lambda opts: kit.AdapterSplit("mine", SPLIT, opts), {"InferenceModelRewrite"}),
    "WeightedRoute": (lambda opts: kit.WeightedRoute("mine", ROUTE, opts), {"HTTPRoute"}),
    "Gateway": (lambda opts: kit.Gateway("mine", GATEWAY, opts), {"Gateway"}),
    "ServedVersion": (
        lambda opts: kit.ServedVersion("mine", VERSION, opts),
        {"NodePool", "Deployment", "InferencePool", "HealthCheckPolicy", "GCPBackendPolicy", "Service", "Role", "RoleBinding"}
        | {"ServiceAccount", "ConfigMap", "PodDisruptionBudget", "PodMonitoring"},
    ),
    "ModelService": (
        lambda opts: kit.ModelService("mine", service(), opts),
        {"NodePool", "Deployment", "InferencePool", "HealthCheckPolicy", "GCPBackendPolicy", "Service", "Role", "RoleBinding"}
        | {"ServiceAccount", "ConfigMap", "PodDisruptionBudget", "PodMonitoring", "HTTPRoute"},
    ),
}

every_component = pytest.mark.parametrize("component", MADE)


def made_by(component: str, **options: object) -> Recording:
    """What a program of somebody else's registers with one component, under a component and a provider of its own."""

    def program() -> None:
        provider = pulumi_kubernetes.Provider("theirs", context="their-cluster")
        home = pulumi.ComponentResource("theirs:index:Home", "home")
        MADE[component][0](pulumi.ResourceOptions(parent=home, providers=[provider], **options))  # pyright: ignore[reportArgumentType]

    return record(program, "theirs", {"gcp:project": "their-project"})


@every_component
def test_a_component_works_in_another_program_with_that_programs_provider(component):
    recording = made_by(component)

    assert {runs.kind(r) for r in runs.customs(recording)} == MADE[component][1]
    assert recording.twice == []
    for registration in runs.customs(recording):
        if registration.type.startswith("kubernetes:"):
            assert registration.provider.endswith("pulumi:providers:kubernetes::theirs")


@every_component
def test_a_component_is_the_child_of_what_its_caller_says_and_its_own_children_are_its_own(component):
    recording = made_by(component)
    (top,) = [r for r in runs.components(recording, component) if r.name == "mine"]

    assert runs.kind(recording.resources[top.parent]) == "Home"
    for registration in runs.customs(recording):
        assert registration.parent != top.parent, "children get parent=self, and none of the caller's options"


@pytest.mark.parametrize("component", [name for name in MADE if name != "ModelService"])
def test_protection_reaches_all_that_a_component_makes(component):
    assert all(r.protect for r in runs.customs(made_by(component, protect=True)))


def test_without_protection_a_component_can_go_again_but_for_a_gateway():
    for component in MADE.keys() - {"ModelService"}:
        assert all(r.protect == (component == "Gateway") for r in runs.customs(made_by(component))), component


@every_component
def test_every_component_says_what_it_is_in_its_own_inputs(component):
    recording = made_by(component)
    (top,) = [r for r in runs.components(recording, component) if r.name == "mine"]

    assert top.inputs, "the preview shows them beside its children"
    assert top.type == f"inference-rollouts:index:{component}"


def test_two_of_a_kind_fit_into_one_program():
    def program() -> None:
        provider = pulumi_kubernetes.Provider("theirs", context="their-cluster")
        for name in ("first", "second"):
            kit.WeightedRoute(name, ROUTE, pulumi.ResourceOptions(providers=[provider]))
            kit.AdapterSplit(name, SPLIT, pulumi.ResourceOptions(providers=[provider]))

    assert record(program, "theirs", {}).twice == [], "hook names hold the component's name"


# --- access to the cluster --------------------------------------------------------------------------------------------


def access(**args: object) -> Recording:
    def program() -> None:
        kit.ClusterAccess("cluster", kit.ClusterAccessArgs(**args))  # pyright: ignore[reportArgumentType]

    return record(program, "theirs", {"gcp:project": "their-project"})


def provider_of(recording: Recording) -> dict[str, object]:
    (provider,) = [r for r in recording.resources.values() if r.type == "pulumi:providers:kubernetes"]
    return dict(provider.inputs)


@pytest.mark.parametrize(
    ("endpoint", "server"),
    [
        ("dns", "https://rehearsal.invalid"),
        ("private", "https://10.0.0.2"),
        ("public", "https://203.0.113.1"),
        (
            "connect-gateway",
            "https://connectgateway.googleapis.com/v1/projects/rehearsal/locations/global/gkeMemberships/theirs",
        ),
    ],
)
def test_every_endpoint_of_a_gke_cluster_becomes_a_kubeconfig_without_a_token(endpoint, server):
    inputs = provider_of(access(name="theirs", location="us-central1", endpoint=endpoint))

    kubeconfig = str(inputs["kubeconfig"])
    assert f'"server": "{server}"' in kubeconfig
    assert "gke-gcloud-auth-plugin" in kubeconfig
    assert "token" not in kubeconfig, "a token in the state would be stale in an hour, and a secret"
    assert inputs["clusterIdentifier"] == "projects/their-project/locations/us-central1/clusters/theirs"


def test_a_context_needs_no_cloud():
    inputs = provider_of(access(context="kind-mine"))

    assert (inputs["context"], inputs["clusterIdentifier"]) == ("kind-mine", "kind-mine")
    assert "kubeconfig" not in inputs


class Bare:
    """A cluster with a public endpoint and nothing else."""

    name = "bare"
    endpoint = "203.0.113.1"
    master_auths = control_plane_endpoints_configs = private_cluster_configs = fleets = ()


@pytest.mark.parametrize(
    ("endpoint", "lacks"), [("dns", "no DNS endpoint"), ("private", "no private"), ("connect-gateway", "no fleet")]
)
def test_an_endpoint_that_a_cluster_lacks_is_said_with_what_to_do(endpoint, lacks):
    with pytest.raises(pulumi.RunError, match=lacks) as refused:
        address(Bare(), endpoint)

    assert "cluster.endpoint" in str(refused.value)
