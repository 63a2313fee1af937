"""A team's own servers: only the route is taken over, it is said why, and a version of our own is written beside them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference_rollouts.cli.project import plan_of
from inference_rollouts.takeover import text
from tests.program.golden import FOLDER, check
from tests.takeover.reading import manifests, rendered_objects, sentences, service, taken_files, taken_objects, written

OURS = "vllm-llama3-8b-managed"


def team() -> list[dict[str, Any]]:
    (path,) = manifests("upstream-helm")
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def changed(kind: str, name: str, change: Any) -> Any:
    """The team's manifests with one of them changed."""
    objects = copy.deepcopy(team())
    (found,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    change(found)
    return taken_objects(objects)


def deployment(change: Any) -> Any:
    return changed("Deployment", "vllm-llama3-8b-instruct", lambda o: change(o["spec"]["template"]["spec"]["containers"][0]))


def test_the_stack_file_is_as_it_was_looked_at(tmp_path: Path) -> None:
    found = taken_files("upstream-helm")

    assert found.whole
    plan_of(written(found, tmp_path))
    check(
        FOLDER / "takeover" / "upstream-helm.yaml", text.stack_text(found.config, found.comments, ["a team's"]), "read the diff"
    )


def test_the_old_pool_is_only_routed_to_and_it_is_said_why() -> None:
    (version, canary) = taken_files("upstream-helm").services[0].versions

    assert version.config == {"external": {"pool": "vllm-llama3-8b"}}
    assert version.why[0].startswith(
        "Deployment serving/vllm-llama3-8b-instruct would change, and its pods would restart: "
        'spec.template.metadata.labels."inference-rollouts/service"'
    )
    assert version.why[-1] == (
        "Deployment serving/vllm-llama3-8b-epp is made by Helm's release vllm-llama3-8b, which stays its owner: do not "
        "uninstall it while this version has traffic"
    )
    assert canary.why == ("InferencePool vllm-llama3-8b-h100 is not among what was read",)


def test_beside_it_stands_a_version_of_our_own_that_is_not_built() -> None:
    versions = service(taken_files("upstream-helm"))["versions"]

    assert versions[OURS]["server"] == {
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "image": "vllm/vllm-openai:v0.8.5",
        "replicas": 3,
        "args": ["--max-num-seq", "1024"],
        "env": {"VLLM_USE_V1": "1"},
        "tokenSecret": {"name": "hf-token", "key": "token"},
    }


def test_weights_in_other_units_are_percent_and_become_a_rung() -> None:
    found = taken_files("upstream-helm")

    assert service(found)["rollout"] == {"to": "vllm-llama3-8b-h100", "steps": [1, 10, 25, 50, 100], "stage": 25}
    found = changed("HTTPRoute", "llm-route", lambda o: o["spec"]["rules"][0]["backendRefs"][0].update(weight=17, name="a"))
    assert [f.path for f in found.of("cannot")] == ["spec.rules"]
    found = changed("HTTPRoute", "llm-route", lambda o: o["spec"]["rules"][0]["backendRefs"][0].update(weight=4))
    assert service(found)["rollout"] == {"to": "vllm-llama3-8b-h100", "steps": [1, 10, 20, 25, 50, 100], "stage": 20}


def test_what_stays_as_it_is_is_named() -> None:
    assert any("InferenceObjective serving/llm: ranks" in s for s in sentences(taken_files("upstream-helm"), "left"))
    assert any("label team is not written by the program" in s for s in sentences(taken_files("upstream-helm"), "left"))


def test_a_draft_that_is_not_valid_becomes_a_comment() -> None:
    found = deployment(lambda container: container.update(image="vllm/vllm-openai:latest"))
    versions = service(found)["versions"]

    assert found.whole
    assert list(versions) == ["vllm-llama3-8b", "vllm-llama3-8b-h100"]
    comments = found.comments["inference-rollouts:services", "llm", "versions", "vllm-llama3-8b"]
    assert "means another image tomorrow" in comments[-1]


@pytest.mark.parametrize(
    ("container", "model", "names"),
    [
        ({"command": ["vllm", "serve", "acme/m"], "args": ["--served-model-name", "a", "b"]}, "acme/m", ["a", "b"]),
        ({"command": None, "args": ["--model=acme/m"]}, "acme/m", ["acme/m"]),
        ({"command": ["/bin/sh", "-c"], "args": ["vllm serve acme/m \\\n  --max-model-len 4096"]}, "acme/m", ["acme/m"]),
        ({"command": None, "args": ["--model", "acme/m", "--served-model-name=x"]}, "acme/m", ["x"]),
    ],
)
def test_the_model_and_its_names_are_read_off_the_command_line(container: Any, model: str, names: list[str]) -> None:
    found = deployment(lambda c: c.update(container))

    assert service(found)["versions"][OURS]["server"]["model"] == model
    assert service(found)["models"] == names


def test_two_deployments_behind_a_pool_are_no_version() -> None:
    objects = team()
    second = copy.deepcopy(next(o for o in objects if o["metadata"]["name"] == "vllm-llama3-8b-instruct"))
    second["metadata"]["name"] = "second"
    (version, _) = taken_objects([*objects, second]).services[0].versions

    assert version.why == (
        "its pods come from Deployment serving/vllm-llama3-8b-instruct and Deployment serving/second, "
        "and a version has one Deployment",
    )


def test_a_stateful_set_is_named() -> None:
    found = changed("Deployment", "vllm-llama3-8b-instruct", lambda o: o.update(kind="StatefulSet"))

    assert "its pods come from StatefulSet serving/vllm-llama3-8b-instruct" in found.services[0].versions[0].why[0]


def test_a_version_that_was_ours_and_was_edited_by_hand_becomes_external() -> None:
    """A pod template that rendering would set back is not taken over: it would restart servers."""
    objects = rendered_objects("node-update")
    (edited,) = [o for o in objects if o["kind"] == "Deployment" and o["metadata"]["name"] == "llm"]
    edited["spec"]["template"]["spec"]["containers"][0]["livenessProbe"].pop("periodSeconds")
    del edited["spec"]["template"]["spec"]["enableServiceLinks"]
    found = taken_objects(objects)

    (stable, canary) = found.services[0].versions
    assert (stable.managed, canary.managed) == (False, True)
    assert "spec.template.spec.enableServiceLinks" in stable.why[0]
    assert found.whole


def test_an_edit_that_a_setting_can_say_is_taken_over() -> None:
    objects = rendered_objects("node-update")
    (edited,) = [o for o in objects if o["kind"] == "Deployment" and o["metadata"]["name"] == "llm"]
    pod = edited["spec"]["template"]["spec"]
    pod["priorityClassName"] = "serving"
    pod["containers"][0]["livenessProbe"]["periodSeconds"] = 20
    found = taken_objects(objects)

    assert service(found)["versions"]["llm"]["server"]["podSpec"] == {
        "containers": [{"name": "server", "livenessProbe": {"periodSeconds": 20}}],
        "priorityClassName": "serving",
    }


def test_an_autoscaler_that_cannot_be_said_keeps_its_server_external() -> None:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "llm", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llm"},
            "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu"}}],
        },
    }
    found = taken_objects([*rendered_objects("node-update"), scaler])

    assert "HorizontalPodAutoscaler default/llm scales by something else" in str(found.services[0].versions[0].why)


def of_autoscaling(change: Any) -> Any:
    objects = copy.deepcopy(rendered_objects("autoscaling"))
    (scaler,) = [o for o in objects if o["kind"] == "HorizontalPodAutoscaler"][:1]
    change(scaler)
    found = taken_objects(objects)
    name = scaler["spec"]["scaleTargetRef"]["name"]
    return next(v for s in found.services for v in s.versions if v.server and v.server.deployment.name == name)


def test_an_autoscaler_of_another_name_gets_no_second_one_beside_it() -> None:
    version = of_autoscaling(lambda scaler: scaler["metadata"].update(name="team-hpa"))

    assert not version.managed
    assert "two on one Deployment stop scaling it" in str(version.why)


def test_what_an_autoscaler_says_besides_is_not_lost() -> None:
    version = of_autoscaling(lambda scaler: scaler["spec"].update(behavior={"scaleDown": {"stabilizationWindowSeconds": 900}}))

    assert not version.managed
    assert "spec.behavior" in str(version.why)


def test_a_backend_policy_is_kept_also_without_what_this_package_adds() -> None:
    objects = copy.deepcopy(rendered_objects("node-update"))
    for policy in (o for o in objects if o["kind"] == "GCPBackendPolicy"):
        policy["spec"]["default"] |= {"securityPolicy": "armor"}
        del policy["spec"]["default"]["logging"]
    found = taken_objects(objects)

    assert service(found)["backendPolicy"] == {"securityPolicy": "armor"}
    assert all(version.managed for version in found.services[0].versions)


def test_two_pools_with_unlike_policies_are_not_given_the_same() -> None:
    objects = copy.deepcopy(rendered_objects("node-update"))
    (policy,) = [o for o in objects if o["kind"] == "GCPBackendPolicy" and o["metadata"]["name"] == "llm-new"]
    policy["spec"]["default"]["securityPolicy"] = "armor"
    stable, canary = taken_objects(objects).services[0].versions

    assert (stable.managed, canary.managed) == (False, True)
    assert "spec.default.securityPolicy" in str(stable.why)


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_a_token_in_clear_text_goes_into_no_stack_file(variable: str) -> None:
    objects = team()
    for deployment in (o for o in objects if o["kind"] == "Deployment"):
        env = deployment["spec"]["template"]["spec"]["containers"][0].setdefault("env", [])
        env[:] = [*(item for item in env if item["name"] != variable), {"name": variable, "value": "hf_secret"}]
    found = taken_objects(objects)
    whole = text.stack_text(found.config, found.comments, [])

    assert "hf_secret" not in whole
    assert f"{variable} holds a token in clear text there" in whole


@pytest.mark.parametrize("unread", ["llm-pool-epp", "llm-pool-adapters"])
def test_a_config_that_was_not_read_is_not_written_over(unread: str) -> None:
    objects = [o for o in rendered_objects("lora-adapter") if o["metadata"]["name"] != unread or o["kind"] != "ConfigMap"]
    (version, *_) = taken_objects(objects).services[0].versions

    assert not version.managed
    assert f"ConfigMap default/{unread} is not among what was read" in version.why


def test_adapters_that_nothing_read_speaks_of_are_not_unloaded() -> None:
    found = taken_objects(o for o in rendered_objects("lora-adapter") if o["kind"] != "InferenceModelRewrite")
    (said,) = sentences(found, "cannot")

    assert "the servers of llm-pool hold llm-v1 and llm-v2 for requests" in said
    assert "give the InferenceModelRewrites (v1alpha2: InferenceModels) too" in said


def test_the_machine_type_is_the_nodes_where_they_were_read() -> None:
    labels = {"cloud.google.com/gke-nodepool": "llm", "cloud.google.com/gke-accelerator": "nvidia-l4"}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n-1", "labels": {**labels, "node.kubernetes.io/instance-type": "g2-standard-12"}},
    }
    guessed = taken_objects(rendered_objects("node-update"))
    known = taken_objects([*rendered_objects("node-update"), node])

    assert service(guessed)["versions"]["llm"]["nodes"]["machineType"] == "g2-standard-4"
    assert "g2-standard-4 is a guess" in guessed.services[0].versions[0].guessed[0]
    assert service(known)["versions"]["llm"]["nodes"]["machineType"] == "g2-standard-12"
    assert known.services[0].versions[0].guessed == ()
