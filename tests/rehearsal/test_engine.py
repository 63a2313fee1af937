"""The rules together: what a preview shows, in which order, and what it leaves in state."""

from __future__ import annotations

import pytest

from inference_rollouts import wording
from inference_rollouts.rehearsal import engine_rules as rules
from inference_rollouts.rehearsal.engine import held_up_by, preview, value_at
from tests.rehearsal.resources import Hook, deployed, kubernetes, ops, program, replace, resource, shown

ROUTE = "gateway.networking.k8s.io/v1:HTTPRoute"
DEPLOYMENT = "apps/v1:Deployment"
SERVICE = resource("inference-rollouts:index:ModelService", "svc", {"stage": 10}, custom=False, before_update=("guard",))


def inside(service, name, **options):
    """An object of the service."""
    return kubernetes(DEPLOYMENT, name, parent=service.urn, **options)


# --- create, update, same ---------------------------------------------------------------------------------------------


def test_on_an_empty_state_everything_is_created_parents_and_dependencies_first():
    pool = kubernetes("inference.networking.k8s.io/v1:InferencePool", "z-pool", parent=SERVICE.urn)
    route = kubernetes(ROUTE, "a-route", parent=SERVICE.urn, dependencies=(pool.urn,))

    result = shown({}, route, pool, SERVICE)

    assert ops(result) == ["create svc", "create z-pool", "create a-route"]
    assert result.state.keys() == {SERVICE.urn, pool.urn, route.urn}


def test_what_is_registered_as_it_is_deployed_stays_and_no_hook_is_asked():
    recording = program(SERVICE, guard="never")

    result = preview(deployed(SERVICE), recording)

    assert ops(result) == ["same svc"]
    assert recording.asked == []


def test_an_update_names_each_path_with_its_old_and_new_value():
    before = kubernetes(ROUTE, "r", {"spec": {"rules": [{"weight": 90}, {"weight": 10}], "hostnames": ["a"]}})
    after = replace(before, inputs={**before.inputs, "spec": {"rules": [{"weight": 75}, {"weight": 25}]}})

    (operation,) = shown(deployed(before), after).operations

    assert (operation.op, operation.object, operation.title) == ("update", "r", "HTTPRoute r")
    assert dict(zip(operation.diff, operation.values, strict=True)) == {
        "spec.hostnames": (["a"], None),
        "spec.rules[0].weight": (90, 75),
        "spec.rules[1].weight": (10, 25),
    }


@pytest.mark.parametrize(
    ("path", "value"), [('m["a.b/c"]', 1), ("l[1].w", 2), ("l[9].w", None), ("gone.deep", None), ("m", {"a.b/c": 1})]
)
def test_the_value_at_a_path_is_found_and_where_there_is_none_it_is_nothing(path, value):
    assert value_at({"m": {"a.b/c": 1}, "l": [{}, {"w": 2}]}, path) == value


@pytest.mark.parametrize("after", [True, False])
def test_a_changed_protect_bit_alone_is_no_update_but_is_shown_and_kept(after):
    here = kubernetes(DEPLOYMENT, "d", protect=not after)

    result = shown(deployed(here), replace(here, protect=after))

    (operation,) = result.operations
    assert (operation.op, operation.diff, operation.protected) == ("same", ("protect",), after)
    assert result.state[here.urn].registration.protect is after, "the next update obeys it"


def test_a_changed_protect_bit_beside_other_changes_is_part_of_the_update():
    here = kubernetes(DEPLOYMENT, "d", {"spec": 1})

    (operation,) = shown(deployed(here), replace(here, protect=True, inputs={**here.inputs, "spec": 2})).operations

    assert (operation.op, operation.diff) == ("update", ("spec", "protect"))


def test_ignored_changes_are_no_changes():
    here = kubernetes(DEPLOYMENT, "d", {"spec": {"replicas": 3}})
    wanted = replace(here, inputs={**here.inputs, "spec": {"replicas": 1}}, ignore_changes=("spec.replicas",))

    assert ops(shown(deployed(here), wanted)) == ["same d"]
    assert ops(shown(deployed(here), replace(wanted, ignore_changes=()))) == ["update d"]


# --- replace and protection -------------------------------------------------------------------------------------------

SELECTED = kubernetes(DEPLOYMENT, "d", {"spec": {"selector": "a"}})
RESELECTED = replace(SELECTED, inputs={**SELECTED.inputs, "spec": {"selector": "b"}})


def test_a_replacement_under_a_fixed_name_says_that_it_is_deleted_first():
    (operation,) = shown(deployed(SELECTED), RESELECTED).operations

    assert (operation.op, operation.diff, operation.reasons) == ("replace", ("spec.selector",), (rules.DELETED_FIRST,))


def test_a_replacement_under_a_new_name_is_created_first():
    here = kubernetes(ROUTE, "old")
    renamed = replace(here, inputs={"metadata": {"name": "new", "namespace": "default"}})

    (operation,) = shown(deployed(here), renamed).operations

    assert (operation.op, operation.object, operation.reasons) == ("replace", "new", ())


def test_a_replacement_of_what_stays_protected_is_refused_and_the_preview_runs_on():
    other = kubernetes(ROUTE, "r", {"spec": 1})
    gone = kubernetes(ROUTE, "gone")
    state = deployed(replace(SELECTED, protect=True), other, gone)

    result = shown(state, replace(RESELECTED, protect=True), replace(other, inputs={**other.inputs, "spec": 2}))

    assert ops(result) == ["refuse d", "update r", "delete gone"]
    assert result.refusals == (wording.protected_replace("Deployment", "d", ["spec.selector"]),)
    assert result.state is state, "a refused update leaves what is deployed"


@pytest.mark.parametrize(("old", "new"), [(True, False), (False, True)])
def test_unprotecting_and_replacing_passes_in_one_update_so_it_is_the_guard_that_must_refuse(old, new):
    result = shown(deployed(replace(SELECTED, protect=old)), replace(RESELECTED, protect=new))

    (operation,) = result.operations
    assert (operation.op, operation.diff) == ("replace", ("spec.selector", "protect"))


def test_a_protected_thing_cannot_go_and_that_does_not_stop_the_others():
    kept, gone = kubernetes(DEPLOYMENT, "kept", protect=True), kubernetes(DEPLOYMENT, "gone")
    state = deployed(kept, gone)

    result = shown(state)

    assert sorted(ops(result)) == ["delete gone", "refuse kept"]
    assert result.refusals == (wording.protected_delete("Deployment", "kept"),)
    assert result.state is state


def test_protection_is_lifted_one_update_before_a_thing_may_go():
    here = kubernetes(DEPLOYMENT, "d", protect=True)

    lifted = shown(deployed(here), replace(here, protect=False))
    removed = shown(lifted.state)

    assert (ops(lifted), ops(removed)) == (["same d"], ["delete d"])
    assert removed.state == {}


def test_deletes_come_last_dependants_first_and_children_before_their_parents():
    home = resource("inference-rollouts:index:ServedVersion", "home", custom=False)
    nodes = resource(rules.NODE_POOL, "nodes", {"name": "n"}, parent=home.urn)
    server = kubernetes(DEPLOYMENT, "server", parent=home.urn, dependencies=(nodes.urn,))
    new = kubernetes(DEPLOYMENT, "new")

    assert ops(shown(deployed(home, nodes, server), new)) == ["create new", "delete server", "delete nodes", "delete home"]


def test_a_new_resource_that_takes_an_input_from_a_replaced_one_is_not_guessed_at():
    drags = kubernetes(ROUTE, "r", dependencies=(SELECTED.urn,), property_dependencies=(SELECTED.urn,))

    with pytest.raises(rules.CannotModel, match="may drag r"):
        shown(deployed(SELECTED, drags), RESELECTED, drags)


# --- hooks ------------------------------------------------------------------------------------------------------------

MOVED = replace(SERVICE, inputs={"stage": 50})


def test_a_refusal_by_a_hook_cuts_the_preview_before_any_child_and_any_deletion_and_leaves_the_state():
    child, gone = inside(SERVICE, "child"), kubernetes(DEPLOYMENT, "gone")
    state = deployed(SERVICE, child, gone)
    changed = replace(child, inputs={**child.inputs, "spec": 1})

    result = shown(state, MOVED, changed, guard="too far\ntoo fast")

    (operation,) = result.operations
    assert (operation.op, operation.cuts, operation.diff) == ("refuse", True, ("stage",))
    assert result.refusals == ("too far", "too fast"), "every reason on its own"
    assert result.state is state


def test_a_refusal_by_protection_is_not_taken_for_one_by_a_hook():
    guarded = replace(SELECTED, protect=True, before_update=("guard",))
    other = kubernetes(ROUTE, "r")

    result = shown(deployed(guarded), replace(RESELECTED, protect=True, before_update=("guard",)), other, guard="")

    assert ops(result) == ["refuse d", "create r"]
    assert [o.cuts for o in result.operations] == [False, False]


def test_consent_by_a_hook_lets_everything_pass():
    result = shown(deployed(SERVICE), MOVED, inside(SERVICE, "child"), guard="")

    assert ops(result) == ["update svc", "create child"]


def test_hooks_are_asked_for_updates_only_not_for_creations_or_replacements():
    recording = program(replace(RESELECTED, before_update=("guard",)), MOVED, guard="no")

    assert ops(preview(deployed(SELECTED), recording)) == ["create svc", "replace d"]
    assert recording.asked == []


def test_a_hook_that_does_not_want_to_be_asked_in_previews_is_not():
    recording = program(MOVED, guard="no")
    recording.hooks["guard"] = Hook(on_dry_run=False)

    assert ops(preview(deployed(SERVICE), recording)) == ["update svc"]


# --- init errors ------------------------------------------------------------------------------------------------------


def test_what_did_not_become_ready_is_updated_again_and_says_why():
    broken = inside(SERVICE, "canary")

    result = shown(deployed(SERVICE, broken, init_errors=(broken,)), SERVICE, broken)

    assert ops(result) == ["same svc", "update canary"]
    assert result.operations[1].diff == ()
    assert result.operations[1].reasons == (wording.updated_again(),)
    assert result.state[broken.urn].init_errors, "whether it is ready now only a cluster could say"


def test_a_hook_is_asked_about_what_is_only_awaited_again():
    recording = program(SERVICE, guard="")

    preview(deployed(SERVICE, init_errors=(SERVICE,)), recording)

    assert recording.asked == ["guard svc"]


def test_a_replacement_starts_without_init_errors():
    result = shown(deployed(SELECTED, init_errors=(SELECTED,)), RESELECTED)

    assert not result.state[SELECTED.urn].init_errors


def test_a_resource_is_held_up_by_whatever_it_waits_for_that_is_not_ready():
    server = kubernetes(DEPLOYMENT, "server")
    pool = kubernetes("inference.networking.k8s.io/v1:InferencePool", "pool", dependencies=(server.urn,))
    route = kubernetes(ROUTE, "route", dependencies=(pool.urn,))
    free = kubernetes(ROUTE, "free")
    state = deployed(server, pool, route, free, init_errors=(server,))

    assert held_up_by(route.urn, program(server, pool, route, free), state) == {server.urn}
    assert held_up_by(free.urn, program(server, pool, route, free), state) == set()
    assert held_up_by(server.urn, program(server, pool, route, free), state) == set(), "it does not wait for itself"


# --- no guesses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["retainOnDelete", "replaceOnChanges", "importId", "hooks.before_delete"])
def test_a_preview_with_an_option_that_is_not_modelled_is_refused_as_a_whole(option):
    with pytest.raises(rules.CannotModel, match=option):
        shown({}, kubernetes(DEPLOYMENT, "d", unmodelled=(option,)))


def test_a_resource_with_an_alias_is_shown_as_long_as_nothing_can_have_been_renamed():
    renamed = kubernetes(DEPLOYMENT, "new", unmodelled=("aliases",))

    assert ops(shown({}, renamed)) == ["create new"]
    assert ops(shown(deployed(renamed), renamed)) == ["same new"]
    with pytest.raises(rules.CannotModel, match="aliases"):
        shown(deployed(kubernetes(DEPLOYMENT, "old")), renamed)


def test_two_resources_of_one_urn_are_refused():
    recording = program(SERVICE)
    recording.twice.append(SERVICE.urn)

    with pytest.raises(rules.CannotModel, match="more than once"):
        preview({}, recording)


def test_a_changed_provider_is_refused():
    here = kubernetes(DEPLOYMENT, "d", provider="one")

    with pytest.raises(rules.CannotModel, match="changes its provider"):
        shown(deployed(here), replace(here, provider="another"))
