"""Names that meet are found before anything runs, whatever the stage."""

from __future__ import annotations

import pytest

from inference_rollouts.errors import InputError
from inference_rollouts.plan import plan_for
from inference_rollouts.settings import load
from tests.conftest import example


def own(name: str) -> dict:
    return {key.split(":")[1]: value for key, value in example(name).items() if key.startswith("inference-rollouts:")}


@pytest.mark.parametrize("stage", ["baseline", "prepare", 10, "retire"])
def test_two_versions_with_one_name_for_their_servers_are_one_problem_at_every_stage(stage):
    config = own("node-update")
    service = config["services"]["llm"]
    service["rollout"]["stage"] = stage
    service["versions"]["llm-new"]["names"] = {"server": "llm"}

    with pytest.raises(InputError) as refused:
        plan_for(load(config))

    (problem,) = refused.value.problems
    assert str(problem) == (
        "services.llm.versions.llm-new: its Deployment, PodDisruptionBudget and PodMonitoring llm in namespace default have the "
        "same name as in services.llm.versions.llm; give one of them another name (names)"
    )


def test_one_name_in_two_namespaces_is_no_collision():
    config = own("node-update")
    other = own("lora-adapter")["services"]["llm"]
    other |= {"namespace": "elsewhere", "route": {"name": "routes-to-llm", "hostnames": ["other.example.com"]}}
    other["versions"]["llm-pool"]["names"] = {"server": "llm", "pool": "llm", "picker": "llm-epp"}
    config["services"]["other"] = other

    assert len(plan_for(load(config)).services) == 2


def refused(config: dict) -> list[str]:
    with pytest.raises(InputError) as found:
        plan_for(load(config))
    return [str(problem) for problem in found.value.problems]


@pytest.mark.parametrize("stage", ["baseline", 50, "retire"])
def test_a_pool_that_the_stack_builds_is_nobodys_external_pool(stage):
    config = own("node-update")
    config["services"]["llm"]["rollout"]["stage"] = stage
    versions = {"theirs": {"external": {"pool": "llm-new"}}}
    config["services"]["embed"] = {"serving": "theirs", "versions": versions, "route": {"hostnames": ["embed.example.com"]}}

    assert refused(config) == [
        "services.embed.versions.theirs.external.pool: llm-new is a pool that this stack builds for "
        "services.llm.versions.llm-new, and that goes away with it; name one that somebody else owns, or build one here (server)"
    ]
    config["services"]["embed"]["namespace"] = "elsewhere"
    assert plan_for(load(config)), "another namespace has another pool of that name"


def test_the_two_versions_of_a_rollout_have_a_pool_each():
    config = own("node-update")
    service = config["services"]["llm"]
    service["versions"] = {name: {"external": {"pool": "theirs"}} for name in ("llm", "llm-new")}

    assert refused(config) == [
        "services.llm.versions.llm-new.external.pool: theirs is the pool of services.llm.versions.llm too; "
        "weights need a pool for each version"
    ]
    service["versions"]["llm-new"]["external"]["pool"] = "others"
    assert plan_for(load(config))


def test_a_rule_of_ones_own_names_no_pool_that_a_rollout_may_take_away():
    config = own("node-update")
    service = config["services"]["llm"]
    backend = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "llm"}
    service["route"]["rules"] = [{"matches": [{"path": {"type": "PathPrefix", "value": "/v2"}}], "backendRefs": [backend]}]

    (problem,) = refused(config)
    assert problem.startswith(
        "services.llm.route.rules[0].backendRefs[0].name: llm is the pool of services.llm.versions.llm, which has a rollout"
    )
    service["route"]["rules"] = [{"backendRefs": ["llm"]}]
    assert plan_for(load(config)), "the API server judges what is no backend"
    service["route"]["rules"] = [{"backendRefs": [backend]}]
    del service["rollout"], service["versions"]["llm-new"]
    assert plan_for(load(config)), "at rest nothing takes it away"
