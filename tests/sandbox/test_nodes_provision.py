"""Node pools on an API server that is played here: what is created, remembered, drained and deleted, also when others write."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

import pytest

from sandbox.nodes.kube import Kube, KubeError
from sandbox.nodes.provision import NODES, NodePools, Pool

POOL: dict[str, Any] = {
    "name": "llm",
    "location": "us-central1-a",
    "cluster": "c",
    "autoscaling": {"totalMinNodeCount": 2, "totalMaxNodeCount": 3},
    "nodeDrainConfigs": [{"respectPdbDuringNodePoolDeletion": True}],
    "nodeConfig": {"machineType": "g2-standard-12", "guestAccelerators": [{"type": "nvidia-l4", "count": 1}]},
}


class FakeKube:
    """Nodes, pods and ConfigMaps; a Node is Ready at once, and an evicted pod is gone at the next look.

    Attributes:
        budget_refuses: how many evictions a disruption budget refuses.
        meanwhile: called once before the next write to a ConfigMap: somebody else comes first.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.pods: list[dict[str, Any]] = []
        self.budget_refuses = 0
        self.evictions = 0
        self.meanwhile: Any = None

    def get(self, path: str, **query: str) -> Any:
        if path == NODES:
            pool = query.get("labelSelector", "=").split("=")[1]
            found = [o for key, o in self.objects.items() if key.startswith(NODES)]
            return {"items": [n for n in found if pool in ("", n["metadata"]["labels"]["cloud.google.com/gke-nodepool"])]}
        if path == "/api/v1/pods":
            name = query["fieldSelector"].split("=")[1]
            return {"items": [pod for pod in self.pods if pod["spec"]["nodeName"] == name]}
        if path not in self.objects:
            raise KubeError(404, "not found")
        return copy.deepcopy(self.objects[path])

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        key = f"{path}/{body['metadata']['name']}"
        if key in self.objects:
            raise KubeError(409, "already exists")
        made = copy.deepcopy(dict(body))
        made["metadata"] |= {"resourceVersion": "1", "creationTimestamp": f"t{len(self.objects):03}"}
        if path == NODES:
            made["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        self.objects[key] = made

    def patch(self, path: str, body: Mapping[str, Any], kind: str = "") -> None:
        if self.meanwhile and "configmaps" in path:
            someone, self.meanwhile = self.meanwhile, None
            someone()
        found = self.objects.get(path)
        if found is None:
            raise KubeError(404, "not found")
        version = body.get("metadata", {}).get("resourceVersion")
        if version not in (None, found["metadata"]["resourceVersion"]):
            raise KubeError(409, "has been modified")
        merged = {**found["data"], **body["data"]}
        found["data"] = {key: value for key, value in merged.items() if value is not None}
        found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)

    def delete(self, path: str, **_: Any) -> None:
        self.objects.pop(path, None)
        self.pods = [pod for pod in self.pods if not path.endswith(f"/pods/{pod['metadata']['name']}")]

    def request(self, method: str, path: str, body: Any, headers: Any = None) -> None:
        if path.endswith("/eviction"):
            self.evictions += 1
            if self.budget_refuses:
                self.budget_refuses -= 1
                raise KubeError(429, "disruption budget")
            self.delete(path.removesuffix("/eviction"))
        elif method == "PATCH":
            self.objects[path]["spec"] |= body["spec"]

    def names(self) -> list[str]:
        return sorted(key.rpartition("/")[2] for key in self.objects if key.startswith(NODES))

    def put(self, node: str) -> None:
        meta = {"name": f"on-{node}", "namespace": "default", "uid": node}
        self.pods.append({"metadata": meta, "spec": {"nodeName": node}})


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


def pools(kube: FakeKube, **more: Any) -> NodePools:
    return NodePools(cast(Kube, kube), **more)


def test_a_pool_is_created_with_its_nodes_and_applied_again_without_change(kube: FakeKube) -> None:
    pools(kube).apply(POOL)
    pools(kube).apply(POOL)

    assert kube.names() == ["gke-llm-us-central1-a-0", "gke-llm-us-central1-a-1"]
    assert pools(kube).read() == {"llm": Pool(POOL)}


def test_other_limits_act_in_place(kube: FakeKube) -> None:
    pools(kube).apply(POOL)
    pools(kube).apply({**POOL, "autoscaling": {"totalMinNodeCount": 3, "totalMaxNodeCount": 3}})
    assert len(kube.names()) == 3

    pools(kube).apply({**POOL, "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 1}})
    assert kube.names() == ["gke-llm-us-central1-a-0"]


def test_what_cannot_be_played_is_refused_before_anything_is_written(kube: FakeKube) -> None:
    with pytest.raises(ValueError, match="does not know the machine type"):
        pools(kube).apply({**POOL, "nodeConfig": {"machineType": "quantum"}})

    assert kube.objects == {}


def test_two_who_add_nodes_at_once_never_share_a_network(kube: FakeKube) -> None:
    one, two = pools(kube), pools(kube)
    one.apply(POOL)
    kube.meanwhile = lambda: two.grow(Pool(POOL))

    one.grow(Pool(POOL))

    assert len(kube.names()) == 4
    assert len({kube.objects[f"{NODES}/{name}"]["spec"]["podCIDR"] for name in kube.names()}) == 4


def test_a_deleted_pool_is_drained_as_its_disruption_budgets_allow(kube: FakeKube) -> None:
    pools(kube).apply(POOL)
    kube.put("gke-llm-us-central1-a-0")
    kube.budget_refuses = 2

    pools(kube).delete(POOL)

    assert kube.evictions == 3
    assert (kube.names(), kube.pods, pools(kube).read()) == ([], [], {})
    pools(kube).delete(POOL)


def test_a_budget_that_never_allows_it_holds_a_deletion_up_for_so_long_only(kube: FakeKube) -> None:
    pools(kube).apply(POOL)
    kube.put("gke-llm-us-central1-a-0")
    kube.budget_refuses = 1000

    pools(kube, drain_seconds=0.5).delete(POOL)

    assert kube.names() == []


def test_a_pool_that_ignores_budgets_deletes_its_pods(kube: FakeKube) -> None:
    inputs = {**POOL, "nodeDrainConfigs": []}
    pools(kube).apply(inputs)
    kube.put("gke-llm-us-central1-a-1")

    pools(kube).delete(inputs)

    assert (kube.evictions, kube.pods) == (0, [])
