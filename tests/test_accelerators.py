"""The catalogue of accelerators, and what becomes of a node that an operator asks for."""

from __future__ import annotations

import re
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_rollouts import accelerators as catalogue
from inference_rollouts.accelerators import N1, CatalogueError, MachineType, NodeShape, resolve

SERVING = (
    "nvidia-l4, nvidia-rtx-pro-6000, nvidia-tesla-a100, nvidia-a100-80gb, nvidia-h100-80gb, nvidia-h100-mega-80gb, "
    "nvidia-h200-141gb, nvidia-b200, nvidia-gb200, nvidia-gb300, nvidia-tesla-t4, nvidia-tesla-v100, "
    "tpu-v5-lite-podslice, tpu-v5p-slice, tpu-v6e-slice or tpu7x"
)
FAMILIES = (
    "g2-standard-*, g4-standard-*, a2-highgpu-*, a2-megagpu-*, a2-ultragpu-*, a3-highgpu-*, a3-edgegpu-*, "
    "a3-megagpu-*, a3-ultragpu-*, a4-highgpu-*, a4x-highgpu-*, a4x-maxgpu-*, ct5lp-hightpu-*, ct5p-hightpu-*, "
    "ct6e-standard-*, tpu7x-standard-*, n1-standard-*, n1-highmem-* or n1-highcpu-*"
)
L4_MACHINES = (
    "g2-standard-4, g2-standard-8, g2-standard-12, g2-standard-16, g2-standard-32, g2-standard-24, g2-standard-48 "
    "or g2-standard-96"
)
N1_MACHINES = "n1-standard-N, n1-highmem-N, n1-highcpu-N (N: 2, 4, 8, 16, 32, 64 or 96) or n1-custom-VCPUS-MB"
V6E_HOSTS = "single-host topologies of tpu-v6e-slice: 1x1 (ct6e-standard-1t), 2x2 (ct6e-standard-4t) or 2x4 (ct6e-standard-8t)"
MULTI_HOST = "a multi-host slice needs a LeaderWorkerSet, which this package does not create"

BUILT_IN = [m for m in catalogue.machine_types() if m.name != N1]
ATTACHED = [m for m in catalogue.machine_types() if m.name == N1]
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def problems_of(**asked) -> list[tuple[str, str]]:
    with pytest.raises(CatalogueError) as refused:
        resolve(**asked)
    return list(refused.value.problems)


def refusal_of(**asked) -> str:
    """The problems as `field: sentence`, one a line."""
    return "\n".join(f"{field}: {sentence}" for field, sentence in problems_of(**asked))


def chips(topology: str) -> int:
    return prod(int(side) for side in topology.split("x"))


# --- what is derived --------------------------------------------------------------------------------------------------


def test_a_machine_type_alone_gives_the_whole_node():
    assert resolve(machine_type="g2-standard-24") == NodeShape(
        accelerator="nvidia-l4",
        kind="gpu",
        machine_type="g2-standard-24",
        count=2,
        topology=None,
        resource="nvidia.com/gpu",
        node_selector={"cloud.google.com/gke-accelerator": "nvidia-l4"},
        taint=("nvidia.com/gpu", "present", "NoSchedule"),
        tensor_parallel_size=2,
        cpu_arch="amd64",
        memory_gb_total=48,
        boot_disk_type=None,
    )


def test_a_tpu_node_is_selected_by_generation_and_topology():
    assert resolve(machine_type="ct6e-standard-4t") == NodeShape(
        accelerator="tpu-v6e-slice",
        kind="tpu",
        machine_type="ct6e-standard-4t",
        count=4,
        topology="2x2",
        resource="google.com/tpu",
        node_selector={
            "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
            "cloud.google.com/gke-tpu-topology": "2x2",
        },
        taint=("google.com/tpu", "present", "NoSchedule"),
        tensor_parallel_size=4,
        cpu_arch="amd64",
        memory_gb_total=128,
        boot_disk_type="hyperdisk-balanced",
    )


@pytest.mark.parametrize(
    ("asked", "machine_type"),
    [
        ({"accelerator": "nvidia-l4", "count": 8}, "g2-standard-96"),
        ({"accelerator": "nvidia-h100-mega-80gb"}, "a3-megagpu-8g"),
        ({"accelerator": "nvidia-h100-80gb", "count": 1, "spot": True}, "a3-highgpu-1g"),
        ({"accelerator": "tpu-v6e-slice", "topology": "2x4"}, "ct6e-standard-8t"),
        ({"accelerator": "tpu-v5p-slice"}, "ct5p-hightpu-4t"),
        ({"accelerator": "tpu7x", "count": 4, "topology": "2x2x1"}, "tpu7x-standard-4t"),
    ],
)
def test_an_accelerator_gives_the_machine_type_where_only_one_fits(asked, machine_type):
    assert resolve(**asked).machine_type == machine_type


def test_vllm_sees_two_devices_in_a_chip_of_tpu7x_and_one_in_others():
    sizes = {m: resolve(machine_type=m).tensor_parallel_size for m in ("tpu7x-standard-4t", "ct5lp-hightpu-4t")}
    assert sizes == {"tpu7x-standard-4t": 8, "ct5lp-hightpu-4t": 4}


def test_a_fraction_of_a_gpu_counts_as_one_accelerator_with_less_memory():
    shape = resolve(machine_type="g4-standard-12")
    assert (shape.count, shape.tensor_parallel_size, shape.memory_gb_total) == (1, 1, 24)


def test_grace_nodes_need_arm_images_and_a_hyperdisk():
    shape = resolve(machine_type="a4x-highgpu-4g", reservation=True)
    assert (shape.cpu_arch, shape.boot_disk_type) == ("arm64", "hyperdisk-balanced")


@pytest.mark.parametrize("machine_type", ["n1-standard-8", "n1-highmem-32", "n1-highcpu-2", "n1-custom-48-319488"])
def test_a_t4_is_attached_to_an_n1_machine_of_any_size_that_it_allows(machine_type):
    shape = resolve(accelerator="nvidia-tesla-t4", machine_type=machine_type, count=2)
    assert (shape.machine_type, shape.count, shape.memory_gb_total) == (machine_type, 2, 32)


def test_a_shape_leads_back_to_its_entry_in_the_catalogue():
    attached = resolve(accelerator="nvidia-tesla-t4", machine_type="n1-standard-8", count=4).machine
    assert (attached.name, attached.count, attached.vcpu) == (N1, 4, 96)
    assert resolve(machine_type="g2-standard-12").machine == catalogue.machine_type("g2-standard-12")


def test_nodes_that_are_bought_elsewhere_may_be_sold_in_any_way():
    assert resolve(machine_type="a3-highgpu-1g", spot=True, reservation=True).count == 1
    assert resolve(machine_type="a4x-highgpu-4g", spot=True, reservation=True).count == 4


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({}, f"accelerator: name an accelerator, a machineType or both; accelerators: {SERVING}"),
        (
            {"accelerator": "nvidia-l5"},
            f"accelerator: nvidia-l5 is no accelerator of GKE; did you mean nvidia-l4? Allowed: {SERVING}",
        ),
        ({"accelerator": "gaudi"}, f"accelerator: gaudi is no accelerator of GKE; allowed: {SERVING}"),
        (
            {"accelerator": "nvidia-a100-40gb"},
            "accelerator: nvidia-a100-40gb is no accelerator of GKE: "
            "the accelerator type and label of the A100 40 GB is nvidia-tesla-a100",
        ),
        (
            {"accelerator": "nvidia-tesla-p4", "machine_type": "n1-standard-4", "count": 1},
            "accelerator: nvidia-tesla-p4 cannot serve: its compute capability 6.1 is below 7.0, "
            f"the least that vLLM runs on; allowed: {SERVING}",
        ),
        (
            {"machine_type": "e2-medium"},
            f"machineType: e2-medium is no machine type with accelerators; allowed: {FAMILIES}",
        ),
        (
            {"machine_type": "a3-higpu-8g"},
            f"machineType: a3-higpu-8g is no machine type with accelerators; did you mean a3-highgpu-8g? Allowed: {FAMILIES}",
        ),
        (
            {"accelerator": "nvidia-l4", "machine_type": "g2-standart-8"},
            f"machineType: g2-standart-8 is no machine type of nvidia-l4; did you mean g2-standard-8? Allowed: {L4_MACHINES}",
        ),
        (
            {"machine_type": "ct5p-hightpu-2t"},
            "machineType: ct5p-hightpu-2t cannot be used: no source lists it as a Compute Engine machine type "
            "or names its topologies; use ct5p-hightpu-4t",
        ),
        (
            {"machine_type": "ct5l-hightpu-8t"},
            "machineType: ct5l-hightpu-8t cannot be used: it is the legacy v5e machine (tpu-v5-lite-device); "
            "use ct5lp-hightpu-8t",
        ),
        (
            {"accelerator": "nvidia-l4", "machine_type": "a3-highgpu-8g"},
            f"machineType: a3-highgpu-8g carries nvidia-h100-80gb, not nvidia-l4; machine types of nvidia-l4: {L4_MACHINES}",
        ),
        (
            {"accelerator": "nvidia-l4"},
            f"machineType: nvidia-l4 comes in several machine types; write one: {L4_MACHINES}",
        ),
    ],
)
def test_a_name_that_gives_no_node_is_refused_with_the_right_ones(asked, refusal):
    assert refusal_of(**asked) == refusal


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (
            {"machine_type": "g2-standard-12", "count": 2},
            "count: the count of g2-standard-12 is 1, not 2; g2-standard-24 has 2",
        ),
        ({"accelerator": "nvidia-l4", "count": 3}, "count: the count of nvidia-l4 is 1, 2, 4 or 8, not 3"),
        (
            {"machine_type": "g2-standard-12", "topology": "1x1"},
            "topology: g2-standard-12 has GPUs, and only TPUs have a topology; leave it out",
        ),
        (
            {"accelerator": "tpu-v6e-slice", "topology": "3x3"},
            f"topology: 3x3 is no topology of tpu-v6e-slice; {V6E_HOSTS}",
        ),
        (
            {"accelerator": "tpu-v6e-slice", "topology": "2x2", "count": 1},
            f"topology: 2x2 is no topology of ct6e-standard-1t; {V6E_HOSTS}",
        ),
        (
            {"machine_type": "ct6e-standard-4t", "topology": "2x4"},
            f"topology: 2x4 of ct6e-standard-4t spans several nodes; {MULTI_HOST}; {V6E_HOSTS}",
        ),
        (
            {"machine_type": "ct6e-standard-8t", "topology": "4x4"},
            f"topology: 4x4 of ct6e-standard-4t spans several nodes; {MULTI_HOST}; {V6E_HOSTS}",
        ),
        (
            {"accelerator": "tpu-v5p-slice", "topology": "4x8x8"},
            f"topology: 4x8x8 of ct5p-hightpu-4t spans several nodes; {MULTI_HOST}; "
            "single-host topologies of tpu-v5p-slice: 2x2x1 (ct5p-hightpu-4t)",
        ),
    ],
)
def test_a_node_of_another_size_is_refused_with_the_sizes_there_are(asked, refusal):
    assert refusal_of(**asked) == refusal


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (
            {"accelerator": "nvidia-tesla-t4"},
            f"machineType: nvidia-tesla-t4 comes in several machine types; write one: {N1_MACHINES}\n"
            "count: an N1 machine has the GPUs that are attached to it; write how many: 1, 2 or 4",
        ),
        (
            {"accelerator": "nvidia-tesla-t4", "count": 2},
            f"machineType: nvidia-tesla-t4 comes in several machine types; write one: {N1_MACHINES}",
        ),
        (
            {"machine_type": "n1-standard-8", "count": 8},
            "accelerator: n1-standard-8 has no GPU of its own; name what to attach: nvidia-tesla-t4 or nvidia-tesla-v100",
        ),
        (
            {"accelerator": "nvidia-tesla-t4", "machine_type": "n1-standard-8", "count": 8},
            "count: the count of nvidia-tesla-t4 is 1, 2 or 4, not 8",
        ),
        (
            {"accelerator": "nvidia-l4", "machine_type": "n1-standard-8", "count": 1},
            f"machineType: n1-standard-8 takes no nvidia-l4; machine types of nvidia-l4: {L4_MACHINES}",
        ),
        (
            {"accelerator": "nvidia-tesla-t4", "machine_type": "n1-standard-7", "count": 1},
            "machineType: n1-standard-7 is no machine type of nvidia-tesla-t4; did you mean n1-standard-8? "
            f"Allowed: {N1_MACHINES}",
        ),
        (
            {"accelerator": "nvidia-tesla-v100", "machine_type": "n1-standard-16", "count": 1},
            "machineType: n1-standard-16 has 16 vCPUs and 60 GB; 1 nvidia-tesla-v100 allows at most 12 vCPUs and 78 GB",
        ),
        (
            {"accelerator": "nvidia-tesla-t4", "machine_type": "n1-custom-8-399360", "count": 1},
            "machineType: n1-custom-8-399360 has 8 vCPUs and 390 GB; 1 nvidia-tesla-t4 allows at most 48 vCPUs and 312 GB",
        ),
    ],
)
def test_what_cannot_be_attached_to_an_n1_machine_is_refused(asked, refusal):
    assert refusal_of(**asked) == refusal


CANARY = "set spot: true (the version can then be a canary only)"
H100 = "nvidia-h100-80gb is sold on-demand in a3-highgpu-8g, a3-edgegpu-8g or a3-edgegpu-8g-nolssd"


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (
            {"machine_type": "a3-highgpu-1g"},
            f"spot: a3-highgpu-1g is sold only as spot or flex-start, not as on-demand; {CANARY}; {H100}",
        ),
        (
            {"accelerator": "nvidia-h100-80gb", "count": 2},
            f"spot: a3-highgpu-2g is sold only as spot or flex-start, not as on-demand; {CANARY}; {H100}",
        ),
        (
            {"machine_type": "a3-highgpu-1g", "reservation": True},
            f"reservation: a3-highgpu-1g is sold only as spot or flex-start, not as reservation; {CANARY}; {H100}",
        ),
        (
            {"machine_type": "a3-ultragpu-8g"},
            "spot: a3-ultragpu-8g is sold only as spot, flex-start or reservation, not as on-demand; "
            f"{CANARY} or name a reservation",
        ),
        (
            {"machine_type": "a4x-highgpu-4g"},
            "reservation: a4x-highgpu-4g is sold only as reservation, not as on-demand; name a reservation",
        ),
        (
            {"accelerator": "nvidia-gb300", "spot": True},
            "spot: a4x-maxgpu-4g-metal is sold only as reservation, not as spot; name a reservation",
        ),
    ],
)
def test_a_node_that_is_not_sold_that_way_is_refused_with_the_way_it_is(asked, refusal):
    assert refusal_of(**asked) == refusal


def test_all_problems_are_found_at_once():
    found = problems_of(accelerator="nvidia-h200-141gb", machine_type="g2-standard-4", count=3, topology="2x2")
    assert [field for field, _ in found] == ["machineType", "count", "topology", "spot"]
    assert problems_of(accelerator="nvidia-l4", topology="2x2") == [
        ("machineType", f"nvidia-l4 comes in several machine types; write one: {L4_MACHINES}"),
        ("topology", "nvidia-l4 has GPUs, and only TPUs have a topology; leave it out"),
    ]


def test_the_error_reads_as_one_line_a_problem():
    with pytest.raises(CatalogueError, match=r"^count: the count of g2-standard-96 is 8, not 7$"):
        resolve(machine_type="g2-standard-96", count=7)


def test_looking_up_a_name_that_is_not_there_says_so():
    with pytest.raises(CatalogueError, match=r"^accelerator: nvidia-l5 is no accelerator of GKE; did you mean"):
        catalogue.accelerator("nvidia-l5")
    with pytest.raises(CatalogueError, match=r"^machineType: n1-standard-8 has no GPU of its own"):
        catalogue.machine_type("n1-standard-8")


# --- the whole catalogue ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", BUILT_IN, ids=lambda m: m.name)
def test_every_machine_type_resolves_to_what_it_carries(machine: MachineType):
    shape = resolve(machine_type=machine.name, spot=True, reservation=True)
    assert shape.machine == machine
    assert (shape.accelerator, shape.count, shape.memory_gb_total) == (
        machine.accelerator,
        machine.count,
        machine.memory_gb_total,
    )
    assert (shape.topology,) == (machine.topologies or (None,))


@pytest.mark.parametrize("machine", BUILT_IN, ids=lambda m: m.name)
def test_every_machine_type_is_sold_exactly_as_the_catalogue_says(machine: MachineType):
    ways = {"on-demand": {}, "spot": {"spot": True}, "reservation": {"reservation": True}}
    for way, asked in ways.items():
        if way in machine.consumption:
            resolve(machine_type=machine.name, **asked)
        else:
            assert len(problems_of(machine_type=machine.name, **asked)) == 1


@pytest.mark.parametrize("attached", ATTACHED, ids=lambda m: f"{m.accelerator}-{m.count}")
def test_everything_that_attaches_to_n1_resolves_or_cannot_serve(attached: MachineType):
    asked = {"accelerator": attached.accelerator, "machine_type": "n1-standard-4", "count": attached.count}
    reason = catalogue.accelerator(attached.accelerator).refused
    if reason is None:
        assert resolve(**asked).machine == attached
    else:
        assert reason in dict(problems_of(**asked))["accelerator"]


@pytest.mark.parametrize("machine", [m for m in BUILT_IN if m.multi_host_topologies], ids=lambda m: m.name)
def test_every_multi_host_topology_is_refused_as_one(machine: MachineType):
    for topology in machine.multi_host_topologies:
        assert chips(topology) % machine.count == 0
        assert chips(topology) > machine.count
        assert MULTI_HOST in dict(problems_of(machine_type=machine.name, topology=topology))["topology"]


def test_a_tpu_machine_has_one_topology_of_as_many_chips_as_it_has_and_a_gpu_machine_has_none():
    for machine in catalogue.machine_types():
        sizes = [chips(topology) for topology in machine.topologies]
        assert sizes == ([machine.count] if catalogue.accelerator(machine.accelerator).kind == "tpu" else [])


def test_every_accelerator_has_a_machine_type_and_every_machine_type_an_accelerator():
    carried = {a.name: a.machine_types for a in catalogue.accelerators()}
    assert carried == {name: tuple(dict.fromkeys(m.name for m in catalogue.machine_types(name))) for name in carried}
    assert all(carried.values())
    assert {m.accelerator for m in catalogue.machine_types()} == set(carried)


def test_names_are_unique_and_valid_as_values_of_labels():
    names = [a.name for a in catalogue.accelerators()] + [m.name for m in BUILT_IN]
    assert len(names) == len(set(names))
    assert [name for name in names if not LABEL.fullmatch(name)] == []


def test_the_memory_of_a_node_is_that_of_its_accelerators_but_for_fractions_of_a_gpu():
    less = {
        m.name: m.memory_gb_total
        for m in catalogue.machine_types()
        if m.memory_gb_total != m.count * catalogue.accelerator(m.accelerator).memory_gb
    }
    assert less == {"g4-standard-6": 12, "g4-standard-12": 24, "g4-standard-24": 48}


def test_prices_are_positive_spot_is_cheaper_and_each_has_a_source():
    prices = [m.price_usd_hour for m in catalogue.machine_types() if m.price_usd_hour]
    assert len(prices) > 30
    for price in prices:
        assert all(usd > 0 for usd in (price.on_demand, price.spot) if usd is not None)
        assert price.on_demand is None or price.spot is None or price.spot < price.on_demand
        assert price.source in catalogue.sources()
        assert price.date is None or price.date[:7] <= catalogue.data_as_of()


def test_a_version_floor_is_given_once_per_gke_minor():
    for thing in [*catalogue.accelerators(), *catalogue.machine_types()]:
        minors = [re.fullmatch(r"(1\.\d+)\.\d+-gke\.\d+", floor) for floor in thing.gke_min]
        assert None not in minors
        assert len({m[1] for m in minors if m}) == len(minors)
        assert thing.gke_min_known or not thing.gke_min


def test_only_fractions_of_a_gpu_have_a_floor_of_their_own():
    own = {m.name for m in BUILT_IN if m.gke_min != catalogue.accelerator(m.accelerator).gke_min}
    assert own == {"g4-standard-6", "g4-standard-12", "g4-standard-24"}


def test_an_accelerator_below_what_vllm_runs_on_is_refused_and_no_other():
    too_old = {a.name for a in catalogue.accelerators() if a.compute_capability and float(a.compute_capability) < 7.0}
    assert too_old == {a.name for a in catalogue.accelerators() if a.refused}
    assert too_old == {"nvidia-tesla-p4", "nvidia-tesla-p100"}


def test_the_catalogue_is_read_once():
    assert catalogue.accelerators() is catalogue.accelerators()


@given(
    accelerator=st.none() | st.sampled_from([*(a.name for a in catalogue.accelerators()), "nvidia-l5"]),
    machine_type=st.none() | st.sampled_from([*(m.name for m in BUILT_IN), "n1-standard-96", "n1-custom-4-16384", N1]),
    count=st.none() | st.integers(0, 17),
    topology=st.none() | st.sampled_from(["1x1", "2x2", "2x4", "4x4", "2x2x1", "2x2x2", ""]),
    spot=st.booleans(),
    reservation=st.booleans(),
)
def test_what_resolves_is_what_was_asked_for_and_all_else_has_reasons(**asked):
    try:
        shape = resolve(**asked)
    except CatalogueError as refused:
        fields = [field for field, _ in refused.problems]
        assert fields
        assert len(fields) == len(set(fields)), "one sentence per field"
        return
    for key in ("accelerator", "machine_type", "count", "topology"):
        assert asked[key] in (None, getattr(shape, key)), key
