"""`rollout preview`: what a changed stack file does, compared with a base, without credentials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.edit.project import Project, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path, "node-update")


def edited(project: Project, old: str, new: str) -> None:
    file = project.file("node-update")
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def previewed(project: Project, *more: str) -> dict:
    answer = project.rollout("preview", "node-update", "--json", *more)
    assert answer.err == ""
    return json.loads(answer.out)


def test_a_raise_moves_weights_and_nothing_else(project):
    edited(project, "stage: 10", "stage: 25")
    document = previewed(project)

    assert document["headline"] == "service llm goes up from 10 to 25: llm-new gets 25 % of the traffic, llm keeps 75 %"
    (change,) = document["changes"]
    assert (change["from"]["weights"], change["to"]["weights"]) == ({"llm": 90, "llm-new": 10}, {"llm": 75, "llm-new": 25})
    assert {o["type"].rpartition(":")[2] for o in document["operations"] if o["op"] not in ("same", "update")} == set()
    assert [o["object"] for o in document["operations"] if o["op"] == "update" and o["object"]] == ["routes-to-llm"]


READY = [
    "the canary's servers, endpoint picker and pool are ready",
    "the route is accepted as it is deployed",
    "the live weights are the deployed ones",
]


def test_a_raise_says_what_the_cluster_will_be_asked(project):
    edited(project, "stage: 10", "stage: 25, bake: 30m, checks: [{name: error-ratio, max: 0.01}]")
    (asked,) = previewed(project)["asked"]
    own = ["the weights have stood for 30m (bake)", "metric error-ratio keeps its limits"]

    assert asked == {"service": "llm", "before": "raise", "questions": [*READY, *own], "noMore": []}
    out = project.rollout("preview", "node-update").out
    said = f"before the weight rises, whether {', '.join([*READY, *own])}; what it cannot learn counts as no"
    assert f"  pulumi up will ask the cluster: {said}\n" in out


def test_retire_asks_how_long_the_canary_has_served_alone(project):
    edited(project, "stage: 10", "stage: 100, keep: 2h, bake: 30m")
    project.git("commit", "-qam", "at 100")
    edited(project, "stage: 100", "stage: retire")
    (asked,) = previewed(project)["asked"]

    assert asked["before"] == "retire"
    assert asked["questions"] == [*READY, "the weights have stood for 2h (keep)"]


@pytest.mark.parametrize("stage", ["prepare", "1"])
def test_a_fall_asks_nothing_and_says_nothing_of_it(project, stage):
    edited(project, "stage: 10", f"stage: {stage}, bake: 30m")

    assert previewed(project)["asked"] == []
    assert "will ask" not in project.rollout("preview", "node-update").out


def test_conditions_that_go_together_with_the_move_that_they_were_for_are_said(project):
    checks = "[{name: error-ratio, max: 0.01}, {name: kv-cache, max: 0.9}]"
    edited(project, "stage: 10", f"stage: 10, bake: 2h, checks: {checks}")
    project.git("commit", "-qam", "conditions")
    edited(project, f"stage: 10, bake: 2h, checks: {checks}", "stage: 25, bake: 10m, checks: [{name: kv-cache, max: 1}]")
    (asked,) = previewed(project)["asked"]

    less = ["bake 2h (now 10m)", "metric error-ratio", "metric kv-cache as it was"]
    assert asked["noMore"] == less
    said = f"and no more: {', '.join(less)}, which this change takes away from the very move that it makes"
    assert said in project.rollout("preview", "node-update").out


def test_a_first_raise_is_not_judged_by_metrics_since_there_is_no_traffic_yet(project):
    edited(project, "stage: 10", "stage: prepare, checks: [{name: error-ratio}]")
    project.git("commit", "-qam", "prepare")
    edited(project, "stage: prepare, checks: [{name: error-ratio}]", "stage: 1")
    (asked,) = previewed(project)["asked"]

    assert not any("metric" in phrase for phrase in [*asked["questions"], *asked["noMore"]])


def test_a_first_raise_that_drops_its_probe_says_so(project):
    edited(project, "stage: 10", "stage: prepare, test: {header: x-canary, value: llm, required: true}")
    project.git("commit", "-qam", "prepare")
    edited(project, "stage: prepare", "stage: 1")
    assert "rollout probe has passed on the canary as it stands" in previewed(project)["asked"][0]["questions"]
    edited(project, ", required: true", "")

    assert previewed(project)["asked"][0]["noMore"] == ["that rollout probe has passed"]


def test_what_the_second_version_costs_is_said_with_the_day_and_place_of_the_prices(project):
    edited(project, "stage: 10", "stage: 25")
    (surge,) = previewed(project)["surge"]

    assert (surge["version"], surge["nodes"], surge["usdHour"], surge["priceDate"], surge["priceRegion"]) == (
        "llm-new",
        2,
        9.0,
        "2026-07-30",
        "us-central1",
    )
    assert "9.00 USD per hour for llm-new (2 × g4-standard-48)" in project.rollout("preview", "node-update").out


@pytest.mark.parametrize(("price", "hour"), [("2.25", 4.5), ("{ onDemand: 2.25, spot: 1 }", 4.5)])
def test_what_is_really_paid_takes_the_place_of_the_list_price(project, price, hour):
    edited(project, "stage: 10", "stage: 25")
    edited(
        project,
        "  inference-rollouts:services:",
        f"  inference-rollouts:prices: {{ g4-standard-48: {price} }}\n  inference-rollouts:services:",
    )
    (surge,) = previewed(project)["surge"]

    assert (surge["usdHour"], surge["maxUsdHour"], surge["priceFrom"]) == (hour, 13.5, "prices")
    assert (surge["priceDate"], surge["priceRegion"]) == (None, None)
    said = "4.50 USD per hour for llm-new (2 × g4-standard-48), at most 13.50 with all 6 nodes of its pool"
    assert f"{said}; by prices.g4-standard-48 of the stack file\n" in project.rollout("preview", "node-update").out


def test_a_way_of_buying_without_a_price_of_its_own_keeps_the_list_price(project):
    edited(project, "stage: 10", "stage: 25")
    edited(
        project,
        "  inference-rollouts:services:",
        "  inference-rollouts:prices: { g4-standard-48: { spot: 1 } }\n  inference-rollouts:services:",
    )
    (surge,) = previewed(project)["surge"]

    assert (surge["usdHour"], surge["priceFrom"], surge["priceDate"]) == (9.0, "list", "2026-07-30")


def test_a_price_that_the_catalogue_does_not_have_is_unknown_and_never_guessed(project):
    edited(
        project,
        "accelerator: nvidia-rtx-pro-6000, machineType: g4-standard-48",
        "accelerator: nvidia-b200, machineType: a4-highgpu-8g, reservation: r",
    )
    edited(project, "stage: 10", "stage: prepare")
    (surge,) = previewed(project, "--base", str(base_file(project)))["surge"]

    assert (surge["usdHour"], surge["maxUsdHour"], surge["priceDate"]) == (None, None, None)
    assert "unknown for llm-new (2 × a4-highgpu-8g)" in project.rollout("preview", "node-update", "--base", "base.yaml").out


def base_file(project: Project) -> Path:
    """The edited file at baseline."""
    base = Path("base.yaml")
    base.write_text(project.file("node-update").read_text("utf-8").replace("stage: prepare", "stage: baseline"), "utf-8")
    return base


def test_nodes_that_are_added_are_counted_with_their_accelerators(project):
    edited(project, "stage: 10", "stage: baseline")
    project.commit("baseline")
    edited(project, "stage: baseline", "stage: prepare")
    (nodes,) = previewed(project)["nodesAdded"]

    assert (nodes["version"], nodes["machineType"], nodes["maxNodes"], nodes["acceleratorsPerNode"]) == (
        "llm-new",
        "g4-standard-48",
        6,
        1,
    )


def test_what_the_guards_refuse_has_their_reasons_and_exit_code_3(project):
    edited(project, "stage: 10", "stage: 100")
    answer = project.rollout("preview", "node-update", "--format", "markdown")

    assert answer.code == 3
    assert "**⛔ Refused: this update would change nothing**" in answer.out
    assert "\n- service llm: 10 to 100 skips a rung" in answer.out
    assert "| llm-new | 10 % | **100 %** |" in answer.out
    assert "mermaid" not in answer.out
    assert "skips a rung" in project.rollout("preview", "node-update").out


def test_an_unchanged_file_says_that_nothing_changes(project):
    answer = project.rollout("preview", "node-update")

    assert answer.code == 0
    assert "nothing changes: the stack file says the same as HEAD" in answer.out


def test_a_change_that_moves_no_rollout_says_so(project):
    edited(project, "replicas: 4", "replicas: 5")

    assert previewed(project)["headline"] == "no rollout moves, but resources change"
    edited(project, "replicas: 5", "replicas: 4")
    edited(project, "server: { replicas: 2 }", "server: { replicas: 2 } # two")
    assert previewed(project)["headline"] == "no rollout moves, and no resource changes"


def test_a_new_stack_is_said_to_be_new(project):
    project.file("prod").write_bytes(project.file("node-update").read_bytes())
    document = json.loads(project.rollout("preview", "prod", "--json").out)

    assert document["headline"].startswith("prod is a new stack: HEAD has no such file; 1 service, ")
    assert {o["op"] for o in document["operations"]} == {"create"}


def test_a_deleted_file_says_that_no_update_follows(project):
    project.file("node-update").unlink()
    answer = project.rollout("preview", "node-update", "--format", "markdown")

    assert answer.code == 0
    assert "no update follows from that" in answer.out
    assert "pulumi destroy -s node-update" in answer.out


def test_a_stack_that_is_nowhere_is_a_sentence(project):
    answer = project.rollout("preview", "nowhere")

    assert (answer.code, answer.out, answer.err) == (1, "", "nowhere: there is no such stack file, here or in HEAD\n")


def test_a_branch_is_compared_with_where_it_left_the_default_branch_of_origin(project):
    project.git("remote", "add", "origin", ".")
    project.git("fetch", "--quiet", "origin", "main:refs/remotes/origin/main")
    project.git("checkout", "--quiet", "-b", "raise")
    edited(project, "stage: 10", "stage: 25")
    project.commit("raise")
    document = previewed(project)

    assert (document["base"], document["changes"][0]["from"]["stage"]) == ("origin/main", 10)
    assert previewed(project, "--base", "HEAD")["changes"] == []


def test_a_base_that_is_neither_a_file_nor_a_commit_is_a_sentence(project):
    answer = project.rollout("preview", "node-update", "--base", "--no-such")

    assert answer.code == 1
    assert answer.err == "--base: --no-such is neither a file nor a commit, branch or tag that this clone knows\n"


def broken_at_head(project: Project) -> None:
    """The file has a problem in HEAD and none in the working tree, where it goes up."""
    edited(project, "serving: llm\n", "serving: lm\n")
    project.commit("broken")
    edited(project, "serving: lm\n", "serving: llm\n")
    edited(project, "stage: 10", "stage: 25")


def test_a_base_with_problems_does_not_block_its_repair_and_the_newest_valid_text_takes_its_place(project):
    broken_at_head(project)
    before = project.git("rev-parse", "HEAD^")[:10]
    document = previewed(project)

    assert document["headline"] == "service llm goes up from 10 to 25: llm-new gets 25 % of the traffic, llm keeps 75 %"
    assert document["base"] == before
    (note,) = [note for note in document["notes"] if "HEAD" in note]
    assert note.startswith("the file in HEAD has a problem and is not compared with (stacks/Pulumi.node-update.yaml in HEAD:")
    assert note.endswith(f"); {before} takes its place, the newest commit before it in which the file can be read")
    assert note in project.rollout("preview", "node-update").out
    assert "> the file in HEAD has a problem" in project.rollout("preview", "node-update", "--format", "markdown").out


def test_what_is_refused_after_a_base_with_problems_is_refused_still(project):
    broken_at_head(project)
    edited(project, "stage: 25", "stage: 100")

    assert project.rollout("preview", "node-update").code == 3


def test_without_any_valid_text_before_it_nobody_can_tell_what_moves(project):
    text = project.file("node-update").read_text("utf-8").replace("serving: llm\n", "serving: lm\n")
    project.file("prod").write_text(text, "utf-8")
    project.commit("never valid")
    project.file("prod").write_text(text.replace("serving: lm\n", "serving: llm\n"), "utf-8")
    answer = project.rollout("preview", "prod", "--json")
    document = json.loads(answer.out)

    assert (answer.code, answer.err) == (0, "")
    assert document["headline"] == (
        "nobody can tell what moves, since no text of the file before can be read; "
        "what follows is a first deployment of all of it: 1 service"
    )
    assert (document["changes"], document["asked"], document["nodesAdded"]) == ([], [], [])
    assert "nor can any of the last 50 commits that changed it be read" in document["notes"][0]


def test_a_base_that_is_a_file_with_problems_is_refused_since_it_was_asked_for_by_name(project):
    Path("base.yaml").write_text(
        project.file("node-update").read_text("utf-8").replace("serving: llm\n", "serving: lm\n"), "utf-8"
    )
    answer = project.rollout("preview", "node-update", "--base", "base.yaml")

    assert answer.code == 1
    assert answer.err.startswith("stacks/Pulumi.node-update.yaml in base.yaml:")


def test_when_both_sides_have_problems_those_of_the_working_tree_are_said(project):
    broken_at_head(project)
    edited(project, "stage: 25", "stage: 11")
    answer = project.rollout("preview", "node-update")

    assert answer.code == 1
    assert answer.err.startswith("stacks/Pulumi.node-update.yaml:")


def test_a_stack_file_that_is_a_link_is_compared_with_what_it_led_to(project):
    (project.folder / "shared").mkdir()
    shared = project.folder / "shared" / "nu.yaml"
    project.file("node-update").rename(shared)
    project.file("node-update").symlink_to("../shared/nu.yaml")
    document = previewed(project)
    assert document["headline"] == "nothing changes: the stack file says the same as HEAD"

    project.commit("shared")
    shared.write_text(shared.read_text("utf-8").replace("stage: 10", "stage: 25"), "utf-8")
    assert previewed(project)["headline"].startswith("service llm goes up from 10 to 25")


def test_a_link_to_nothing_is_a_file_that_cannot_be_read_and_not_one_that_is_deleted(project):
    project.file("node-update").unlink()
    project.file("node-update").symlink_to("nowhere.yaml")
    answer = project.rollout("preview", "node-update")

    assert answer.code == 1
    assert answer.err == "stacks/Pulumi.node-update.yaml: cannot be read: No such file or directory\n"


def test_a_project_outside_git_asks_for_a_base(tmp_path, monkeypatch, project):
    folder = tmp_path / "plain"
    folder.mkdir()
    for name in ("Pulumi.yaml", "__main__.py", "stacks"):
        (project.folder / name).rename(folder / name)
    (project.folder / ".git").rename(tmp_path / "hidden")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    answer = project.rollout("preview", "node-update")

    assert answer.code == 1
    assert "is in no Git repository that can be read (not a git repository" in answer.err
    same = project.rollout("preview", "node-update", "--base", "stacks/Pulumi.node-update.yaml")
    assert (same.code, same.err) == (0, "")


def test_a_comment_begins_with_the_marker_by_which_it_is_found_again(project):
    answer = project.rollout("preview", "node-update", "--format", "markdown")

    assert answer.out.startswith("<!-- rollout preview: node-update -->\n")


def test_a_refusal_in_one_service_does_not_promise_that_the_others_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = make_project(tmp_path)
    text = (ROOT / "tests/program/stacks/several-services.yaml").read_text("utf-8")
    (tmp_path / "base.yaml").write_text(text, "utf-8")
    # `chat` falls, and `style` takes its rollout out of the middle of it.
    changed = text.replace("stage: 10 }", "stage: prepare }").replace("stage: 50 }", "stage: baseline }")
    assert changed.count("stage: prepare") == changed.count("stage: baseline") == 1
    project.file("several").write_text(changed, "utf-8")
    answer = project.rollout("preview", "several", "--base", "base.yaml", "--json")

    assert answer.code == 3
    headline = json.loads(answer.out)["headline"]
    assert headline.startswith("refused: this update would stop there, with the rest of the stack half done")


def test_each_of_several_ways_back_says_whose_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = make_project(tmp_path)
    text = (ROOT / "tests/program/stacks/several-services.yaml").read_text("utf-8")
    (tmp_path / "base.yaml").write_text(text, "utf-8")
    changed = text.replace("stage: 10 }", "stage: prepare }").replace("stage: 50 }", "stage: prepare }")
    project.file("several").write_text(changed, "utf-8")
    answer = project.rollout("preview", "several", "--base", "base.yaml")

    assert answer.code == 0
    whose = [line.strip().split(": ")[0] for line in answer.out.splitlines() if "way back" in line]
    assert whose == ["way back of service chat", "way back of adapter style/formal"]
