"""`like`: what a version inherits, what it overrides, and what null removes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from inference_rollouts.errors import InputError
from inference_rollouts.settings import Version, load

STABLE: dict[str, Any] = {
    "nodes": {"accelerator": "nvidia-l4", "machineType": "g2-standard-12", "zones": ["us-central1-a"], "max": 6},
    "server": {
        "model": "Qwen/Qwen3-8B",
        "image": "vllm/vllm-openai:v0.32.0",
        "args": ["--max-model-len", "8192"],
        "env": {"A": "1", "B": "2"},
        "autoscaling": {"min": 1, "max": 4},
        "lora": {"maxLoras": 4, "maxRank": 16},
    },
    "endpointPicker": {"replicas": 2},
    "names": {"server": "old-server"},
    "allowInPlaceUpdates": True,
}


def config(**versions: Any) -> dict[str, Any]:
    """A stack whose service serves `stable` and rolls out to `canary`, where there is one."""
    service: dict[str, Any] = {"serving": "stable", "versions": versions}
    if "canary" in versions:
        service["rollout"] = {"to": "canary", "stage": "prepare"}
    return {
        "cluster": {"name": "my-cluster", "location": "us-central1"},
        "gateway": {"name": "my-gateway"},
        "services": {"llm": service},
    }


def canary(**own: Any) -> Version:
    """The version that is like the base, with its own keys on top."""
    stack = load(config(stable=copy.deepcopy(STABLE), canary={"like": "stable", **own}))
    return stack.services["llm"].versions["canary"]


def problems(**versions: Any) -> list[str]:
    with pytest.raises(InputError) as e:
        load(config(**versions))
    return [str(problem).removeprefix("services.llm.versions.") for problem in e.value.problems]


def test_what_a_version_does_not_say_it_inherits():
    version = canary()
    stable = load(config(stable=copy.deepcopy(STABLE))).services["llm"].versions["stable"]

    assert (version.nodes, version.server, version.endpoint_picker) == (stable.nodes, stable.server, stable.endpoint_picker)


def test_maps_merge_at_every_depth():
    version = canary(server={"autoscaling": {"max": 5}, "env": {"B": "3", "C": "4"}})

    assert version.server is not None
    assert version.server.autoscaling is not None
    assert (version.server.autoscaling.min, version.server.autoscaling.max) == (1, 5)
    assert version.server.env == {"A": "1", "B": "3", "C": "4"}
    assert version.server.image == "vllm/vllm-openai:v0.32.0"


def test_lists_replace():
    version = canary(server={"args": ["--seed", "1"]}, nodes={"zones": ["us-central1-b"]})

    assert version.server is not None
    assert version.nodes is not None
    assert (version.server.args, version.nodes.zones) == (("--seed", "1"), ("us-central1-b",))


def test_null_removes_what_would_be_inherited_at_every_depth():
    version = canary(
        server={"autoscaling": None, "args": None, "env": {"A": None}, "lora": None}, nodes={"zones": None}, endpointPicker=None
    )

    assert version.server is not None
    assert version.nodes is not None
    assert (version.server.autoscaling, version.server.args, version.server.env, version.server.lora) == (
        None,
        (),
        {"B": "2"},
        None,
    )
    assert (version.nodes.zones, version.endpoint_picker.replicas) == ((), 1)


def test_null_of_what_nobody_has_changes_nothing():
    assert canary(server={"resources": None, "podSpec": {"hostNetwork": None}}).server == canary().server


def test_null_in_a_version_that_is_like_no_other_is_nothing_or_a_problem():
    nothing = {**copy.deepcopy(STABLE), "external": None, "nodes": {**STABLE["nodes"], "spot": None}}
    empty = {**copy.deepcopy(STABLE), "endpointPicker": {"replicas": None}}

    assert load(config(stable=nothing)) == load(config(stable=copy.deepcopy(STABLE)))
    assert problems(stable=empty) == ["stable.endpointPicker.replicas: is empty; give it a value, or take it out"]


def test_null_in_a_list_is_a_problem_also_where_something_is_inherited():
    assert problems(stable=copy.deepcopy(STABLE), canary={"like": "stable", "server": {"args": [None]}}) == [
        "canary.server.args[0]: is empty; give it a value, or take it out"
    ]


def test_another_accelerator_drops_what_belonged_to_the_old_one():
    own = {"accelerator": "tpu-v6e-slice", "machineType": "ct6e-standard-4t"}
    nodes = {**STABLE["nodes"], "count": 1, "driver": "LATEST"}
    stack = load(config(stable={**copy.deepcopy(STABLE), "nodes": nodes}, canary={"like": "stable", "nodes": own}))
    version = stack.services["llm"].versions["canary"].nodes

    assert version is not None
    assert (version.count, version.driver, version.machine_type) == (None, None, "ct6e-standard-4t")
    assert (version.zones, version.max) == (("us-central1-a",), 6), "zones and sizes are no matter of the accelerator"


def test_the_same_accelerator_drops_nothing():
    nodes = canary(nodes={"accelerator": "nvidia-l4"}).nodes

    assert nodes is not None
    assert nodes.machine_type == "g2-standard-12"


def test_names_and_permissions_are_not_inherited():
    version = canary()

    assert (version.names.server, version.allow_in_place_updates, version.like) == (None, False, "stable")


def test_a_version_inherits_through_another_one():
    stack = load(
        config(
            stable={"like": "middle", "server": {"replicas": 3, "autoscaling": None}},
            middle={"like": "base", "server": {"args": ["--seed", "1"]}},
            base=copy.deepcopy(STABLE),
        )
    )
    server = stack.services["llm"].versions["stable"].server

    assert server is not None
    assert (server.replicas, server.args, server.model) == (3, ("--seed", "1"), "Qwen/Qwen3-8B")


def test_the_order_of_the_versions_does_not_matter():
    own = {"like": "stable", "server": {"args": ["--seed", "1"]}}
    first = load(config(stable=copy.deepcopy(STABLE), canary=own))
    second = load(config(canary=own, stable=copy.deepcopy(STABLE)))

    assert first == second


def test_a_template_need_not_be_complete():
    template = {"server": {"image": "vllm/vllm-openai:v0.32.0", "lora": {"maxRank": 16}, "tokenSecret": {"key": "hf"}}}
    own = {
        "like": "template",
        "nodes": STABLE["nodes"],
        "server": {"model": "Qwen/Qwen3-8B", "lora": {"maxLoras": 1}, "tokenSecret": {"name": "token"}},
    }

    version = load(config(template=template, stable=own)).services["llm"].versions["stable"]

    assert version.server is not None
    assert version.server.lora is not None
    assert (version.server.lora.max_loras, version.server.lora.max_rank) == (1, 16)


def test_what_a_template_leaves_out_is_missing_in_the_version_that_is_built():
    assert problems(template={"server": {"lora": {"maxRank": 16}}}, stable={"like": "template", "nodes": STABLE["nodes"]}) == [
        "stable.server.image: is missing: the container image, as vllm/vllm-openai:v0.32.0",
        "stable.server.lora.maxLoras: is missing: adapters in one batch",
        "stable.server.model: is missing: the model to load, as meta-llama/Llama-3.1-8B-Instruct",
    ]


def test_a_mistake_that_is_inherited_is_said_where_it_is_written_and_only_there():
    base = {**copy.deepcopy(STABLE), "nodes": {"accelerator": "nvidia-l5", "machineType": "g2-standard-12"}}
    (found,) = problems(base=base, stable={"like": "base"}, canary={"like": "base"})

    assert found.startswith("base.nodes.accelerator: nvidia-l5 is no accelerator of GKE")


def test_the_same_mistake_written_twice_is_said_twice():
    image = {"image": "vllm/vllm-openai"}
    found = problems(
        stable={**copy.deepcopy(STABLE), "server": {**STABLE["server"], **image}}, canary={"like": "stable", "server": image}
    )

    assert [problem.split(":")[0] for problem in found] == ["canary.server.image", "stable.server.image"]


def test_a_circle_of_three_is_said_once_and_nothing_follows_from_it():
    assert problems(stable={"like": "b"}, b={"like": "c"}, c={"like": "stable"}) == [
        "stable.like: goes round in a circle: stable -> b -> c -> stable; one of them must stand alone"
    ]


def test_nothing_is_missing_in_a_version_whose_base_is_misspelt():
    assert problems(stable=copy.deepcopy(STABLE), canary={"like": "stabel", "server": {"image": "vllm/vllm-openai"}}) == [
        "canary.like: stabel is no version of this service; did you mean stable? Allowed: stable",
        "canary.server.image: vllm/vllm-openai has no tag or digest; name one, so that every pod runs the same server",
    ]


def test_another_base_model_inherits_no_sources_of_adapters():
    """They were trained for the other one."""
    service = config(stable=copy.deepcopy(STABLE))["services"]["llm"]
    service["adapters"] = {"tone": {"serving": "tone-v1", "versions": {"tone-v1": {"source": "gs://mine/8b/tone"}}}}
    service["versions"] |= {
        "second": {"like": "stable", "server": {"model": "org/b"}, "adapters": {"tone-v1": {"source": "gs://mine/b/tone"}}},
        "third": {"like": "second", "server": {"model": "org/c"}},
        "bigger": {"like": "second", "server": {"replicas": 3, "autoscaling": None}},
    }
    service |= {"serving": "second", "rollout": {"to": "third", "stage": "prepare"}}
    stack = {**config(stable={}), "services": {"llm": service}}

    with pytest.raises(InputError, match=r"services\.llm\.versions\.third\.adapters: lacks adapter tone-v1"):
        load(stack)
    service["versions"]["third"]["adapters"] = {"tone-v1": {"source": "gs://mine/c/tone"}}
    versions = load(stack).services["llm"].versions
    assert versions["bigger"].adapters["tone-v1"].source == "gs://mine/b/tone"
