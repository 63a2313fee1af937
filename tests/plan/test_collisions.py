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
