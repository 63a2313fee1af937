"""Whether everything is ready for a raise: every check with its three answers, on a cluster that is played."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from inference_rollouts.checks import Finding, blocks
from inference_rollouts.manifests.inference_pool import InferenceApi
from inference_rollouts.observe.cluster import Cluster
from inference_rollouts.observe.readiness import ReadyTarget, VersionTarget, findings, look
from tests.observe.fake_apiserver import FORBIDDEN, FakeApiServer, Object, path_of
from tests.observe.world import (
    SPLIT,
    TONE,
    canary,
    condition,
    deployment,
    everything,
    managed,
    parents,
    picker,
    pod,
    pool,
    route,
    sidecar,
    stable_too,
    target,
    tone,
)

BOTH = ("tone-v1", "tone-v2")
BY_HAND = "edited by hand: run pulumi up --refresh with the deployed stage, or fall back"
HALF_WAY = "an update failed half-way: run pulumi up with stage 10 again, or fall back"


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as fake:
        everything(fake)
        yield fake


def found(server: FakeApiServer, wanted: ReadyTarget | None = None) -> list[Finding]:
    wanted = wanted or target(adapters=BOTH)
    return findings(wanted, look(Cluster(kubeconfig=server.kubeconfig()), wanted))


def one(server: FakeApiServer, check: str, at: str = "", wanted: ReadyTarget | None = None) -> Finding:
    (finding,) = [f for f in found(server, wanted) if f.check == check and at in f.at]
    return finding


def refuse(server: FakeApiServer, value: Object) -> None:
    """The API server does not let us see this object."""
    server.answers[path_of(value)] = FORBIDDEN


def changed(value: Object, **status: Any) -> Object:
    """The object with another status of its first parent."""
    out = copy.deepcopy(value)
    parents(out)[0] |= status
    return out


# --- everything -------------------------------------------------------------------------------------------------------


def test_where_everything_is_ready_every_finding_passes(server: FakeApiServer) -> None:
    told = found(server, stable_too(target(adapters=BOTH)))

    assert blocks(told) == []
    assert [f.check for f in told] == [
        "canary ready",
        "canary picker ready",
        "canary pool accepted",
        "canary holds its adapters",
        "stable ready",
        "stable picker ready",
        "stable pool accepted",
        "route accepted",
        "live weights",
        "record agrees",
        "live weights",
        "record agrees",
    ]


def test_an_empty_cluster_fails_and_nothing_in_it_passes() -> None:
    with FakeApiServer() as nothing:
        assert {f.verdict for f in found(nothing)} == {"fail"}


def test_a_cluster_that_nobody_may_read_is_unknown_throughout(server: FakeApiServer) -> None:
    server.token = "another"
    told = found(server)

    assert {f.verdict for f in told} == {"unknown"}
    assert all("HTTP 401: Unauthorized" in f.seen for f in told)


def test_a_pool_that_somebody_else_owns_has_no_deployments_to_ask_for(server: FakeApiServer) -> None:
    external = replace(target(), versions=(replace(canary(), server=None, picker=None),))

    assert [f.check for f in found(server, external)][:3] == ["canary pool accepted", "canary ready", "route accepted"]


# --- the Deployments --------------------------------------------------------------------------------------------------


def test_a_canary_with_all_its_replicas_is_ready(server: FakeApiServer) -> None:
    assert one(server, "canary ready").verdict == "pass"


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (deployment(availableReplicas=1), "1 of 2 replicas available"),
        (deployment(replicas=3, availableReplicas=1), "1 of 2 replicas available"),
        (deployment(replicas=0), "0 of 2 replicas available"),
        (deployment(updatedReplicas=1), "2 replicas available, 1 of 2 still from an earlier template"),
    ],
)
def test_a_canary_without_the_replicas_it_needs_is_not_ready(server: FakeApiServer, value: Object, seen: str) -> None:
    server.put(value)

    finding = one(server, "canary ready")
    assert (finding.verdict, finding.sentence) == (
        "fail",
        f"canary ready: seen {seen}, wanted 2 (Deployment default/llm-new)",
    )


def test_a_canary_that_says_why_it_does_not_come_up_is_quoted(server: FakeApiServer) -> None:
    value = deployment(availableReplicas=0)
    value["status"]["conditions"] = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "it took too long"}
    ]
    server.put(value)

    assert one(server, "canary ready").seen == "0 of 2 replicas available (ProgressDeadlineExceeded: it took too long)"


def test_more_replicas_than_needed_may_still_be_on_their_way(server: FakeApiServer) -> None:
    server.put(deployment(replicas=5, availableReplicas=3))

    assert one(server, "canary ready").verdict == "pass"


def test_a_canary_scaled_to_nothing_is_not_ready_even_if_it_asks_for_nothing(server: FakeApiServer) -> None:
    server.put(deployment(replicas=0))
    anything = replace(target(), versions=(replace(canary(), replicas=None),))

    assert one(server, "canary ready", wanted=anything).seen == "0 of 1 replicas available"


def test_without_a_number_a_canary_needs_what_its_deployment_asks_for(server: FakeApiServer) -> None:
    server.put(deployment(replicas=3, availableReplicas=2))
    anything = replace(target(), versions=(replace(canary(), replicas=None),))

    finding = one(server, "canary ready", wanted=anything)
    assert (finding.verdict, finding.seen) == ("fail", "2 of 3 replicas available")


def test_a_status_of_an_earlier_generation_says_nothing_about_this_one(server: FakeApiServer) -> None:
    server.put(deployment(observedGeneration=1))

    finding = one(server, "canary ready")
    assert (finding.verdict, finding.seen) == ("unknown", "a status of generation 1, while the Deployment is at 2")


def test_a_canary_that_nobody_may_see_is_unknown(server: FakeApiServer) -> None:
    refuse(server, deployment())

    finding = one(server, "canary ready")
    assert finding.verdict == "unknown"
    assert finding.seen.startswith("no answer: HTTP 403: deployments.apps")


@pytest.mark.parametrize(("available", "verdict"), [(1, "pass"), (0, "fail")])
def test_a_picker_is_ready_with_one_replica(server: FakeApiServer, available: int, verdict: str) -> None:
    server.put(picker(available=available))

    assert one(server, "canary picker ready").verdict == verdict


def test_of_two_pickers_that_elect_a_leader_one_is_ready(server: FakeApiServer) -> None:
    value = picker()
    value["spec"]["replicas"] = 2
    value["status"] |= {"replicas": 2, "updatedReplicas": 2}
    server.put(value)

    assert one(server, "canary picker ready").verdict == "pass"


def test_a_picker_that_nobody_may_see_is_unknown(server: FakeApiServer) -> None:
    refuse(server, picker())

    assert one(server, "canary picker ready").verdict == "unknown"


# --- the pool ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["v1", "llm-d", "v1alpha2"])
def test_a_pool_that_its_gateway_accepted_passes_in_every_api(server: FakeApiServer, api: InferenceApi) -> None:
    server.put(pool(api=api))

    finding = one(server, "canary pool accepted", wanted=target(api=api))
    assert (finding.verdict, finding.seen) == ("pass", "Accepted, ResolvedRefs at generation 1")


def test_a_pool_whose_picker_cannot_be_found_fails(server: FakeApiServer) -> None:
    wrong = condition("ResolvedRefs", "False", 1, "InvalidExtensionRef", "no Service llm-new-epp")
    server.put(changed(pool(), conditions=[condition("Accepted", generation=1), wrong]))

    finding = one(server, "canary pool accepted")
    assert (finding.verdict, finding.seen) == ("fail", "ResolvedRefs False (InvalidExtensionRef: no Service llm-new-epp)")


@pytest.mark.parametrize(
    ("conditions", "seen"),
    [
        ([condition("Accepted", generation=1)], "no condition ResolvedRefs"),
        (
            [condition("Accepted", "Unknown", 1, "Pending", "Waiting"), condition("ResolvedRefs", generation=1)],
            "Accepted Unknown (Pending: Waiting)",
        ),
        (
            [condition("Accepted", generation=1), condition("ResolvedRefs", generation=0)],
            "ResolvedRefs about generation 0, while 1 stands",
        ),
    ],
)
def test_a_pool_about_which_the_gateway_says_too_little_is_unknown(
    server: FakeApiServer, conditions: list[Object], seen: str
) -> None:
    server.put(changed(pool(), conditions=conditions))

    finding = one(server, "canary pool accepted")
    assert (finding.verdict, finding.seen) == ("unknown", seen)


def test_a_pool_without_a_status_passes_since_it_has_none_before_its_first_route(server: FakeApiServer) -> None:
    value = pool()
    del value["status"]
    server.put(value)

    finding = one(server, "canary pool accepted")
    assert (finding.verdict, finding.seen) == ("pass", "it stands, without a status from them")


def test_the_placeholder_of_a_legacy_pool_is_no_parent(server: FakeApiServer) -> None:
    waiting = {"type": "Accepted", "status": "Unknown", "reason": "Pending", "message": "Waiting for controller"}
    server.put(changed(pool(api="v1alpha2"), parentRef={"kind": "Status", "name": "default"}, conditions=[waiting]))

    assert one(server, "canary pool accepted", wanted=target(api="v1alpha2")).seen == "it stands, without a status from them"


def test_what_another_gateway_says_of_the_pool_is_not_ours(server: FakeApiServer) -> None:
    value = pool()
    refused = {"parentRef": {"name": "another"}, "conditions": [condition("Accepted", "False", 1)]}
    parents(value).append(refused)
    server.put(value)

    assert one(server, "canary pool accepted").verdict == "pass"


def test_a_pool_that_nobody_may_see_is_unknown(server: FakeApiServer) -> None:
    refuse(server, pool())

    assert one(server, "canary pool accepted").verdict == "unknown"


# --- the adapters -----------------------------------------------------------------------------------------------------


def test_adapters_that_every_ready_pod_holds_pass(server: FakeApiServer) -> None:
    server.put(pod("llm-new-c", ready=False), pod("llm-new-d", going=True), pod("llm-a", app="llm"))

    finding = one(server, "canary holds its adapters")
    assert (finding.verdict, finding.seen) == ("pass", "all of them on 2 Ready pods")


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        (sidecar(tone_v1="loaded", tone_v2="downloading"), "llm-new-b: tone-v2 downloading"),
        (sidecar(tone_v1="loaded"), "llm-new-b: tone-v2 not in its list"),
    ],
)
def test_one_pod_without_an_adapter_fails(server: FakeApiServer, told: Object, seen: str) -> None:
    server.adapters["llm-new-b"] = told

    finding = one(server, "canary holds its adapters")
    assert (finding.verdict, finding.seen) == ("fail", seen)


def test_an_adapter_that_failed_is_shown_with_its_reason(server: FakeApiServer) -> None:
    told = sidecar(tone_v1="loaded", tone_v2="failed")
    told["adapters"][1]["error"] = "gs://b/a: 403"
    server.adapters["llm-new-b"] = told

    assert one(server, "canary holds its adapters").seen == "llm-new-b: tone-v2 failed (gs://b/a: 403)"


def test_no_ready_pod_holds_no_adapter(server: FakeApiServer) -> None:
    server.put(pod("llm-new-a", ready=False), pod("llm-new-b", ready=False))

    finding = one(server, "canary holds its adapters")
    assert (finding.verdict, finding.seen) == ("fail", "no Ready pod")


@pytest.mark.parametrize(("pods", "end"), [("abc", "llm-new-c: tone-v2 not in its list"), ("abcdef", "; and 3 more pods")])
def test_many_pods_without_an_adapter_are_counted(server: FakeApiServer, pods: str, end: str) -> None:
    for name in pods:
        server.put(pod(f"llm-new-{name}"))
        server.adapters[f"llm-new-{name}"] = sidecar(tone_v1="loaded")

    assert one(server, "canary holds its adapters").seen.endswith(end)


@pytest.mark.parametrize("told", [{"adapters": None}, [], {"adapters": [{"state": "loaded"}]}])
def test_a_pod_that_says_something_else_is_unknown(server: FakeApiServer, told: Any) -> None:
    server.adapters["llm-new-b"] = told

    finding = one(server, "canary holds its adapters")
    assert (finding.verdict, finding.seen) == ("unknown", "llm-new-b: an answer of another shape than the sidecar's")


def test_a_pod_that_does_not_answer_is_unknown(server: FakeApiServer) -> None:
    del server.adapters["llm-new-b"]

    finding = one(server, "canary holds its adapters")
    assert finding.verdict == "unknown"
    assert finding.seen.startswith("llm-new-b: no answer: HTTP 503: error trying to reach service")


def test_pods_that_nobody_may_list_are_unknown(server: FakeApiServer) -> None:
    server.answers["/api/v1/namespaces/default/pods"] = FORBIDDEN

    assert one(server, "canary holds its adapters").verdict == "unknown"


# --- the route --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gke", [True, False])
def test_a_route_that_its_gateway_took_up_passes(server: FakeApiServer, gke: bool) -> None:
    server.put(route(gke=gke))

    assert one(server, "route accepted", wanted=target(gke=gke)).verdict == "pass"


def test_a_route_that_names_what_is_not_there_fails(server: FakeApiServer) -> None:
    wrong = condition("ResolvedRefs", "False", reason="BackendNotFound", message="no pool llm-new")
    server.put(changed(route(), conditions=[condition("Accepted"), wrong, condition("Reconciled")]))

    finding = one(server, "route accepted")
    assert (finding.verdict, finding.seen) == ("fail", "ResolvedRefs False (BackendNotFound: no pool llm-new)")
    assert finding.at == "HTTPRoute default/routes-to-llm, parent gateway"


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        ({"conditions": [condition("Accepted"), condition("ResolvedRefs")]}, "no condition Reconciled"),
        (
            {"conditions": [condition(name, generation=2) for name in ("Accepted", "ResolvedRefs", "Reconciled")]},
            "Accepted about generation 2, while 3 stands",
        ),
        (
            {"conditions": [condition(name, generation=None) for name in ("Accepted", "ResolvedRefs", "Reconciled")]},
            "Accepted without the generation that it is about",
        ),
        ({"controllerName": "istio.io/gateway"}, "a status from istio.io/gateway only, and none for this parent"),
        ({"parentRef": {"name": "gateway", "namespace": "infra"}}, "a status from networking.gke.io/gateway only"),
    ],
)
def test_a_route_about_which_the_gateway_says_too_little_is_unknown_and_told_how_to_go_on(
    server: FakeApiServer, status: Object, seen: str
) -> None:
    server.put(changed(route(), **status))

    finding = one(server, "route accepted")
    assert finding.verdict == "unknown"
    assert finding.seen.startswith(seen)
    assert "if this gateway never publishes one" in finding.advice


def test_a_gateway_that_never_publishes_a_status_leaves_it_unknown(server: FakeApiServer) -> None:
    value = route()
    value["status"] = {"parents": []}
    server.put(value)

    assert one(server, "route accepted").sentence == (
        "route accepted: seen no status from any gateway, wanted Accepted, ResolvedRefs, Reconciled at the current generation "
        "(HTTPRoute default/routes-to-llm, parent gateway); wait: a status takes one to two minutes on GKE; if this gateway "
        "never publishes one for the current generation, see by a test request that it serves the route, and allow this one "
        "move by `override`"
    )


def test_every_parent_of_a_route_is_asked_for(server: FakeApiServer) -> None:
    inside = {"name": "inside", "namespace": "infra", "sectionName": "https"}
    value = route()
    entry = copy.deepcopy(parents(value)[0])
    parents(value).append(entry | {"parentRef": inside | {"sectionName": "http"}})
    server.put(value)
    two = replace(target(), parent_refs=({"name": "gateway"}, inside))

    assert one(server, "route accepted", "gateway", two).verdict == "pass"
    assert one(server, "route accepted", "inside", two).verdict == "unknown", "another listener's status is not this one's"


def test_a_route_that_nobody_may_see_is_unknown(server: FakeApiServer) -> None:
    refuse(server, route())

    assert one(server, "route accepted").verdict == "unknown"


# --- the live weights, and the record ---------------------------------------------------------------------------------


def test_the_deployed_weights_pass_whatever_the_pools_are_called(server: FakeApiServer) -> None:
    finding = one(server, "live weights", "HTTPRoute")

    assert (finding.verdict, finding.seen) == ("pass", "llm-pool 90, llm-new-pool 10")


def test_weights_that_a_hand_wrote_fail_with_its_name(server: FakeApiServer) -> None:
    server.put(managed(route(weights={"llm": 100, "llm-new": 0}), "rules", "kubectl-edit", "Update", "2026-11-24T13:00:00Z"))

    finding = one(server, "live weights", "HTTPRoute")
    assert finding.verdict == "fail"
    assert finding.seen == "llm-pool 100, llm-new-pool 0, written by kubectl-edit (Update) at 2026-11-24 13:00:00Z"
    assert finding.advice == BY_HAND
    assert one(server, "record agrees", "HTTPRoute").verdict == "pass", "a hand leaves the annotation as it was"


def test_a_rule_that_a_hand_put_last_is_what_splits_now(server: FakeApiServer) -> None:
    value = route()
    value["spec"]["rules"].append({"backendRefs": [{"name": "llm-pool"}]})
    server.put(value)

    assert one(server, "live weights", "HTTPRoute").seen.startswith("llm-pool 1, written by")


def test_an_update_that_failed_half_way_fails_and_is_told_from_a_hand(server: FakeApiServer) -> None:
    half = replace(SPLIT, stage=25, weights={"llm": 75, "llm-new": 25})
    server.put(route(half))

    weights, record = (one(server, check, "HTTPRoute") for check in ("live weights", "record agrees"))
    assert (weights.verdict, weights.advice) == ("fail", HALF_WAY)
    assert (record.verdict, record.advice) == ("fail", HALF_WAY)
    assert record.seen == "llm at 25 on the way to llm-new, steps [1, 10, 25, 50, 100] (another stage, weights)"


def test_an_annotation_that_agrees_passes(server: FakeApiServer) -> None:
    finding = one(server, "record agrees", "HTTPRoute")

    assert (finding.verdict, finding.seen) == ("pass", "llm at 10 on the way to llm-new, steps [1, 10, 25, 50, 100]")


@pytest.mark.parametrize(
    ("annotations", "seen"),
    [
        ({}, "no annotation inference-rollouts/split"),
        ({"inference-rollouts/split": "{"}, "an annotation inference-rollouts/split that is no split"),
        ({"inference-rollouts/split": "{}"}, "an annotation inference-rollouts/split that is no split"),
    ],
)
def test_an_annotation_that_nobody_can_read_is_unknown(server: FakeApiServer, annotations: dict[str, str], seen: str) -> None:
    value = route()
    value["metadata"]["annotations"] = annotations
    server.put(value)

    finding = one(server, "record agrees", "HTTPRoute")
    assert finding.verdict == "unknown"
    assert finding.seen.startswith(seen)
    assert one(server, "live weights", "HTTPRoute").verdict == "pass", "the weights can be told without it"


@pytest.mark.parametrize("api", ["v1", "llm-d", "v1alpha2"])
def test_the_split_of_an_adapter_is_read_without_its_zeros_in_every_api(server: FakeApiServer, api: InferenceApi) -> None:
    server.put(tone(api=api))

    finding = one(server, "live weights", "tone", target(api=api, adapters=BOTH))
    assert (finding.verdict, finding.seen) == ("pass", "tone-v1 100")


def test_the_split_of_an_adapter_that_a_hand_wrote_fails(server: FakeApiServer) -> None:
    server.put(tone(weights={"tone-v1": 60, "tone-v2": 40}))

    finding = one(server, "live weights", "tone")
    assert (finding.verdict, finding.advice) == ("fail", BY_HAND)
    assert finding.seen.startswith("tone-v1 60, tone-v2 40, written by")


def test_targets_without_weights_are_unknown(server: FakeApiServer) -> None:
    value = tone()
    del value["spec"]["rules"][0]["targets"][0]["weight"]
    server.put(value)

    assert one(server, "live weights", "tone").verdict == "unknown"


def test_splits_that_nobody_may_see_are_unknown(server: FakeApiServer) -> None:
    refuse(server, tone())

    assert one(server, "live weights", "tone").verdict == "unknown"
    assert TONE.stage == "prepare", "a split may be there before its canary has weight"


# --- a pool that somebody else owns -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["v1", "v1alpha2"])
def test_behind_a_pool_that_somebody_else_owns_stands_a_ready_pod(server: FakeApiServer, api: InferenceApi):
    theirs = replace(target(api=api), versions=(VersionTarget(pool="theirs"),))

    def ready() -> tuple[str, str]:
        finding = one(server, "canary ready", wanted=theirs)
        assert finding.at == "InferencePool default/theirs"
        return finding.verdict, finding.seen

    assert ready() == ("fail", "no pool of that name")
    server.put(pool("theirs", api))
    assert ready() == ("fail", "none")
    server.put(pod("theirs-a", "theirs", ready=False), pod("theirs-b", "theirs", going=True), pod("others", "others"))
    assert ready() == ("fail", "none")
    server.put(pod("theirs-c", "theirs"))
    assert ready() == ("pass", "1 Ready pods")
    refuse(server, pool("theirs", api))
    assert ready()[0] == "unknown"


def test_a_pool_that_selects_nothing_says_nothing(server: FakeApiServer):
    value = pool("theirs")
    value["spec"]["selector"] = {}
    server.put(value)
    theirs = replace(target(), versions=(VersionTarget(pool="theirs"),))

    assert one(server, "canary ready", wanted=theirs).verdict == "unknown"
