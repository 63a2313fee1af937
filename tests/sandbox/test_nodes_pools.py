"""Node pools become the Nodes that GKE would have, so that the real scheduler decides as it would there."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.rehearsal.program import Registration, run
from sandbox.nodes import quantities
from sandbox.nodes.autoscaler import Autoscaler, Decision, accepts, is_unschedulable
from sandbox.nodes.machines import machine
from sandbox.nodes.pools import SYSTEM_POOL, Size, Slot, free_slot, labels, node, nodes, size, taints, zones
from sandbox.nodes.provision import Pool
from tests.conftest import EXAMPLES, ROOT, example

NODE_POOL = "gcp:container/nodePool:NodePool"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def is_server(registration: Registration) -> bool:
    return registration.type == DEPLOYMENT and not registration.inputs["metadata"]["name"].endswith("-epp")


L4: dict[str, Any] = {
    "name": "llm",
    "location": "us-central1",
    "nodeLocations": ["us-central1-a"],
    "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 3},
    "nodeConfig": {
        "machineType": "g2-standard-12",
        "guestAccelerators": [{"type": "nvidia-l4", "count": 1, "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}],
        "workloadMetadataConfig": {"mode": "GKE_METADATA"},
    },
}
TPU: dict[str, Any] = {"name": "tpu", "location": "us-east5-b", "nodeCount": 2, "nodeConfig": {"machineType": "ct6e-standard-4t"}}


def test_a_gpu_node_has_the_labels_and_taint_that_gke_gives_it() -> None:
    made = node(L4, Slot("us-central1-a", 0, 7))

    assert made["metadata"]["name"] == "gke-llm-us-central1-a-0"
    assert made["metadata"]["labels"] == {
        "kubernetes.io/hostname": "gke-llm-us-central1-a-0",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "g2-standard-12",
        "topology.kubernetes.io/region": "us-central1",
        "topology.kubernetes.io/zone": "us-central1-a",
        "topology.gke.io/zone": "us-central1-a",
        "cloud.google.com/gke-nodepool": "llm",
        "cloud.google.com/machine-family": "g2",
        "cloud.google.com/gke-os-distribution": "cos",
        "cloud.google.com/gke-container-runtime": "containerd",
        "cloud.google.com/gke-provisioning": "standard",
        "cloud.google.com/gke-max-pods-per-node": "110",
        "iam.gke.io/gke-metadata-server-enabled": "true",
        "cloud.google.com/gke-accelerator": "nvidia-l4",
        "cloud.google.com/gke-accelerator-count": "1",
        "cloud.google.com/gke-gpu-driver-version": "latest",
    }
    assert made["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    assert made["spec"]["podCIDR"] == "10.77.7.0/24"
    assert made["status"]["allocatable"]["nvidia.com/gpu"] == "1"


def test_a_taint_that_the_pool_sets_itself_is_there_once() -> None:
    config = {**L4["nodeConfig"], "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]}

    assert taints({**L4, "nodeConfig": config}) == taints(L4)


def test_a_tpu_node_takes_chips_and_topology_from_its_machine() -> None:
    made = node(TPU, Slot("us-east5-b", 0, 1))

    found = made["metadata"]["labels"]
    assert found["cloud.google.com/gke-tpu-accelerator"] == "tpu-v6e-slice"
    assert found["cloud.google.com/gke-tpu-topology"] == "2x2"
    assert made["status"]["allocatable"]["google.com/tpu"] == "4"
    assert made["spec"]["taints"][0]["key"] == "google.com/tpu"


def test_spot_nodes_say_so_and_own_labels_win() -> None:
    config = {**L4["nodeConfig"], "spot": True, "labels": {"team": "a"}}

    found = labels({**L4, "nodeConfig": config}, "us-central1-a", "n")

    assert found["cloud.google.com/gke-spot"] == "true"
    assert found["cloud.google.com/gke-provisioning"] == "spot"
    assert found["team"] == "a"


def test_gke_keeps_what_its_documentation_says_from_pods() -> None:
    """A node with 4 vCPUs and 16 GB: 3920m; 2.6 GiB and 100 MiB less memory."""
    small = machine("e2-standard-4")

    assert small.allocatable_millicpu == 3920
    assert small.allocatable_memory == int((16 - 2.6) * 1024**3) - 100 * 1024**2


def test_an_unknown_machine_type_is_refused() -> None:
    with pytest.raises(ValueError, match="does not know the machine type quantum"):
        machine("quantum")


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        (L4, Size(0, 0, 3)),
        ({**L4, "autoscaling": {"minNodeCount": 1, "maxNodeCount": 2}, "nodeLocations": ["z-a", "z-b"]}, Size(2, 2, 4)),
        ({**L4, "autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 4}, "initialNodeCount": 2}, Size(2, 1, 4)),
        ({**L4, "autoscaling": None, "nodeCount": 2, "nodeLocations": ["z-a", "z-b"]}, Size(4, 4, 4)),
        ({**L4, "autoscaling": None, "nodeCount": 0}, Size(0, 0, 0)),
    ],
)
def test_counts_are_per_zone_but_for_totals(inputs: dict[str, Any], wanted: Size) -> None:
    assert size(inputs) == wanted


def test_without_zones_a_pool_is_where_its_cluster_is() -> None:
    assert zones({"location": "europe-west4-b"}) == ("europe-west4-b",)
    assert zones({"location": "europe-west4"}) == ("europe-west4-a", "europe-west4-b", "europe-west4-c")


def test_nodes_are_spread_over_zones_and_never_share_addresses() -> None:
    made = nodes({**TPU, "location": "us-east5", "nodeCount": 2})

    assert [n["metadata"]["labels"]["topology.kubernetes.io/zone"][-1] for n in made] == list("abcabc")
    assert len({n["spec"]["podCIDR"] for n in made}) == len({n["status"]["addresses"][0]["address"] for n in made}) == 6


def test_a_network_that_was_given_back_is_given_out_last() -> None:
    assert free_slot(L4, (), (), after=7).network == 8
    assert free_slot(L4, (), (), after=249).network == 1
    assert free_slot(L4, (), {8, 9}, after=7).network == 10
    with pytest.raises(ValueError, match="room for 249"):
        free_slot(L4, (), range(1, 250), after=0)


def test_pickers_find_room_in_the_system_pool() -> None:
    room = quantities.of_node(nodes(SYSTEM_POOL)[0])

    assert len(nodes(SYSTEM_POOL)) == 2
    assert quantities.Resources({"cpu": 12.0, "memory": 3 * 8 * 2**30}).fits(room)
    assert not quantities.Resources({"nvidia.com/gpu": 1.0}).fits(room)


@pytest.mark.parametrize("stack", EXAMPLES)
def test_every_server_fits_the_nodes_of_its_own_pool_and_of_no_other(stack: str) -> None:
    """From what the real program registers."""
    recording = run(ROOT, stack, example(stack))
    pools = [node(r.inputs, Slot("z-a", 0, 1)) for r in recording.resources.values() if r.type == NODE_POOL]
    servers = [r.inputs for r in recording.resources.values() if is_server(r)]

    assert pools
    assert len(servers) == len(pools)
    for server in servers:
        template = server["spec"]["template"]
        fitting = [n for n in pools if accepts(n, template) and quantities.of_pod(template).fits(quantities.of_node(n))]
        assert [n["metadata"]["labels"]["cloud.google.com/gke-nodepool"] for n in fitting] == [server["metadata"]["name"]]


# --- the autoscaler -----------------------------------------------------------------------------------------------------


def pod(name: str, *, pool: str = "llm", on: str | None = None, gpus: str = "1") -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    container = {"name": "server", "resources": {"limits": {"nvidia.com/gpu": gpus}}}
    return {
        "metadata": {"name": name, "uid": name},
        "spec": {
            "nodeName": on,
            "nodeSelector": {"cloud.google.com/gke-nodepool": pool},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "containers": [container],
        },
        "status": {"conditions": [] if on else [condition]},
    }


def standing(index: int, *, ready: bool = True) -> dict[str, Any]:
    made = node(L4, Slot("us-central1-a", index, index + 1))
    made["status"]["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]
    return made


def test_pods_without_room_make_their_pool_grow_up_to_its_maximum() -> None:
    decision = Autoscaler(600).decide([Pool(L4)], [standing(0)], [pod(f"p{i}") for i in range(5)], 0.0)

    assert decision == Decision(grow=("llm", "llm"))


@pytest.mark.parametrize(
    "waiting",
    [pod("other pool", pool="llm-new"), pod("too big", gpus="2"), pod("placed", on="n")],
    ids=lambda p: p["metadata"]["name"],
)
def test_a_pod_that_no_new_node_would_help_makes_nothing_grow(waiting: dict[str, Any]) -> None:
    assert Autoscaler(600).decide([Pool(L4)], [], [waiting], 0.0) == Decision()


def test_a_node_that_is_on_its_way_counts() -> None:
    decision = Autoscaler(600).decide([Pool(L4)], [standing(0, ready=False)], [pod("p0"), pod("p1")], 0.0)

    assert decision == Decision(grow=("llm",))


def test_a_pool_without_stock_does_not_grow() -> None:
    assert Autoscaler(600).decide([Pool(L4, stock=False)], [], [pod("p0")], 0.0) == Decision()


def test_an_idle_node_goes_after_a_while_but_never_below_the_minimum() -> None:
    inputs = {**L4, "autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 3}}
    there = [standing(0), standing(1), standing(2)]
    busy = [pod("p", on="gke-llm-us-central1-a-2")]
    autoscaler = Autoscaler(idle_seconds=60)

    assert autoscaler.decide([Pool(inputs)], there, busy, 0.0) == Decision()
    assert autoscaler.decide([Pool(inputs)], there, busy, 59.0) == Decision()
    later = autoscaler.decide([Pool(inputs)], there, busy, 60.0)
    assert set(later.shrink) == {"gke-llm-us-central1-a-1", "gke-llm-us-central1-a-0"}
    assert len(Autoscaler(0).decide([Pool(inputs)], there, [], 0.0).shrink) == 2


def test_a_node_that_was_busy_meanwhile_is_not_idle_yet() -> None:
    autoscaler = Autoscaler(idle_seconds=60)
    autoscaler.decide([Pool(L4)], [standing(0)], [], 0.0)
    autoscaler.decide([Pool(L4)], [standing(0)], [pod("p", on="gke-llm-us-central1-a-0")], 30.0)

    assert autoscaler.decide([Pool(L4)], [standing(0)], [], 61.0) == Decision()


def test_a_pod_that_is_being_deleted_waits_for_nothing() -> None:
    waiting = pod("p")
    waiting["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert is_unschedulable(pod("p"))
    assert not is_unschedulable(waiting)


def test_quantities_are_read_as_kubernetes_writes_them() -> None:
    assert [quantities.number(text) for text in ("2", "1500m", "16Gi", "1k", "1e3")] == [2, 1.5, 2**34, 1000, 1000]
    with pytest.raises(ValueError, match="is no quantity"):
        quantities.number("1 Gi")
