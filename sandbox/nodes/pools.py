"""GKE's side of a node pool: from the inputs of a `gcp:container/nodePool:NodePool` to the Nodes that it has.

Pure. Labels and taints are those that GKE sets, as far as a scheduler or a workload of ours can see them. What needs a
cluster (creating, draining, growing) is in `provision` and `autoscaler`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.nodes.machines import Machine, machine
from sandbox.nodes.node_accelerators import accelerators

Manifest = dict[str, Any]

POOL_LABEL = "cloud.google.com/gke-nodepool"
POD_NETWORK = "10.77"
"""10.77.0.0/16: a /24 for the pods of each node, as GKE's default of 110 pods asks for."""
LAST_NETWORK = 249
"""Pods have 10.77.1.0/24 to 10.77.249.0/24; 10.77.0.1 is the machine itself."""
NODE_NETWORK = 250
"""10.77.250.0/24 holds the nodes' own addresses."""

EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}

SYSTEM_POOL: Manifest = {
    "name": "default-pool",
    "location": "us-central1",
    "nodeLocations": ["us-central1-a", "us-central1-b"],
    "nodeCount": 1,
    "nodeConfig": {"machineType": "e2-standard-16"},
}
"""Two nodes without accelerators, where endpoint pickers go: three pickers (4 CPUs each) fit on each."""


@dataclass(frozen=True)
class Size:
    """How many nodes, in all zones together.

    Attributes:
        initial: when the pool is created.
        min, max: limits of the autoscaler; both are `initial` where there is none.
    """

    initial: int
    min: int
    max: int


@dataclass(frozen=True)
class Slot:
    """One node of a pool by where it is.

    Attributes:
        zone: its zone.
        index: its number in the zone.
        network: the third byte of its pods' addresses.
    """

    zone: str
    index: int
    network: int


def zones(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """The zones of the nodes; without any the cluster's: its own, or three of its region."""
    given = tuple(inputs.get("nodeLocations") or ())
    location = str(inputs.get("location") or "us-central1")
    if given or re.fullmatch(r".+-[a-z]", location):
        return given or (location,)
    return tuple(f"{location}-{letter}" for letter in "abc")


def size(inputs: Mapping[str, Any]) -> Size:
    """The pool's size. `nodeCount`, `initialNodeCount`, `minNodeCount` and `maxNodeCount` count in each zone."""
    per_zone = len(zones(inputs))
    given = inputs.get("nodeCount", inputs.get("initialNodeCount"))
    scaling = inputs.get("autoscaling")
    if not scaling:
        fixed = int(1 if given is None else given) * per_zone
        return Size(fixed, fixed, fixed)
    least = int(scaling.get("totalMinNodeCount") or int(scaling.get("minNodeCount") or 0) * per_zone)
    most = int(scaling.get("totalMaxNodeCount") or int(scaling.get("maxNodeCount") or 0) * per_zone)
    initial = least if given is None else int(given) * per_zone
    return Size(max(least, min(initial, most)), least, most)


def name_of(pool: str, zone: str, index: int) -> str:
    """The node's name."""
    return f"gke-{pool}-{zone}-{index}"


def free_slot(inputs: Mapping[str, Any], names: Collection[str], networks: Collection[int], after: int) -> Slot:
    """Where the next node goes: the emptiest zone, and the first free network after the one that was given out last.

    So the addresses of a node that went come back as late as can be: what still remembers them meets nobody else there.

    Args:
        inputs: of the pool.
        names, networks: of all nodes that stand.
        after: the network that was given out last; 0 for none yet.

    Raises:
        ValueError: when there is no free network.
    """
    pool = inputs["name"]
    count = {zone: sum(name.startswith(f"gke-{pool}-{zone}-") for name in names) for zone in zones(inputs)}
    zone = min(count, key=lambda z: count[z])
    index = next(i for i in range(len(names) + 1) if name_of(pool, zone, i) not in names)
    for step in range(LAST_NETWORK):
        network = (after + step) % LAST_NETWORK + 1
        if network not in networks:
            return Slot(zone, index, network)
    raise ValueError(f"the sandbox has room for {LAST_NETWORK} nodes")


def nodes(inputs: Mapping[str, Any], after: int = 0) -> list[Manifest]:
    """The Nodes of a pool as it is created, when no others stand."""
    made: list[Manifest] = []
    names: list[str] = []
    networks: list[int] = []
    for _ in range(size(inputs).initial):
        slot = free_slot(inputs, names, networks, networks[-1] if networks else after)
        made.append(node(inputs, slot))
        names.append(made[-1]["metadata"]["name"])
        networks.append(slot.network)
    return made


def node(inputs: Mapping[str, Any], slot: Slot) -> Manifest:
    """One Node, with the status that its kubelet would register."""
    name = name_of(inputs["name"], slot.zone, slot.index)
    pods = f"{POD_NETWORK}.{slot.network}.0/24"
    address = f"{POD_NETWORK}.{NODE_NETWORK}.{slot.network}"
    config = inputs.get("nodeConfig") or {}
    has = machine(config.get("machineType") or "e2-medium-2")
    carried = accelerators(config, inputs)
    extra = {carried.resource: str(carried.count)} if carried.resource else {}
    limit = str(inputs.get("maxPodsPerNode") or 110)
    capacity = {"cpu": str(has.vcpu), "memory": f"{has.memory // 1024}Ki", "pods": limit, **_disk(config), **extra}
    left = {"cpu": f"{has.allocatable_millicpu}m", "memory": f"{has.allocatable_memory // 1024}Ki"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels(inputs, slot.zone, name),
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {
            "podCIDR": pods,
            "podCIDRs": [pods],
            "providerID": f"gce://{inputs.get('project') or 'sandbox'}/{slot.zone}/{name}",
            "taints": taints(inputs),
        },
        "status": {
            "capacity": capacity,
            "allocatable": {**capacity, **left},
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "nodeInfo": _node_info(inputs, has),
        },
    }


def labels(inputs: Mapping[str, Any], zone: str, name: str) -> dict[str, str]:
    """The labels of one node; those in nodeConfig.labels win."""
    config = inputs.get("nodeConfig") or {}
    machine_name = config.get("machineType") or "e2-medium-2"
    region = zone.rpartition("-")[0]
    architecture = machine(machine_name).architecture
    spot = bool(config.get("spot"))
    found = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "node.kubernetes.io/instance-type": machine_name,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
        "topology.gke.io/zone": zone,
        POOL_LABEL: inputs["name"],
        "cloud.google.com/machine-family": machine_name.partition("-")[0],
        "cloud.google.com/gke-os-distribution": "cos",
        "cloud.google.com/gke-container-runtime": "containerd",
        "cloud.google.com/gke-provisioning": "spot" if spot else "standard",
        "cloud.google.com/gke-max-pods-per-node": str(inputs.get("maxPodsPerNode") or 110),
    }
    if spot:
        found["cloud.google.com/gke-spot"] = "true"
    if (config.get("workloadMetadataConfig") or {}).get("mode") == "GKE_METADATA":
        found["iam.gke.io/gke-metadata-server-enabled"] = "true"
    return {**found, **accelerators(config, inputs).labels, **(config.get("labels") or {})}


def taints(inputs: Mapping[str, Any]) -> list[Manifest]:
    """The taints in nodeConfig, and the one that GKE sets on nodes with accelerators."""
    config = inputs.get("nodeConfig") or {}
    given = [
        {"key": taint["key"], "value": taint.get("value", ""), "effect": EFFECTS[taint["effect"]]}
        for taint in config.get("taints") or ()
    ]
    resource = accelerators(config, inputs).resource
    if resource and not any(taint["key"] == resource for taint in given):
        given.append({"key": resource, "value": "present", "effect": "NoSchedule"})
    return given


def _disk(config: Mapping[str, Any]) -> dict[str, str]:
    return {"ephemeral-storage": f"{int(config.get('diskSizeGb') or 100)}Gi"}


def _node_info(inputs: Mapping[str, Any], has: Machine) -> Manifest:
    """What the Node says of its software; the kubelet is of the pool's GKE version, where one is given."""
    version = f"v{inputs['version']}" if inputs.get("version") else "v1.36.3-gke.0"
    blank = dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion"), "")
    return {
        **blank,
        "osImage": "Container-Optimized OS from Google",
        "containerRuntimeVersion": "containerd://2.1.0",
        "kubeletVersion": version,
        "kubeProxyVersion": version,
        "operatingSystem": "linux",
        "architecture": has.architecture,
    }
