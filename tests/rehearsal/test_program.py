"""The recorder: what it sees of a program's registrations, and how runs stay apart."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes
import pytest
from pulumi_gcp.container import NodePool

from components.guard import binding, guard
from inference_rollouts.rehearsal.program import record, run
from inference_rollouts.rehearsal.recording import Recording
from tests.conftest import ROOT, example

URN = "urn:pulumi:s::inference-rollouts::"


def made(*, custom: bool = True, **options: object) -> Recording:
    """What is recorded of one node pool, or component, with these options."""

    def program() -> None:
        opts = pulumi.ResourceOptions(**options)  # pyright: ignore[reportArgumentType]
        if custom:
            NodePool("p", name="p", cluster="c", opts=opts)
        else:
            pulumi.ComponentResource("a:b:C", "p", {"size": 3.0, "nested": {"n": [1.0, 2.5]}}, opts)

    return record(program, "s", {"gcp:project": "p"})


def test_a_urn_is_built_of_the_types_of_all_parents_as_the_engine_builds_it():
    def program() -> None:
        top = pulumi.ComponentResource("a:b:Top", "t")
        middle = pulumi.ComponentResource("a:b:Middle", "m", opts=pulumi.ResourceOptions(parent=top))
        pulumi.ComponentResource("a:b:Leaf", "l", opts=pulumi.ResourceOptions(parent=middle))

    assert list(record(program, "s", {}).resources) == [
        f"{URN}a:b:Top::t",
        f"{URN}a:b:Top$a:b:Middle::m",
        f"{URN}a:b:Top$a:b:Middle$a:b:Leaf::l",
    ]


def test_whole_numbers_are_whole_again_though_they_travel_as_floats():
    (component,) = made(custom=False).resources.values()

    assert component.inputs == {"size": 3, "nested": {"n": [1, 2.5]}}
    assert type(component.inputs["size"]) is int


def test_options_are_recorded_as_they_were_registered():
    def program() -> None:
        provider = pulumi_kubernetes.Provider("k", context="c")
        first = pulumi.ComponentResource("a:b:C", "first")
        opts = pulumi.ResourceOptions(
            parent=first, protect=True, provider=provider, depends_on=[provider], ignore_changes=["spec.replicas"]
        )
        pulumi_kubernetes.core.v1.ConfigMap("c", metadata={"name": "c"}, data={}, opts=opts)

    (config,) = [r for r in record(program, "s", {}).resources.values() if r.type.endswith(":ConfigMap")]

    assert config.protect
    assert config.parent == f"{URN}a:b:C::first"
    assert config.provider == f"{URN}pulumi:providers:kubernetes::k"
    assert config.dependencies == (config.provider,)
    assert config.property_dependencies == ()
    assert config.ignore_changes == ("spec.replicas",)


def test_an_input_from_another_resource_is_told_from_mere_waiting():
    def program() -> None:
        first = NodePool("first", name="first", cluster="c")
        NodePool("second", name="second", cluster=first.cluster, opts=pulumi.ResourceOptions(depends_on=[first]))

    second = record(program, "s", {"gcp:project": "p"}, preview=False).resources[f"{URN}gcp:container/nodePool:NodePool::second"]

    assert second.property_dependencies == second.dependencies == (f"{URN}gcp:container/nodePool:NodePool::first",)


@pytest.mark.parametrize(
    ("option", "seen"),
    [
        ({"retain_on_delete": True}, "retainOnDelete"),
        ({"replace_on_changes": ["version"]}, "replaceOnChanges"),
        ({"delete_before_replace": True}, "deleteBeforeReplace"),
        ({"import_": "projects/p"}, "importId"),
        ({"aliases": [pulumi.Alias(name="old")]}, "aliases"),
    ],
)
def test_an_option_without_a_rule_is_seen(option, seen):
    (pool,) = made(**option).resources.values()

    assert seen in pool.unmodelled


def test_a_hook_of_another_kind_is_seen_as_an_option_without_a_rule():
    def program() -> None:
        hook = guard("g", lambda old, new: [])
        pulumi.ComponentResource("a:b:C", "c", {}, pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[hook])))

    (component,) = record(program, "s", {}).resources.values()

    assert component.unmodelled == ("hooks.after_create",)


def test_options_that_decide_no_operation_are_no_obstacle():
    timeouts = pulumi.CustomTimeouts(create="45m")

    (pool,) = made(custom_timeouts=timeouts, version="10.2.0", additional_secret_outputs=["version"]).resources.values()

    assert pool.unmodelled == ()


def test_what_is_registered_twice_is_noted():
    def program() -> None:
        for _ in range(2):
            opts = pulumi.ResourceOptions(hooks=binding(guard("g", lambda old, new: [])))
            pulumi.ComponentResource("a:b:C", "same", {}, opts)

    assert sorted(record(program, "s", {}).twice) == ["g", f"{URN}a:b:C::same"]


def test_a_hook_answers_while_the_program_runs_through_its_real_callback():
    answers: list[str] = []

    def program() -> None:
        hook = guard("g", lambda old, new: [f"{old['stage']} to {new['stage']}"])
        pulumi.ComponentResource("a:b:C", "c", {"stage": 50}, pulumi.ResourceOptions(hooks=binding(hook)))

    def ask(recording: Recording) -> None:
        (component,) = recording.resources.values()
        answers.append(recording.call_hook("g", component, {"stage": 10}))

    record(program, "s", {}, ask)

    assert answers == ["10.0 to 50.0"], "as the engine sends them: numbers are floats"


def test_runs_stay_apart():
    first, second = made(), made()

    assert first.resources == second.resources
    assert list(first.resources) == [f"{URN}gcp:container/nodePool:NodePool::p"], "not a child of the first run's stack"


@pytest.mark.parametrize("preview", [True, False])
def test_the_program_knows_whether_it_runs_in_a_preview(preview):
    seen: list[bool] = []

    record(lambda: seen.append(pulumi.runtime.is_dry_run()), "s", {}, preview=preview)

    assert seen == [preview]


def test_a_program_that_refuses_its_config_says_so_and_leaves_the_next_run_alone():
    config = example("node-update")
    config["inference-rollouts:services"]["llm"]["serving"] = "nobody"

    with pytest.raises(pulumi.RunError, match="nobody is no version of this service"):
        run(ROOT, "node-update", config)
    assert run(ROOT, "node-update", example("node-update")).resources


def test_a_misspelt_top_level_key_reaches_the_program_and_is_refused():
    with pytest.raises(pulumi.RunError, match="did you mean services"):
        run(ROOT, "node-update", {**example("node-update"), "inference-rollouts:servics": {}})
