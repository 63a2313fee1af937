"""The order in which an update is done, what it waits for, and what it leaves when it fails: with a scripted cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.observe.cluster import Absent, Found
from inference_rollouts.rehearsal.engine import Deployed, preview, state_of
from inference_rollouts.rehearsal.recording import Recording, Registration
from sandbox.apply import waits
from sandbox.apply.kubectl import Kubectl, KubectlError
from sandbox.apply.state import StateFile
from sandbox.apply.update import Update, UpdateFailed


def registration(name: str, kind: str = "Deployment", *needs: str, replicas: int = 1, protect: bool = False) -> Registration:
    version = {"Deployment": "apps/v1", "HTTPRoute": "gateway.networking.k8s.io/v1", "ConfigMap": "v1"}[kind]
    inputs = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas},
    }
    type_ = f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}"
    return Registration(
        urn=f"urn::{name}", type=type_, name=name, custom=True, parent="", inputs=inputs, protect=protect,
        dependencies=tuple(f"urn::{need}" for need in needs),
    )  # fmt: skip


def recorded(*registrations: Registration) -> Recording:
    return Recording(resources={r.urn: r for r in registrations})


@dataclass
class World:
    """A cluster on which what is applied becomes ready when it is let."""

    slow: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    done: list[tuple[str, str]] = field(default_factory=list)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        names = [m["metadata"]["name"] for m in manifests]
        if bad := [name for name in names if name in self.refused]:
            raise KubectlError(f"{bad[0]} is invalid")
        for name, manifest in zip(names, manifests, strict=True):
            self.done.append(("apply", name))
            self.objects[name] = dict(manifest)

    def delete(self, manifest: Mapping[str, Any], timeout: float) -> None:
        name = manifest["metadata"]["name"]
        if name in self.refused:
            raise KubectlError(f"{name} cannot be deleted")
        self.done.append(("delete", name))
        del self.objects[name]

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Any:
        if name not in self.objects:
            return Absent()
        ready = 0 if name in self.slow else self.objects[name]["spec"]["replicas"]
        status = {"observedGeneration": 1, "replicas": ready, "updatedReplicas": ready, "availableReplicas": ready}
        return Found({**self.objects[name], "metadata": {"generation": 1}, "status": status})


class NoPools:
    def apply(self, inputs: Mapping[str, Any]) -> None:
        raise AssertionError("no pool here")

    delete = apply


def up(tmp_path: Path, world: Any, wanted: Recording, patience: float = 1.0) -> Update:
    state = StateFile(tmp_path / "state.json")
    update = Update(world, world, NoPools(), state, patience)
    update.run(preview(state.read(), wanted), wanted)
    return update


def names(tmp_path: Path) -> dict[str, bool]:
    """What the state holds, and whether it has init errors."""
    return {urn.removeprefix("urn::"): d.init_errors for urn, d in StateFile(tmp_path / "state.json").read().items()}


def test_everything_after_what_it_needs_and_deletions_last(tmp_path):
    world: Any = World()
    up(tmp_path, world, recorded(registration("a"), registration("b", "Deployment", "a"), registration("old")))
    world.done.clear()
    up(
        tmp_path,
        world,
        recorded(registration("a"), registration("b", "Deployment", "a", replicas=2), registration("c", "ConfigMap", "b")),
    )

    assert world.done == [("apply", "b"), ("apply", "c"), ("delete", "old")]
    assert names(tmp_path) == {"a": False, "b": False, "c": False}


def test_nothing_is_written_for_what_stays(tmp_path):
    world: Any = World()
    wanted = recorded(registration("a"), registration("b"))
    up(tmp_path, world, wanted)
    world.done.clear()
    up(tmp_path, world, wanted)

    assert world.done == []


def test_a_server_that_never_becomes_ready_holds_up_only_what_needs_it(tmp_path):
    world = World(slow=("server",))
    wanted = recorded(
        registration("server"), registration("of-the-server", "ConfigMap", "server"), registration("pool", "ConfigMap"),
        registration("route", "ConfigMap", "pool"),
    )  # fmt: skip
    with pytest.raises(UpdateFailed) as failed:
        up(tmp_path, world, wanted)

    assert ("apply", "route") in world.done
    assert ("apply", "of-the-server") not in world.done
    assert str(failed.value) == "Deployment server: not ready in time: 0 of 1 replicas are available, 0 up to date"
    assert names(tmp_path) == {"server": True, "pool": False, "route": False}


def test_the_route_is_written_while_the_server_is_still_awaited(tmp_path):
    world = World(slow=("server",))
    wanted = recorded(registration("server"), registration("pool", "ConfigMap"), registration("route", "ConfigMap", "pool"))
    thread = threading.Thread(target=lambda: up(tmp_path, world, wanted, patience=20), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while ("apply", "route") not in world.done and time.monotonic() < deadline:
        time.sleep(0.01)

    assert ("apply", "route") in world.done
    assert thread.is_alive()
    world.slow = ()
    thread.join(10)
    assert not thread.is_alive()


def test_what_was_not_ready_is_awaited_again_by_the_next_update(tmp_path):
    world = World(slow=("server",))
    wanted = recorded(registration("server"))
    with pytest.raises(UpdateFailed):
        up(tmp_path, world, wanted)
    world.slow = ()
    up(tmp_path, world, wanted)

    assert names(tmp_path) == {"server": False}


def test_of_several_that_are_applied_at_once_the_bad_one_is_named_and_the_others_stand(tmp_path):
    world = World(refused=("bad",))
    with pytest.raises(UpdateFailed) as failed:
        up(tmp_path, world, recorded(registration("bad", "ConfigMap"), registration("good", "ConfigMap")))

    assert str(failed.value) == "ConfigMap bad: bad is invalid"
    assert names(tmp_path) == {"good": False}


def test_nothing_is_deleted_after_a_failure(tmp_path):
    world: Any = World()
    up(tmp_path, world, recorded(registration("old")))
    world.refused = ("bad",)
    with pytest.raises(UpdateFailed):
        up(tmp_path, world, recorded(registration("bad", "ConfigMap")))

    assert "old" in names(tmp_path)


def test_a_deletion_that_fails_stays_in_state(tmp_path):
    world: Any = World()
    up(tmp_path, world, recorded(registration("old")))
    world.refused = ("old",)
    with pytest.raises(UpdateFailed, match="old cannot be deleted"):
        up(tmp_path, world, recorded())

    assert names(tmp_path) == {"old": False}


def test_an_update_that_was_killed_is_continued(tmp_path):
    class Killed(BaseException):
        pass

    world: Any = World()
    wanted = recorded(registration("a"), registration("b", "Deployment", "a"), registration("c", "Deployment", "b"))
    state = StateFile(tmp_path / "state.json")

    def kill(step: Any) -> None:
        if step.operation.name == "b":
            raise Killed

    with pytest.raises(Killed):
        Update(world, world, NoPools(), state, 1.0, kill).run(preview(state.read(), wanted), wanted)
    world.done.clear()
    up(tmp_path, world, wanted)

    assert world.done == [("apply", "c")]


def test_a_replacement_is_deleted_first_since_its_name_stays(tmp_path):
    world: Any = World()
    up(tmp_path, world, recorded(registration("a")))
    other = registration("a")
    other.inputs["spec"]["selector"] = {"matchLabels": {"a": "b"}}  # type: ignore[index]
    world.done.clear()
    up(tmp_path, world, recorded(other))

    assert world.done == [("delete", "a"), ("apply", "a")]


def test_the_state_survives_being_written_and_read(tmp_path):
    state = {**state_of(recorded(registration("a", "ConfigMap", "b", protect=True))), "urn::x": Deployed(registration("x"), True)}
    file = StateFile(tmp_path / "deep" / "state.json")
    file.write(state)

    assert file.read() == state


# --- what is waited for -----------------------------------------------------------------------------------------------


def deployment(**status: int) -> dict[str, Any]:
    whole = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    return {"metadata": {"generation": 3}, "spec": {"replicas": 2}, "status": whole}


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({}, True),
        ({"observedGeneration": 2}, False),
        ({"updatedReplicas": 1}, False),
        ({"replicas": 3}, False),
        ({"availableReplicas": 1}, False),
    ],
)
def test_a_deployment_is_there_when_all_of_its_current_generation_is(status, ready):
    assert (waits.missing(registration("a").inputs, deployment(**status)) == "") is ready


ROUTE = {
    "kind": "HTTPRoute",
    "metadata": {
        "annotations": {
            "pulumi.com/waitFor": "[\"jsonpath={.status.parents[?(@.controllerName=='c' && @.parentRef.name=='g')]"
            ".conditions[?(@.type=='Accepted' && @.observedGeneration==$.metadata.generation)].status}=True\"]",
            "pulumi.com/timeoutSeconds": "300",
        }
    },
}


def route(controller: str = "c", gateway: str = "g", generation: int = 2, status: str = "True") -> dict[str, Any]:
    condition = {"type": "Accepted", "status": status, "observedGeneration": generation}
    parent = {"controllerName": controller, "parentRef": {"name": gateway}, "conditions": [condition]}
    return {"metadata": {"generation": 2}, "status": {"parents": [parent]}}


@pytest.mark.parametrize(
    ("live", "ready"),
    [
        (route(), True),
        (route(generation=1), False),
        (route(controller="other"), False),
        (route(gateway="other"), False),
        (route(status="False"), False),
        ({"metadata": {"generation": 2}}, False),
    ],
)
def test_a_route_is_there_when_its_own_gateway_says_so_of_this_generation(live, ready):
    assert (waits.missing(ROUTE, live) == "") is ready


def test_what_is_awaited_and_how_long():
    assert waits.is_awaited(ROUTE)
    assert waits.timeout_of(ROUTE) == 300
    assert waits.is_awaited(registration("a").inputs)
    assert not waits.is_awaited(registration("a", "ConfigMap").inputs)
    skipped = {"kind": "Deployment", "metadata": {"annotations": {"pulumi.com/skipAwait": "true"}}}
    assert not waits.is_awaited(skipped)


def test_kubectl_says_what_failed(tmp_path):
    script = tmp_path / "kubectl"
    script.write_text("#!/bin/sh\ncat > /dev/null\necho 'Error: the object  is invalid' >&2\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(KubectlError, match=r"^Error: the object is invalid$"):
        Kubectl(str(script), tmp_path / "kubeconfig").apply(ROUTE)
