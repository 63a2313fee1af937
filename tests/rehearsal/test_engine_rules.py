"""Each rule of the model, with a test that fails when the rule is another."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_rollouts.manifests import node_pool
from inference_rollouts.rehearsal import engine_rules as rules
from inference_rollouts.rehearsal.recording import Recording
from tests.rehearsal.resources import PROVIDER, Hook, kubernetes, replace, resource

MUTABLE = {"enableConfigMapMutable": "true"}


def test_every_rule_names_its_source_and_is_tested_here():
    tests = Path(__file__).read_text("utf-8")

    for name, rule in inspect.getmembers(rules, inspect.isfunction):
        if name.startswith("_") or rule.__module__ != rules.__name__:
            continue
        assert re.search(r"\w+\.go|SDK", rule.__doc__ or ""), f"{name} says not where it comes from"
        assert f"rules.{name}(" in tests, f"{name} has no test"


# --- what changes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({"a": 1}, {}, ["a"]),
        ({}, {"a": {"b": 1}}, ["a"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ["a.c"]),
        ({"l": [{"w": 90}, {"w": 10}]}, {"l": [{"w": 75}, {"w": 25}]}, ["l[0].w", "l[1].w"]),
        ({"l": [1]}, {"l": [1, 2]}, ["l[1]"]),
        ({"l": [1, 2]}, {"l": [1]}, ["l[1]"]),
        ({"m": {"a.b/c": 1}}, {"m": {"a.b/c": 2}}, ['m["a.b/c"]']),
        ({"a": 1}, {"a": "1"}, ["a"]),
        ({"a": [1]}, {"a": {"b": 1}}, ["a"]),
    ],
)
def test_the_paths_that_change_are_named_as_a_preview_names_them(old, new, paths):
    assert rules.changed_paths(old, new) == paths


def test_ignored_paths_and_what_is_below_them_are_not_compared():
    paths = ["spec.replicas", "spec.template.spec.image", "specials", "list[0].a"]

    assert rules.without_ignored(paths, ["spec.template", "list"]) == ["spec.replicas", "specials"]
    assert rules.without_ignored(paths, ["spec"]) == ["specials", "list[0].a"]


# --- update or replace ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "path", "replaces"),
    [
        ("apps/v1:Deployment", "metadata.name", True),
        ("apps/v1:Deployment", "metadata.namespace", True),
        ("apps/v1:Deployment", "metadata.labels.app", False),
        ("apps/v1:Deployment", "spec.selector.matchLabels.app", True),
        ("apps/v1:Deployment", "spec.replicas", False),
        ("apps/v1:Deployment", "spec.template.spec.containers[0].image", False),
        ("rbac.authorization.k8s.io/v1:RoleBinding", "roleRef.name", True),
        ("rbac.authorization.k8s.io/v1:RoleBinding", "subjects[0].name", False),
        ("core/v1:Service", "spec.clusterIP", True),
        ("core/v1:Service", "spec.selector.app", False),
        ("policy/v1:PodDisruptionBudget", "spec.selector", False),
        ("gateway.networking.k8s.io/v1:HTTPRoute", "metadata.name", True),
        ("gateway.networking.k8s.io/v1:HTTPRoute", "spec.rules[0].backendRefs[0].weight", False),
        ("inference.networking.k8s.io/v1:InferencePool", "spec.selector.matchLabels.app", False),
    ],
)
def test_a_kubernetes_object_is_replaced_for_its_fixed_fields_only(kind, path, replaces):
    assert rules.replacing_paths(kubernetes(kind, "o"), [path], MUTABLE) == ([path] if replaces else [])


@pytest.mark.parametrize("field", ["data.config", "binaryData.blob"])
def test_a_config_map_is_replaced_for_its_data_unless_the_provider_lets_it_change(field):
    config = kubernetes("core/v1:ConfigMap", "c")

    assert rules.replacing_paths(config, [field], MUTABLE) == []
    for provider in ({}, {"enableConfigMapMutable": "false"}):
        assert rules.replacing_paths(config, [field], provider) == [field], "its default deletes and recreates it"
    assert rules.replacing_paths(config, ["metadata.name"], MUTABLE) == ["metadata.name"]


@pytest.mark.parametrize(
    "kind",
    [
        "core/v1:Secret",
        "core/v1:Pod",
        "core/v1:PersistentVolumeClaim",
        "apps/v1:StatefulSet",
        "batch/v1:Job",
        "rbac.authorization.k8s.io/v1:ClusterRoleBinding",
        "storage.k8s.io/v1:StorageClass",
    ],
)
def test_a_built_in_kind_with_rules_of_its_own_is_not_guessed_at(kind):
    with pytest.raises(rules.CannotModel, match="no rule for it; use pulumi preview"):
        rules.replacing_paths(kubernetes(kind, "o"), ["spec"], MUTABLE)


def camel(path: str) -> str:
    """As it is registered: node_config.machine_type to nodeConfig.machineType."""
    return re.sub(r"_([a-z])", lambda m: m[1].upper(), path)


@pytest.mark.parametrize("field", node_pool.REPLACING)
def test_a_node_pool_is_replaced_for_every_field_that_forces_it(field):
    pool = resource(rules.NODE_POOL, "p")

    for path in (camel(field), f"{camel(field)}[0].anything"):
        assert rules.replacing_paths(pool, [path], {}) == [path]


@pytest.mark.parametrize("field", rules.NODE_POOL_IN_PLACE)
def test_a_node_pool_is_updated_in_place_for_every_other_field_that_is_known(field):
    assert rules.replacing_paths(resource(rules.NODE_POOL, "p"), [f"{camel(field)}.inner"], {}) == []


@pytest.mark.parametrize("field", ["initialNodeCount", "maxPodsPerNode", "nodeConfig.gvnic.enabled", "somethingNew"])
def test_a_node_pool_field_on_neither_list_is_not_guessed_at(field):
    with pytest.raises(rules.CannotModel, match=re.escape(field)):
        rules.replacing_paths(resource(rules.NODE_POOL, "p"), ["autoscaling.totalMaxNodeCount", field], {})


def test_every_field_of_a_node_pool_that_a_setting_can_change_is_on_one_list_and_not_on_both():
    shape = {"name": "p", "cluster": "c", "location": "l", "accelerator": "nvidia-l4", "machine_type": "m", "max_nodes": 1}
    more = {"zones": ("z",), "spot": True, "reservation": "r", "version": "v", "boot_disk_type": "d", "project": "p"}
    rendered = node_pool.node_pool(node_pool.AcceleratorNodePoolArgs(**shape, **more))
    inner = rendered.pop("node_config")
    constant = {"node_config.gvnic"}

    fields = {*rendered, *(f"node_config.{key}" for key in inner)} - constant
    in_place = {field for field in fields if field in rules.NODE_POOL_IN_PLACE}
    assert {field for field in fields if node_pool.replaces(field)} == fields - in_place


def test_the_provider_of_the_same_cluster_is_updated_in_place_and_nothing_is_replaced():
    provider = resource(PROVIDER, "cluster", {"clusterIdentifier": "a"})

    assert rules.replacing_paths(provider, ["kubeconfig", "context"], {}) == []


@pytest.mark.parametrize(
    ("identifier", "changed"), [("b", ["clusterIdentifier"]), ("a", ["kubeconfig", "namespace"]), (None, ["kubeconfig"])]
)
def test_a_provider_that_may_be_of_another_cluster_is_not_guessed_at(identifier, changed):
    provider = resource(PROVIDER, "cluster", {"clusterIdentifier": identifier})

    with pytest.raises(rules.CannotModel, match="every object is replaced"):
        rules.replacing_paths(provider, changed, {})


def test_a_resource_of_another_cloud_is_not_guessed_at():
    with pytest.raises(rules.CannotModel, match=r"gcp:storage/bucket:Bucket changes \(location\)"):
        rules.replacing_paths(resource("gcp:storage/bucket:Bucket", "b"), ["location"], {})


def test_a_component_is_never_replaced():
    assert rules.replacing_paths(resource("inference-rollouts:index:ModelService", "s", custom=False), ["name"], {}) == []


@pytest.mark.parametrize(
    ("old", "new", "first"),
    [
        (kubernetes("apps/v1:Deployment", "a"), kubernetes("apps/v1:Deployment", "a"), True),
        (kubernetes("apps/v1:Deployment", "a"), kubernetes("apps/v1:Deployment", "b"), False),
        (resource(rules.NODE_POOL, "p", {"name": "a", "cluster": "x"}), resource(rules.NODE_POOL, "p", {"name": "a"}), True),
        (resource(rules.NODE_POOL, "p", {"name": "a"}), resource(rules.NODE_POOL, "p", {"name": "b"}), False),
    ],
)
def test_a_replacement_is_deleted_first_when_its_name_stays(old, new, first):
    assert rules.deletes_first(old, new) is first


def test_what_takes_an_input_from_what_is_deleted_first_is_not_guessed_at_but_depends_on_is_nothing():
    pool = resource(rules.NODE_POOL, "p")
    waits = kubernetes("apps/v1:Deployment", "waits", dependencies=(pool.urn,))
    takes = kubernetes("apps/v1:Deployment", "takes", dependencies=(pool.urn,), property_dependencies=(pool.urn,))

    rules.refuse_dragged(pool, {waits.urn: waits})
    with pytest.raises(rules.CannotModel, match="may drag takes with it"):
        rules.refuse_dragged(pool, {waits.urn: waits, takes.urn: takes})


def test_init_errors_alone_are_a_reason_to_update():
    assert rules.must_update_again(True)
    assert not rules.must_update_again(False)


# --- protection and hooks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new", "refused"), [(True, True, True), (True, False, False), (False, True, False)])
def test_a_replacement_is_refused_only_if_both_the_old_and_the_new_are_protected(old, new, refused):
    assert rules.blocks_replace(old, new) is refused


def test_a_deletion_asks_the_protection_in_state():
    assert rules.blocks_delete(True)
    assert not rules.blocks_delete(False)


def test_a_preview_asks_only_hooks_that_want_to_be_asked_in_one():
    assert rules.asked_in_preview(Hook(on_dry_run=True))
    assert not rules.asked_in_preview(Hook(on_dry_run=False))


# --- what is not modelled ---------------------------------------------------------------------------------------------


def test_an_option_without_a_rule_is_not_guessed_at():
    with pytest.raises(rules.CannotModel, match="uses retainOnDelete, importId, which the rehearsal does not model"):
        rules.refuse_unmodelled(kubernetes("apps/v1:Deployment", "d", unmodelled=("retainOnDelete", "importId")))
    rules.refuse_unmodelled(kubernetes("apps/v1:Deployment", "d"))


def test_an_alias_matters_only_for_what_is_new_while_something_goes():
    renamed = kubernetes("apps/v1:Deployment", "d", unmodelled=("aliases",))

    rules.refuse_unmodelled(renamed)
    with pytest.raises(rules.CannotModel, match="uses aliases"):
        rules.refuse_unmodelled(renamed, may_be_renamed=True)


def test_what_is_registered_twice_is_refused_as_pulumi_would():
    rules.refuse_duplicates(Recording())
    with pytest.raises(rules.CannotModel, match=r"llm\.guard more than once"):
        rules.refuse_duplicates(Recording(twice=["llm.guard"]))


def test_another_provider_is_not_guessed_at():
    here = kubernetes("apps/v1:Deployment", "d", provider="a")

    rules.refuse_other_provider(here, here)
    with pytest.raises(rules.CannotModel, match="changes its provider"):
        rules.refuse_other_provider(here, replace(here, provider="b"))


def test_what_is_not_modelled_is_said_as_a_problem_with_the_way_out():
    assert str(rules.CannotModel("this is new")) == "this is new; use pulumi preview"


# --- order ------------------------------------------------------------------------------------------------------------


def test_a_resource_needs_its_parent_its_provider_and_what_it_depends_on():
    child = kubernetes("apps/v1:Deployment", "d", parent="home", provider="cluster", dependencies=("nodes", "config"))

    assert rules.needs(child) == {"home", "cluster", "nodes", "config"}
    assert rules.needs(resource("a:b:C", "top", custom=False)) == set()


graphs = st.integers(1, 12).flatmap(
    lambda n: st.fixed_dictionaries(
        {f"r{i}": st.sets(st.sampled_from([f"r{j}" for j in range(i)]) if i else st.nothing()) for i in range(n)}
    )
)
"""Resources, each of which needs some of those before it."""


@given(graph=graphs, dice=st.randoms())
def test_everything_comes_after_what_it_needs_and_the_order_is_always_the_same(graph, dice):
    order = rules.creation_order(graph)
    other = list(graph.items())
    dice.shuffle(other)

    assert sorted(order) == sorted(graph)
    for urn, needed in graph.items():
        assert all(order.index(n) < order.index(urn) for n in needed)
    assert rules.creation_order(dict(other)) == order


def test_what_stays_is_left_out_of_the_order_of_what_goes():
    assert rules.creation_order({"b": {"a"}, "c": {"b", "stays"}}) == ["b", "c"]
