"""Spot and flex-start: warned of on a canary, refused under what serves, and never in the way of leaving them or of falling."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from inference_rollouts.errors import InputError
from inference_rollouts.plan import plan_for
from inference_rollouts.settings import load
from inference_rollouts.settings.checks import short_lived
from inference_rollouts.settings.model import Version
from tests.records import STACK, Edit, as_it_is, at, put, tone_at

SPOT_STABLE = put("versions.old.nodes.spot", True)
NOT_INHERITED = put("versions.new.nodes.spot", False)
SPOT_CANARY = put("versions.new.nodes.spot", True)
SERVES = "services.chat.versions.old.nodes.spot"


def edited(*edits: Edit) -> dict[str, Any]:
    stack = copy.deepcopy(dict(STACK))
    for edit in edits:
        edit(stack["services"]["chat"])
    return stack


def refused(*edits: Edit) -> list[str]:
    """Places of the problems."""
    try:
        load(edited(*edits))
    except InputError as e:
        return [problem.path for problem in e.problems]
    return []


def notes(*edits: Edit) -> list[str]:
    """What a preview notes about such nodes."""
    (service,) = plan_for(load(edited(*edits))).services
    return [note for note in service.notes if "nodes, which" in note]


@pytest.mark.parametrize("stage", ["baseline", "prepare", 1, 50, 100, "retire"])
def test_what_serves_on_spot_may_be_left_at_any_stage_and_is_warned_of(stage):
    away = SPOT_STABLE, NOT_INHERITED, at(stage)

    assert refused(*away) == []
    assert notes(*away) == ["old serves on spot nodes, which can be taken away at any time, until the rollout to new has left it"]


@pytest.mark.parametrize("edits", [(SPOT_STABLE,), (SPOT_STABLE, at("baseline")), (SPOT_STABLE, at(10))])
def test_what_serves_on_spot_is_refused_without_a_rollout_that_leads_off_it(edits):
    assert refused(*edits) == [SERVES]


def test_what_serves_on_spot_may_be_decommissioned_and_holds_no_adapter_rollout_up():
    assert refused(SPOT_STABLE, put("decommission", True)) == []
    assert refused(SPOT_STABLE, tone_at(10)) == []
    assert refused(SPOT_STABLE, tone_at("baseline")) == [SERVES]


@pytest.mark.parametrize("stage", ["baseline", "prepare", 1, 50, 100])
def test_a_canary_on_spot_is_warned_of_and_the_note_says_how_it_ends(stage):
    assert refused(SPOT_CANARY, at(stage)) == []
    (note,) = notes(SPOT_CANARY, at(stage))
    assert note.startswith("new is on spot nodes, which can be taken away at any time: it may carry traffic as a canary")
    assert "retire and finish are refused" in note
    assert "new-new: {like: new" in note


def test_a_canary_on_spot_may_not_retire_what_it_leaves_nor_finish():
    assert refused(SPOT_CANARY, at("retire")) == ["services.chat.rollout.stage"]
    assert refused(SPOT_CANARY, put("serving", "new")) == ["services.chat.versions.new.nodes.spot"]


def test_a_template_on_spot_is_nobodys_concern():
    assert refused(SPOT_CANARY) == []
    assert notes(SPOT_CANARY, as_it_is) == []


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ({"nodes": {"spot": True}}, "spot"),
        ({"nodes": {"nodeSelector": {"cloud.google.com/gke-spot": "true"}}}, "spot"),
        ({"nodes": {"nodeSelector": {"cloud.google.com/gke-flex-start": "true"}}}, "flex-start"),
        ({"server": {"podSpec": {"nodeSelector": {"cloud.google.com/gke-flex-start": "true"}}}}, "flex-start"),
        ({"nodes": {"nodeSelector": {"cloud.google.com/gke-spot": "false"}}}, None),
        ({"nodes": {"spot": False}, "server": {"podSpec": {"nodeSelector": "spot"}}}, None),
        ({"nodes": {"computeClass": "cheap"}}, None),
        ({}, None),
    ],
)
def test_what_the_file_shows_of_short_lived_nodes_is_seen(version, kind):
    found = short_lived(Version.model_validate(version))

    assert (found.kind if found else None) == kind
