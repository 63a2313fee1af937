"""The JSON Schema that editors use: valid, the one in stacks/, and of one mind with the loader."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from inference_rollouts.cli.generate import settings_table
from inference_rollouts.errors import InputError
from inference_rollouts.settings import PROJECT, Stack, load
from inference_rollouts.settings.schema import schema, schema_text
from inference_rollouts.settings.stack_file import read
from tests.conftest import ROOT, example

SHIPPED = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def whole(config: dict[str, Any]) -> dict[str, Any]:
    return {"config": {key if ":" in key else f"{PROJECT}:{key}": value for key, value in config.items()}}


def own(name: str) -> dict[str, Any]:
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in example(name).items() if key.startswith(PROJECT)}


def changed(name: str, path: str, value: Any) -> dict[str, Any]:
    """An example with another value at a dotted path."""
    config = own(name)
    inside, keys = config, path.split(".")
    for key in keys[:-1]:
        inside = inside.setdefault(key, {})
    inside[keys[-1]] = value
    return config


def loads(config: dict[str, Any]) -> bool:
    try:
        load(config)
    except InputError:
        return False
    return True


def keys_below(body: dict[str, Any], at: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every `properties` map of the schema with its path."""
    found = [(at, body)] if "properties" in body else []
    for key, value in body.items():
        if isinstance(value, dict):
            found += keys_below(value, f"{at}/{key}")
    return found


def test_the_schema_is_valid_json_schema_2020_12():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_file_beside_the_stacks_is_the_generated_one():
    assert (ROOT / "stacks/schema.json").read_text("utf-8") == schema_text(), "run: make generate"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_stack_is_valid_and_names_the_schema(path):
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=schema.json\n")
    VALIDATOR.validate(whole(read(path).config))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_keys_without_the_namespace_are_valid_too(path):
    bare = {key.removeprefix(f"{PROJECT}:"): value for key, value in read(path).config.items()}

    VALIDATOR.validate({"config": bare})


def test_no_map_of_ours_lets_an_unknown_key_pass():
    for at, body in keys_below(SCHEMA):
        assert body["additionalProperties"] is False, at


@pytest.mark.parametrize(
    "path",
    [
        "cluste", "services.llm.servin", "services.llm.versions.llm.node", "services.llm.versions.llm.nodes.machinetype",
        "services.llm.versions.llm.server.modle", "services.llm.versions.llm.server.lora.maxLora", "services.llm.rollout.stge",
        "services.llm.route.hostname", "services.llm.versions.llm.server.resources.limit", "gateway.creat",
    ],
)  # fmt: skip
def test_a_misspelt_key_is_refused_by_both(path):
    config = changed("node-update", path, {})

    assert not VALIDATOR.is_valid(whole(config))
    assert not loads(config)


def test_every_key_of_the_loader_is_in_the_schema_with_its_description():
    for name, body in SCHEMA["$defs"].items():
        for key, value in body["properties"].items():
            assert value.get("description"), f"{name}.{key}"
    assert set(Stack.model_fields) <= set(SCHEMA["properties"]["config"]["properties"])


AGREED = [
    ("services.llm.longestRequest", ["1s", "300s", "5m", "1h"], ["300", 300, "5 m", "1d", "", None]),
    ("services.llm.inferenceApi", ["v1", "llm-d", "v1alpha2"], ["v2", "V1", "", 1, None]),
    ("services.llm.namespace", ["a", "my-space", "1-a", "x" * 63], ["My", "a_b", "-a", "a-", "x" * 64, "", None]),
    ("services.llm.models", [["llm"], ["meta-llama/Llama-3", "b"]], [["a b"], ["-x"], [""], ["x" * 254], "llm", [1], None]),
    ("services.llm.decommission", [True, False], ["true", 1, None]),
    ("services.llm.rollout.stage", ["baseline", "prepare", "retire", 1, 10, 100], ["10", 0, 101, True, "canary", [10], None]),
    ("services.llm.rollout.steps", [[1, 10, 100]], [[], [0, 100], [101], ["10", 100], 100, None]),
    ("services.llm.rollout.test", [{"header": "x-canary", "value": "a"}], [{"header": "x y", "value": "a"}, {"header": "x"}]),
    ("services.llm.route.hostnames", [["a.example.com", "*.b.com"]], [["https://a"], ["A.b"], [".a"], ["a..b"], "a.b", None]),
    ("services.llm.route.name", ["r", "a.b-c", None], ["R", "a_b", "-a", "", "x" * 254]),
    ("services.llm.versions.llm.nodes.min", [0, 1, 6], [-1, 1.5, "1", 1_000_000]),
    ("services.llm.versions.llm.nodes.zones", [["us-central1-a", "us-central1-ai1a"]], [["US"], ["a b"], "us-central1-a"]),
    ("services.llm.versions.llm.nodes.driver", ["DEFAULT", "LATEST", "INSTALLATION_DISABLED"], ["latest", "", True]),
    ("services.llm.versions.llm.server.replicas", [1, 4], [0, "4", 4.5, True]),
    ("services.llm.versions.llm.server.engine", ["vllm", "openai"], ["sglang", 1]),
    ("services.llm.versions.llm.server.lora.maxRank", [], [17, 0, "16"]),
    ("services.llm.versions.llm.server.lora", [{"maxLoras": 4, "maxRank": rank} for rank in (1, 16, 512)], [{"maxLoras": 0}, 4]),
    ("services.llm.versions.llm.server.loadTimeout", ["90s", "24h"], ["90", 90, "1d"]),
    ("services.llm.versions.llm.server.env", [{"A": "1"}, {}], [{"A": 1}, ["A=1"], "A=1"]),
    ("services.llm.versions.llm.server.args", [["--seed", "1"], []], [["--seed", 1], "--seed 1"]),
    ("services.llm.versions.llm.endpointPicker.failureMode", ["FailOpen", "FailClose"], ["failOpen", "", 1]),
    ("services.llm.versions.llm.names.nodePool", ["a", "a-1"], ["x" * 41, "1a", "A", ""]),
    ("services.llm.versions.llm.names.picker", ["a-epp", "x" * 63], ["1a", "a.b", "x" * 64]),
    ("cluster.location", ["us-central1", "us-central1-a"], ["Iowa", "us", "", 1]),
    ("cluster.endpoint", ["dns", "private", "public", "connect-gateway"], ["DNS", "", None]),
    ("gateway.namespace", ["infra", None], ["Infra", ""]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "good", "bad"), AGREED, ids=[path for path, _, _ in AGREED])
def test_schema_and_loader_agree_about_what_one_place_may_say(path, good, bad):
    for value in good:
        assert VALIDATOR.is_valid(whole(changed("node-update", path, value))), f"the schema refuses {value!r}"
        assert loads(changed("node-update", path, copy.deepcopy(value))), f"the loader refuses {value!r}"
    for value in bad:
        assert not VALIDATOR.is_valid(whole(changed("node-update", path, value))), f"the schema takes {value!r}"
        assert not loads(changed("node-update", path, copy.deepcopy(value))), f"the loader takes {value!r}"


@pytest.mark.parametrize(
    ("path", "value", "valid"),
    [
        ("services.llm.versions.llm-new.server.args", None, True),
        ("services.llm.versions.llm-new.nodes", None, True),
        ("services.llm.versions.llm-new.server.lora", {"maxRank": 16}, True),
        ("services.llm.versions.llm-new.server.env", {"A": None}, True),
        ("services.llm.rollout", None, True),
        ("services.llm.rollout.stage", None, False),
        ("cluster", None, False),
    ],
)
def test_null_and_gaps_are_for_versions_which_may_inherit(path, value, valid):
    assert VALIDATOR.is_valid(whole(changed("node-update", path, value))) is valid


@pytest.mark.parametrize(
    ("path", "names", "bad"),
    [
        ("services", ["llm", "chat-2"], ["LLM", "2chat", "a.b", "x" * 41]),
        ("services.llm.versions", ["llm", "a-b"], ["llm_new", "1a", "x" * 41]),
        ("services.llm.adapters", ["acme/Tone", "tone.v1"], ["a b", "-a", "x" * 254]),
    ],
)
def test_names_of_services_versions_and_adapters_are_judged(path, names, bad):
    of_schema = SCHEMA["properties"]["config"]["properties"]["services"]
    for key in path.split(".")[2:]:
        of_schema = SCHEMA["$defs"]["Service"]["properties"][key]
    judge = jsonschema.Draft202012Validator(of_schema["propertyNames"])

    assert all(judge.is_valid(name) for name in names)
    assert not any(judge.is_valid(name) for name in bad)


def places(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every path that the schema allows below one, with its body: through references, maps and lists."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", ()):
        yield from places(choice, path)
    for key, inner in schema.get("properties", {}).items():
        if not key.startswith(f"{PROJECT}:"):
            here = f"{path}.{key}".lstrip(".")
            yield here, inner
            yield from places(inner, here)
    for key, suffix in (("additionalProperties", ".<name>"), ("items", "[]")):
        if isinstance(schema.get(key), dict):
            yield from places(schema[key], f"{path}{suffix}")


def test_the_table_of_the_documentation_has_every_place_that_the_schema_has():
    rows = {line.split(" | ")[0].strip("|` "): line.split(" | ")[1] for line in settings_table().splitlines() if "| `" in line}
    allowed = dict(places(SCHEMA["properties"]["config"]))

    assert rows.keys() == allowed.keys()
    assert {path for path, kind in rows.items() if kind.startswith("number")} == {
        path for path, body in allowed.items() if "number" in [part.get("type") for part in body.get("anyOf", [body])]
    }


def test_every_property_of_every_model_is_in_the_table():
    rows = [line.split(" | ")[0].strip("|` ") for line in settings_table().splitlines()]
    for name, model in SCHEMA["$defs"].items():
        for key in model["properties"]:
            assert any(row.rpartition(".")[2] == key for row in rows), f"{name}.{key} is not in the table"
