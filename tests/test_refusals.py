"""Every refusal in one golden file, to be read as a text: what is refused, why, and what to do. Each comes from a real move.

`make golden` writes the file anew; read the diff before you commit it.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts import move, probed, wording
from inference_rollouts.capacity import Capacity
from inference_rollouts.checks import Finding, LeastTime
from inference_rollouts.limits import Limits
from inference_rollouts.observe.bake import baked
from inference_rollouts.observe.cluster import Found
from inference_rollouts.record import Split
from inference_rollouts.windows import Freeze
from tests.records import Edit, as_it_is, at, judged, override, put, record, resting, split, tone_at

GOLDEN = Path(__file__).parent / "golden" / "refusals.txt"

SOURCE = put("adapters.tone.versions.tone-v1.source", "gs://adapters/tone-v1-again")
LEAVES = put("decommission", True)
ANOTHER_BASE = put("versions.new.server.model", "org/other")
PERMISSION = {"from": 1, "to": 50, "reason": "the old nodes fail", "by": "ada"}


def own_source(text: str) -> Edit:
    """The source of tone-v1 for the base model of the canary."""
    return put("versions.new.adapters", {"tone-v1": {"source": text}, "style-v1": {"source": "gs://adapters/style-llama"}})


def fields(image: str = "vllm-openai:v0.32.0", *, spot: bool = False, grace: int = 360) -> dict[str, Any]:
    """Frozen fields of a version, as they are rendered: few and by hand, so that only sentences change the file."""
    pod = {"terminationGracePeriodSeconds": grace, "containers": [{"name": "server", "image": image}]}
    return {"nodePool": {"node_config": {"spot": spot}}, "podTemplate": {"spec": pod}}


def of_versions(before: Split, after: Split, **changed: dict[str, Any]) -> Callable[[], list[str]]:
    """A move in which frozen fields change."""
    standing = {name: fields() for name in ("old", "new")}
    old, new = record(before, versions=standing), record(after, versions={**standing, **changed})
    return lambda: move.judge("chat", old, new)


def of_records(before, after) -> Callable[[], list[str]]:
    """A move that no stack file can ask for."""
    return lambda: move.judge("chat", record(before), record(after))


def of_edits(before: Edit | tuple[Edit, ...], after: Edit | tuple[Edit, ...]) -> Callable[[], list[str]]:
    """A move of a stack file."""
    return lambda: judged(before, after)


def of_pickers(before: str, after: str) -> Callable[[], list[str]]:
    """A picker changes its image while its pool goes from one failure mode to another."""
    old, new = (
        record(resting(), versions={"old": {**fields(), "failureMode": mode, "picker": {"image": f"epp:v{i}"}}})
        for i, mode in enumerate((before, after))
    )
    return lambda: move.judge("chat", old, new)


def scaled() -> list[str]:
    """Stable's four replicas become an autoscaler's."""
    old, new = (record(resting(), versions={"old": {**fields(), "replicas": replicas}}) for replicas in (4, None))
    return move.judge("chat", old, new)


def shrinks() -> list[str]:
    """Stable goes from four replicas to one in the middle of a rollout."""
    sizes = (Limits(capacity={"old": Capacity(pods, 5, "requestsPerSecond")}) for pods in (4, 1))
    old, new = (record(split(50), versions={"old": {}, "new": {}}, limits=limits) for limits in sizes)
    return move.judge("chat", old, new)


def of_gateways(before: dict[str, Any], after: dict[str, Any]) -> Callable[[], list[str]]:
    """The Gateway that the stack creates changes."""
    plain = {"class": "gke-l7-regional-external-managed", "address": None, "listeners": {"http": {"port": 80}}}
    old, new = (replace(record(resting()), door={"createdGateway": plain | own}) for own in (before, after))
    return lambda: move.judge("chat", old, new)


def held(limits: Limits) -> Callable[[], list[str]]:
    """A raise that limits hold back, on the first day of a year."""
    old, new = record(split(10), limits=limits), record(split(25), limits=limits)
    return lambda: move.judge("chat", old, new, datetime(2027, 1, 1, tzinfo=UTC))


def asked(finding: Finding, *, retires: bool = False) -> Callable[[], list[str]]:
    """What a live check answers in `up`."""
    assert finding.blocks
    return lambda: [wording.not_ready("service chat", finding.sentence, retires=retires)]


def stood(check: LeastTime, minutes: int, least: int) -> Finding:
    """The finding on weights that were written so long ago, in minutes."""
    entry = {"manager": "pulumi-kubernetes-1", "operation": "Apply", "time": "2027-01-01T12:00:00Z"}
    route = {"kind": "HTTPRoute", "metadata": {"managedFields": [entry | {"fieldsV1": {"f:spec": {"f:rules": {}}}}]}}
    return baked(Found(route), ROUTE, datetime(2027, 1, 1, 12, minutes, tzinfo=UTC), least * 60, check)


def probe(**evidence: str) -> Finding:
    """The finding on a probe of the canary, where there was one."""
    passed = {"to": "new", "digest": "0123456789abcdef", "time": "2027-01-01T12:00:00Z", "requests": 40, "by": "ada", **evidence}
    about = {probed.PROBE_ANNOTATION: json.dumps(passed)} if evidence else {}
    return probed.judge(about, "new", "0123456789abcdef", at=ROUTE, stack="prod")


ROUTE = "HTTPRoute default/chat"
WINDOW = Limits(freeze=(Freeze("2026-12-20", "2027-01-06", "Europe/Berlin", "the holidays"),))
SMALL = Limits(peak=40, capacity={"new": Capacity(2, 4, "requestsPerSecond")})

MOVES: dict[str, Callable[[], list[str]]] = {
    "a rung is skipped": of_edits(at(10), at(50)),
    "a rung is skipped by an adapter": of_edits(tone_at("prepare"), tone_at(10)),
    "baseline with weight": of_edits(at(10), at("baseline")),
    "retire before 100": of_edits(at(50), at("retire")),
    "from retire down at once": of_edits(at("retire"), at("prepare")),
    "a raise to a weight of other steps": of_records(split(10), split(30)),
    "a raise from a weight on no rung": of_records(split(10, steps=(25, 100)), split(25, steps=(25, 100))),
    "an override that is spent": of_edits(at(1, override=PERMISSION), at(50, override=PERMISSION)),
    "an override for another move": of_edits(at(1), at(100, override=PERMISSION)),
    "an override that would delete the canary": of_records(split(10), split("baseline", override=override(10, "baseline"))),
    "an override that would delete stable": of_records(split(50), split("retire", override=override(50, "retire"))),
    "an override that gives weight to what is new": of_records(split("baseline"), split(10, override=override("baseline", 10))),
    "steps and a raise": of_edits(at(10), at(100, steps=[10, 100])),
    "to and a raise": of_edits(at("prepare"), (put("versions.third", {"like": "old"}), at(1, to="third"))),
    "to replaced at 10": of_edits(at(10), (put("versions.third", {"like": "old"}), at(10, to="third"))),
    "to replaced at retire": of_edits(at("retire"), (put("versions.third", {"like": "old"}), at("retire", to="third"))),
    "serving set to what is new": of_edits(as_it_is, put("serving", "new")),
    "serving and to swapped": of_edits(at(10), (put("serving", "new"), at(10, to="old"))),
    "finish and the next rollout at once": of_edits(at("retire"), (put("serving", "new"), at("prepare", to="old"))),
    "a rollout enters at 10": of_edits(as_it_is, at(10)),
    "a rollout is taken out at prepare": of_edits(at("prepare"), as_it_is),
    "a rollout is taken out at 50": of_edits(at(50), as_it_is),
    "a rollout is taken out at retire": of_edits(at("retire"), as_it_is),
    "finish at 50": of_edits(at(50), put("serving", "new")),
    "weights that are not the stage's": of_records(split(10), replace(split(10), weights={"old": 50, "new": 51})),
    "stable changes in place": of_versions(resting(), resting(), old=fields("vllm-openai:v0.33.0")),
    "a picker changes while its pool fails closed": of_pickers("FailClose", "FailClose"),
    "replicas are left to an autoscaler": scaled,
    "stable changes for a key of the service": of_versions(resting(), resting(), old=fields(grace=660)),
    "stable is replaced, and the canary changes with it": of_versions(
        split(10), split(10), old=fields("vllm-openai:v0.33.0", spot=True), new=fields("vllm-openai:v0.33.0")
    ),
    "stable changes where a rollback needs it": of_versions(split(100), split("retire"), old=fields("vllm-openai:v0.33.0")),
    "the canary is replaced on the way down": of_versions(split(50), split("prepare"), new=fields(spot=True)),
    "the canary changes as it gets weight": of_versions(split("prepare"), split(1), new=fields("vllm-openai:v0.33.0")),
    "an adapter's source": of_edits(as_it_is, SOURCE),
    "an adapter's source on an idle canary": of_edits(
        (ANOTHER_BASE, own_source("gs://adapters/a"), at("prepare")), (ANOTHER_BASE, own_source("gs://adapters/b"), at("prepare"))
    ),
    "the door": of_edits(as_it_is, (put("route.hostnames", ["talk.example.com"]), put("namespace", "prod"))),
    "the Gateway behind the door": of_gateways({"class": "gke-l7-rilb"}, {"address": "front"}),
    "an adapter is removed": of_edits(as_it_is, put("adapters.tone", None)),
    "decommission with a move": of_edits(at(10), (at(25), LEAVES)),
    "an adapter's move while its service leaves": of_edits((tone_at(10), LEAVES), (tone_at(50), LEAVES)),
    "a freeze window": held(WINDOW),
    "a canary that is too small": held(SMALL),
    "stable gets fewer pods than a rollback needs": shrinks,
    "a live check fails": lambda: [wording.not_ready("service chat", "the Deployment new has 1 of 2 pods ready")],
    "a rung is too young": asked(stood("bake", 10, 30)),
    "the weights have not settled": asked(stood("settle", 0, 1)),
    "stable was not kept long enough": asked(stood("keep", 20, 60), retires=True),
    "no probe has passed": asked(probe()),
    "another version was probed": asked(probe(to="newer")),
    "the canary has changed since it was probed": asked(probe(digest="fedcba9876543210")),
    "the evidence of a probe cannot be read": asked(probe(by="", requests="many")),
    "the guard fails": lambda: [
        wording.unreadable("Unreadable: the deployed record: pools: stage is missing, which is no stage")
    ],
    "the engine, on deleting": lambda: [wording.protected_delete("HTTPRoute", "chat")],
    "the engine, on deleting the Gateway": lambda: [wording.protected_delete("Gateway", "gate")],
    "the engine, on replacing": lambda: [wording.protected_replace("NodePool", "old", ["nodeConfig.spot"])],
}
"""Situations that are refused. A dictionary with one reason or more each."""


def rendered() -> str:
    """All of them as a text: situation, and its reasons."""
    return "\n".join("\n".join([f"# {title}", *reasons(), ""]) for title, reasons in MOVES.items())


def test_the_refusals_read_as_the_golden_file_has_them():
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(rendered(), encoding="utf-8")

    assert rendered() == GOLDEN.read_text(encoding="utf-8"), "if the new sentences are better: make golden, and read the diff"


@pytest.mark.parametrize("title", MOVES)
def test_a_refusal_is_one_sentence_that_says_what_why_and_what_to_do(title):
    for reason in MOVES[title]():
        what, _, rest = reason.partition("; ")
        assert what
        assert rest, "what to do stands after a semicolon"
        assert reason.rstrip(")")[-1] not in ".;,"
        assert "\n" not in reason


def refusals_in_wording() -> set[str]:
    """The functions under the headings of refusals."""
    source = inspect.getsource(wording)
    headings = {i: line for i, line in enumerate(source.splitlines(), 1) if line.startswith("# --- ")}
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            above = max(line for line in headings if line < node.lineno)
            if headings[above].startswith("# --- refusals"):
                found.add(node.name)
    return found


def test_every_refusal_of_the_wording_is_in_the_golden_file(monkeypatch):
    said: set[str] = set()

    def noting(name: str, sentence: Callable[..., str]) -> Callable[..., str]:
        return lambda *args, **kwargs: said.add(name) or sentence(*args, **kwargs)

    refusals = refusals_in_wording()
    for name in refusals:
        monkeypatch.setattr(wording, name, noting(name, getattr(wording, name)))
    rendered()

    assert refusals - said == set()
