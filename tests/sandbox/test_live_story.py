"""The moves of a live rehearsal, the verdict on them, and the pages about it. Pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.live.decisions import decisions
from sandbox.live.report import Counted, LiveReport, LiveRollout, Moved, Streams, verdict_of
from sandbox.live.show import rows
from sandbox.live.soak_page import page
from sandbox.live.story import moves, straight_up, whole_story
from sandbox.traffic.verdict import within

LADDER = ("baseline", "prepare", 1, 10, 50, 100, "retire")


def test_the_whole_story_goes_back_from_every_stage_and_never_skips_a_rung():
    steps = whole_story(LADDER)
    made = moves(steps)[1:]
    backs = {origin for origin, to in made if to == "prepare" and origin != "baseline"}

    assert backs == {1, 10, 50, 100}
    assert ("prepare", "baseline") in made
    assert ("retire", 100) in made
    assert steps[-2:] == ["retire", "finish"]
    order = [*LADDER, "finish"]
    assert all(order.index(to) <= order.index(origin) + 1 for origin, to in made)


def test_straight_up_is_every_stage_once():
    assert straight_up(LADDER) == [*LADDER, "finish"]


def counted(requests: int = 2000, failed: int = 0) -> Counted:
    return Counted(requests, failed, {"status": failed} if failed else {}, (), 5.0, 20.0)


def rollout(*made: Moved, streams: Streams | None = None, fault: dict | None = None) -> LiveRollout:
    return LiveRollout("llm", None, "node", "llm", "llm-new", made, streams, fault, complete=True)


def report(*rollouts: LiveRollout) -> LiveReport:
    return LiveReport("node-update", "gke", "2 cores, 24 GB", "2026-01-01T00:00:00+00:00", 12.0, rollouts)


GOOD = Moved(
    "1", "10", {"preview": 0.3, "update": 1.0, "effect": 0.2}, during=counted(100), after=counted(),
    shares=tuple(within({"llm": 90, "llm-new": 10}, {"llm": 1800, "llm-new": 200})),
)  # fmt: skip


def test_a_clean_run():
    found = report(rollout(GOOD, streams=Streams(30, 4, 0)))
    assert found.clean
    assert found.verdict == "clean: 2,104 requests, 0 failed, 1 moves, every split within 4 sigma of its weights"


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        (Moved("1", "10", refusals=("not ready",)), "1 to 10 was refused: not ready"),
        (Moved("1", "10", error="x: gone"), "1 to 10 ended half-way: x: gone"),
        (Moved("1", "10", during=counted(50, 3)), "1 to 10: 3 of 50 requests failed"),
        (Moved("1", "10", after=counted(50, 1)), "1 to 10: 1 of 50 requests failed"),
        (Moved("1", "10", notes=("pod a has changed",)), "1 to 10: pod a has changed"),
        (Moved("1", "10", shares=tuple(within({"a": 90, "b": 10}, {"a": 1000, "b": 1000}))), "1 to 10: a served 1,000 of 2,000"),
        (Moved("1", "10", shares=tuple(within({"a": 90, "b": 10}, {"a": 18, "b": 2}))), "1 to 10: too few requests to judge: a "),
        (Moved("1", "10", shares=tuple(within({"a": 90, "b": 10}, {}))), "1 to 10: too few requests to judge: a served 0 of 0"),
    ],
)
def test_whatever_is_wrong_makes_it_not_clean_and_is_said(moved, said):
    found = report(rollout(GOOD, moved))
    assert not found.clean
    assert found.verdict.startswith(f"not clean: {said}")
    assert found.to_json()["clean"] is False


def test_of_several_stacks_the_last_line_is_about_all():
    good, bad = report(rollout(GOOD)), report(rollout(Moved("1", "10", refusals=("not ready",))))
    assert verdict_of([good, replace(good, stack="base-model")]).startswith(
        "clean: 2 stacks, 4,200 requests, 0 failed, 2 moves, "
    )
    assert verdict_of([bad, good]) == "not clean: node-update: 1 to 10 was refused: not ready"
    assert verdict_of([replace(bad, stack="a"), bad]).startswith("not clean: a: 1 to 10 was refused: not ready; node-update: ")


def test_a_stream_that_did_not_finish_is_wrong():
    assert report(rollout(GOOD, streams=Streams(30, 3, 1))).wrong == ["1 of 4 long streams did not finish"]


def test_one_failure_of_several_is_told_whole():
    failed = Counted(50, 3, {"status": 3}, ("status after 2 ms, llm by nobody: no healthy upstream", "…"), 5.0, 20.0)
    streams = Streams(30, 3, 1, ("truncated: unexpected EOF",))
    assert report(rollout(replace(GOOD, after=failed), streams=streams)).wrong == [
        "1 to 10: 3 of 150 requests failed, such as: status after 2 ms, llm by nobody: no healthy upstream",
        "1 of 4 long streams did not finish, such as: truncated: unexpected EOF",
    ]


def test_what_met_a_fault_on_purpose_is_no_failure():
    moved = Moved("50", "50", faulty=counted(800, 400))
    assert (moved.failed, moved.requests) == (0, 800)
    found = report(rollout(GOOD, moved))
    assert found.clean
    assert "0 failed but for 400 that met the fault, none of them stable's" in found.verdict
    assert next(iter(rows(moved)))[5:7] == ("800", "0 +400 to the fault")


def test_nothing_tried_is_not_clean():
    assert not report().clean


def test_a_story_that_ended_early_is_not_clean():
    early = report(replace(rollout(GOOD), complete=False))
    assert early.verdict == "not clean: the rollout of llm ended early, after 1 moves"
    assert early.to_json()["rollouts"][0]["complete"] is False


def test_long_streams_that_never_ran_are_wrong():
    assert report(rollout(GOOD, streams=Streams(30, 0, 0))).wrong == ["no long stream was under way"]


def test_long_streams_that_were_short_prove_nothing():
    assert report(rollout(GOOD, streams=Streams(30, 4, 0, median=15.2))).wrong == [
        "long streams took 15.2 s (median), and were to take 30 s at least"
    ]
    assert report(rollout(GOOD, streams=Streams(30, 4, 0, median=29.9))).clean


def test_the_table_shows_each_version_and_what_is_wrong():
    lines = list(rows(GOOD))
    assert [line[:3] for line in lines] == [("1 → 10", "llm", "90 % ± 2.7"), ("", "llm-new", "10 % ± 2.7")]
    assert lines[0][5:] == ("2,100", "0", "5/20", "0.20 s")
    broken = list(rows(Moved("1", "10", during=counted(50, 3))))
    assert broken[-1][0] == "  1 to 10: 3 of 50 requests failed"


def test_the_page_of_a_soak():
    fault = {
        "fault": "by-hand: somebody edits the route",
        "failed while it lasted": {"llm": 0, "llm-new": 3},
        "requests while it lasted": 800,
        "the user sees": ["edited by hand"],
        "the next raise is refused": True,
        "seconds until the cluster knew": 8.0,
        "rollback: seconds from the command to the effect": 1.2,
        "rollback: seconds of the whole update": 1.4,
    }
    text = page(
        [report(rollout(GOOD, streams=Streams(30, 4, 0)))], [report(rollout(GOOD, fault=fault))], "2 cores, 24 GB", "2026-01-01"
    )

    assert "**2,104 requests, 0 failed**, 1 moves" in text
    assert "| node: llm → llm-new | 1 | 2,104 | 0 | 0.0 σ | 5 ms | 20 ms | 0.20 s, 0.20 s |" in text
    assert "4 generations of 30 s and more were under way, across every move: 0 did not finish." in text
    assert "| `by-hand`: somebody edits the route | 0 of 800 | 3 | 8.0 s | refused | 1.2 s, 1.4 s in all |" in text
    assert "- `by-hand`: edited by hand" in text


def test_the_page_of_a_soak_hides_nothing_that_is_wrong():
    broken = Moved("1", "10", during=counted(50, 3))
    text = page([report(rollout(GOOD))], [report(rollout(broken, fault={"fault": "killed: -9"}))], "2 cores, 24 GB", "2026-01-01")

    before, _, after = text.partition("## When something goes wrong")
    assert "Not clean" not in before
    assert "**Not clean.** What was not as it should be:" in after
    assert "- 1 to 10: 3 of 50 requests failed" in after


def test_decisions_are_counted_by_target_for_one_model():
    text = """
# HELP inference_extension_model_rewrite_decisions_total
inference_extension_model_rewrite_decisions_total{model_name="llm",model_rewrite_name="r",target_model="llm-v1"} 90
inference_extension_model_rewrite_decisions_total{model_name="llm",model_rewrite_name="r",target_model="llm-v2"} 1e+01
inference_extension_model_rewrite_decisions_total{model_name="other",model_rewrite_name="r",target_model="llm-v2"} 7
"""
    assert decisions(text, "llm") == {"llm-v1": 90, "llm-v2": 10}
