"""The loader: what a config means, key by key, with its defaults and units."""

from __future__ import annotations

import copy
import random
from typing import Any

import pydantic
import pytest

from inference_rollouts.errors import InputError
from inference_rollouts.settings import Stack, load
from inference_rollouts.settings.base import Settings
from inference_rollouts.settings.model import DEFAULT_STEPS
from inference_rollouts.settings.sentences import keys_of, model_at
from inference_rollouts.settings.stack_file import read
from tests.conftest import EXAMPLES, ROOT, example

SMALLEST: dict[str, Any] = {
    "cluster": {"name": "my-cluster", "location": "us-central1"},
    "gateway": {"name": "my-gateway"},
    "services": {
        "llm": {
            "serving": "llm-l4",
            "versions": {
                "llm-l4": {
                    "nodes": {"accelerator": "nvidia-l4", "machineType": "g2-standard-12"},
                    "server": {"model": "Qwen/Qwen3-8B", "image": "vllm/vllm-openai:v0.32.0"},
                }
            },
        }
    },
}


def smallest(**service: Any) -> dict[str, Any]:
    config = copy.deepcopy(SMALLEST)
    config["services"]["llm"] |= service
    return config


def own(name: str) -> dict[str, Any]:
    return {key.removeprefix("inference-rollouts:"): value for key, value in example(name).items() if "rollouts:" in key}


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same value, the keys of all its maps in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        return {key: shuffled(inner, chance) for key, inner in items}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def models_below(model: type[Settings], seen: set[type[Settings]]) -> set[type[Settings]]:
    """A model and all models of its keys."""
    if model not in seen:
        seen.add(model)
        for key in keys_of(model):
            for location in ((key,), (key, "name"), (key, 0)):
                if (inner := model_at(model, location)) is not None:
                    assert issubclass(inner, Settings)
                    models_below(inner, seen)
    return seen


MODELS = sorted(models_below(Stack, set()), key=lambda model: model.__name__)


def test_what_is_left_out_has_its_default():
    stack = load(SMALLEST)
    service = stack.services["llm"]
    version = service.versions["llm-l4"]

    assert (stack.cluster.gke, stack.cluster.endpoint, stack.cluster.project, stack.gateway.namespace) == (
        True,
        "dns",
        None,
        None,
    )
    assert (service.namespace, service.models, service.route.name, service.longest_request) == ("default", (), None, 300)
    assert (service.inference_api, service.rollout, service.adapters, service.decommission) == ("v1", None, {}, False)
    assert version.server is not None
    assert (version.server.replicas, version.server.engine, version.server.load_timeout) == (1, "vllm", 1800)
    assert (version.server.service_account, version.server.args, version.server.lora) == ("default", (), None)
    assert (version.endpoint_picker.replicas, version.endpoint_picker.failure_mode) == (1, "FailOpen")
    assert (version.external, version.names.pool, version.allow_in_place_updates) == (None, None, False)


def test_a_rollout_without_steps_has_the_default_steps():
    config = smallest(rollout={"to": "llm-new", "stage": 25})
    config["services"]["llm"]["versions"]["llm-new"] = {"like": "llm-l4"}
    rollout = load(config).services["llm"].rollout

    assert rollout is not None
    assert rollout.steps == DEFAULT_STEPS == (1, 10, 25, 50, 100)
    assert rollout.ladder == ("baseline", "prepare", 1, 10, 25, 50, 100, "retire")


@pytest.mark.parametrize(("written", "seconds"), [("1s", 1), ("300s", 300), ("5m", 300), ("1h", 3600)])
def test_durations_become_seconds(written, seconds):
    assert load(smallest(longestRequest=written)).services["llm"].longest_request == seconds


def test_lists_become_tuples_and_keys_are_in_camel_case_in_the_file_only():
    service = load(own("lora-adapter")).services["llm"]

    assert service.models == ("llama-3.1-8b",)
    assert service.adapters["llm"].rollout is not None
    assert service.adapters["llm"].rollout.steps == (10, 50, 100)
    assert service.versions["llm-pool"].server is not None
    assert service.versions["llm-pool"].server.lora is not None
    assert service.versions["llm-pool"].server.lora.max_rank == 16


def test_what_goes_to_an_api_is_kept_as_it_is_written():
    match = {"path": {"value": "/v1"}, "queryParams": [{"name": "a", "value": "b"}]}
    parent = {"name": "other", "sectionName": "web"}
    resources = {"limits": {"nvidia.com/gpu": 1, "memory": "16Gi"}}
    config = smallest(route={"matches": [match], "parentRefs": [parent]})
    config["services"]["llm"]["versions"]["llm-l4"]["server"]["resources"] = resources
    service = load(config).services["llm"]

    assert (service.route.matches, service.route.parent_refs) == ((match,), (parent,))
    assert service.versions["llm-l4"].server is not None
    assert service.versions["llm-l4"].server.resources == resources


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_order_of_keys_does_not_matter(name):
    config = own(name)
    for seed in range(10):
        assert load(shuffled(config, random.Random(seed))) == load(config)


@pytest.mark.parametrize("name", EXAMPLES)
def test_keys_with_and_without_the_namespace_are_the_same(name, tmp_path):
    text = (ROOT / "stacks" / f"Pulumi.{name}.yaml").read_text("utf-8")
    bare = tmp_path / "bare.yaml"
    bare.write_text(text.replace("inference-rollouts:", ""), "utf-8")

    assert read(bare).settings() == load(own(name))
    assert set(read(bare).config) == set(example(name)), "the program gets the namespaced keys either way"


@pytest.mark.parametrize("name", EXAMPLES)
def test_loading_changes_nothing_that_it_was_given(name):
    config = own(name)
    before = copy.deepcopy(config)
    load(config)

    assert config == before


def test_settings_are_frozen():
    stack = load(SMALLEST)
    for value, key in ((stack, "cluster"), (stack.cluster, "name"), (stack.services["llm"], "serving")):
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(value, key, "other")


@pytest.mark.parametrize("key", ["rollout", "route.name", "adapters.llm.criticality", "adapters.llm.rollout.override"])
def test_a_key_that_may_have_nothing_may_be_written_down_as_nothing(key):
    config, without = own("lora-adapter"), own("lora-adapter")
    inside, keys = config["services"]["llm"], key.split(".")
    left_out = without["services"]["llm"]
    for part in keys[:-1]:
        inside, left_out = inside[part], left_out[part]
    inside[keys[-1]] = None
    left_out.pop(keys[-1], None)

    assert load(config) == load(without)


def test_a_version_that_is_neither_serving_nor_to_is_a_template_and_need_not_be_complete():
    config = smallest()
    config["services"]["llm"]["versions"]["spare"] = {"server": {"replicas": 2}}

    assert load(config).services["llm"].versions["spare"].nodes is None


def test_the_same_template_is_incomplete_as_soon_as_it_is_rolled_out():
    config = smallest(rollout={"to": "spare", "stage": "baseline"})
    config["services"]["llm"]["versions"]["spare"] = {"server": {"replicas": 2}}
    with pytest.raises(InputError) as e:
        load(config)

    assert [problem.path.removeprefix("services.llm.versions.spare.") for problem in e.value.problems] == [
        "nodes",
        "server.image",
        "server.model",
    ]


def test_a_cluster_with_a_context_only_is_no_gke_cluster_and_needs_no_accelerator():
    config = {**smallest(), "cluster": {"context": "kind-sandbox"}}
    config["services"]["llm"]["versions"]["llm-l4"] = {
        "server": {"engine": "openai", "image": "ghcr.io/llm-d/llm-d-inference-sim:v0.9.0"}
    }

    assert load(config).cluster.gke is False


@pytest.mark.parametrize(
    "image",
    ["vllm/vllm-openai:v0.32.0", "registry.example.com:5000/vllm:1", f"vllm@sha256:{'a' * 64}", f"vllm:latest@sha256:{'0' * 64}"],
)
def test_an_image_with_a_tag_or_a_digest_means_one_thing(image):
    config = smallest()
    config["services"]["llm"]["versions"]["llm-l4"]["server"]["image"] = image

    load(config)


@pytest.mark.parametrize(
    "source", ["gs://bucket/path/to/adapter", "hf://acme/tone@main", "hf://acme/tone.v1@3f1c0a9", "/adapters/tone"]
)
def test_an_adapter_comes_from_a_bucket_from_the_hub_or_from_the_image(source):
    config = own("lora-adapter")
    config["services"]["llm"]["adapters"]["llm"]["versions"]["llm-v2"]["source"] = source

    load(config)


def test_adapter_and_model_names_may_hold_slashes_and_capitals():
    config = own("lora-adapter")
    config["services"]["llm"]["models"] = ["meta-llama/Llama-3.1-8B"]
    config["services"]["llm"]["adapters"]["acme/Tone.v1"] = {
        "serving": "acme/Tone.v1-a",
        "versions": {"acme/Tone.v1-a": {"source": "/a"}},
    }

    load(config)


def test_services_may_overlap_when_one_host_is_more_specific():
    config = smallest()
    other = copy.deepcopy(config["services"]["llm"])
    other |= {
        "serving": "code-l4",
        "versions": {"code-l4": other["versions"]["llm-l4"]},
        "route": {"hostnames": ["code.example.com"]},
    }
    config["services"]["code"] = other

    assert set(load(config).services) == {"llm", "code"}


def test_equal_doors_of_two_gateways_are_no_clash():
    config = smallest()
    other = copy.deepcopy(config["services"]["llm"])
    other |= {
        "serving": "code-l4",
        "versions": {"code-l4": other["versions"]["llm-l4"]},
        "route": {"parentRefs": [{"name": "other"}]},
    }
    config["services"]["code"] = other

    load(config)


def test_a_config_that_is_nested_without_end_is_a_problem_and_no_traceback():
    value: Any = {}
    for _ in range(5000):
        value = {"a": value}
    with pytest.raises(InputError, match="nested"):
        load({**SMALLEST, "services": value})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_documented_in_a_sentence(model):
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} has no docstring"
        assert field.description.rstrip().endswith((".", ")")), f"{model.__name__}.{name}: {field.description}"


def test_every_key_of_the_design_that_acts_is_there():
    """The keys that stack files have been promised; more may follow, none of these may go."""
    keys = {
        (): "cluster gateway services",
        ("cluster",): "name location project endpoint context",
        ("gateway",): "name namespace create",
        ("gateway", "create"): "class listeners tls address",
        (
            "services",
            "s",
        ): "namespace models route serving versions adapters rollout decommission longestRequest backendPolicy inferenceApi",
        ("services", "s", "route"): "name hostnames matches parentRefs rules",
        ("services", "s", "versions", "v"): "like nodes server endpointPicker adapters external names allowInPlaceUpdates",
        ("services", "s", "versions", "v", "nodes"): (
            "accelerator count machineType topology zones min max spot reservation driver version existing computeClass "
            "nodeSelector"
        ),
        ("services", "s", "versions", "v", "server"): (
            "model image replicas autoscaling lora serviceAccount args env resources tokenSecret loadTimeout podLabels "
            "podAnnotations podSpec"
        ),
        ("services", "s", "versions", "v", "server", "autoscaling"): "min max metric target",
        ("services", "s", "versions", "v", "server", "lora"): "maxLoras maxRank",
        ("services", "s", "versions", "v", "server", "tokenSecret"): "name key",
        ("services", "s", "versions", "v", "endpointPicker"): "image replicas failureMode resources args config",
        ("services", "s", "versions", "v", "adapters", "a"): "source",
        ("services", "s", "versions", "v", "external"): "pool",
        ("services", "s", "versions", "v", "names"): "nodePool server pool picker",
        ("services", "s", "adapters", "a"): "serving versions criticality rollout decommission",
        ("services", "s", "adapters", "a", "versions", "v"): "source rank",
        ("services", "s", "adapters", "a", "rollout"): "to steps stage kind override",
        ("services", "s", "rollout"): "to steps stage kind override test",
        ("services", "s", "rollout", "override"): "from to reason by",
        ("services", "s", "rollout", "test"): "header value",
    }
    for location, words in keys.items():
        model = model_at(Stack, location)
        assert model is not None, location
        assert set(words.split()) <= set(keys_of(model)), location
