"""Another stage, in every shape a rollout is written in: one value changes, or the edit is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_rollouts.edit.document import Document
from inference_rollouts.edit.meaning import Place
from inference_rollouts.edit.operations import add_rollout, parsed, set_stage
from inference_rollouts.errors import InputError
from inference_rollouts.stages import Stage
from tests.conftest import EXAMPLES, ROOT

HEAD = """\
config:
  inference-rollouts:cluster: {name: c, location: us-central1}
  inference-rollouts:gateway: {name: g}
  inference-rollouts:services:
    chat:
      serving: old
      versions:
        old: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:1"}}
        new: {like: old, server: {replicas: 2}}
"""
FILE = Path("stacks/Pulumi.prod.yaml")
CHAT = Place("chat")


def staged(rollout: str, stage: Stage, *earlier: str, head: str = HEAD) -> str:
    """The rollout's text after the edit, with earlier texts, newest first; the rest of the file must be what it was."""
    text = head + rollout
    doc = Document.of(FILE, text.encode())
    before = [f"{head}{other}".encode() for other in earlier]
    edited = set_stage(parsed(FILE, text.encode()), doc, CHAT, stage, earlier=before).text
    assert edited.startswith(head)
    return edited.removeprefix(head)


def refusal(rollout: str, stage: Stage) -> str:
    with pytest.raises(InputError) as caught:
        staged(rollout, stage)
    return str(caught.value)


ONE_LINE = "      rollout: { to: new, stage: 10 }\n"
BLOCK = "      rollout:\n        to: new\n        stage: 10 # now\n"
QUESTION = "      rollout:\n        ? stage\n        : 10\n        to: new\n"
NEXT_LINE = "      rollout:\n        stage:\n          10\n        to: new\n"
LONG_BRACES = "      rollout: {\n        to: new, # a\n        stage: 10 # b\n      }\n"
JSON = '      "rollout": {"to":"new","stage":10}\n'
ANCHORED = "      rollout: &r {to: new, stage: &s 10}\n"
COMMENTED = "      rollout: {to: new, stage: 10}\n  # stage: 25\n"


@pytest.mark.parametrize(
    "rollout", [ONE_LINE, BLOCK, BLOCK.rstrip(), QUESTION, NEXT_LINE, LONG_BRACES, JSON, ANCHORED, COMMENTED]
)
def test_the_value_alone_changes(rollout):
    assert staged(rollout, 25) == rollout.replace("10", "25")


QUOTES = ["'", '"', ""]


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize("other", QUOTES)
def test_a_named_stage_keeps_its_quotes_and_gets_those_that_it_had_before_a_number_stood(quote, other):
    text = f"      rollout: {{to: {other}new{other}, stage: {quote}prepare{quote}}}\n"

    assert staged(text, "baseline") == text.replace("prepare", "baseline")
    raised = staged(text, 1)
    assert raised == text.replace(f"{quote}prepare{quote}", "1")
    assert staged(raised, "prepare", raised, raised.replace("1}", "10}"), text) == text


@pytest.mark.parametrize("quote", QUOTES)
def test_where_no_earlier_text_tells_a_named_stage_gets_the_quotes_that_both_versions_have(quote):
    head = HEAD.replace("serving: old", f"serving: {quote}old{quote}")
    text = f"      rollout: {{to: {quote}new{quote}, stage: 10}}\n"

    assert staged(text, "prepare", head=head) == text.replace("10", f"{quote}prepare{quote}")


def test_versions_in_different_quotes_tell_nothing_and_a_named_stage_gets_none():
    text = '      rollout: {to: "new", stage: 10}\n'

    assert staged(text, "prepare") == text.replace("10", "prepare")


@pytest.mark.parametrize("between", ["", "      rollout: {to: older, stage: 10}\n", "no stack file", "      serving: [\n", "\0"])
def test_the_quotes_of_another_rollout_are_not_asked(between):
    here, other = "      rollout: {to: new, stage: 10}\n", "      rollout: {to: new, stage: 'prepare'}\n"

    assert staged(here, "prepare", between, other) == here.replace("10", "prepare")


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_shipped_example_goes_to_every_stage_and_back_byte_by_byte(name, newline, mark):
    file = ROOT / "stacks" / f"Pulumi.{name}.yaml"
    data = mark + file.read_bytes().replace(b"\n", newline.encode())
    place = Place("llm", "llm") if name == "lora-adapter" else Place("llm")
    for stage in ("baseline", "prepare", 50, 100, "retire"):
        there = set_stage(parsed(file, data), Document.of(file, data), place, stage)
        back = set_stage(parsed(file, there.data), Document.of(file, there.data), place, 10)
        assert back.data == data
        assert there.data.split(b"stage: ")[0] == data.split(b"stage: ")[0]


def test_a_stage_that_others_share_through_an_anchor_is_refused_with_both_lines():
    other = """\
    more:
      route: {hostnames: [more.example.com]}
      serving: more-old
      versions:
        more-old: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:1"}}
        more-new: {like: more-old, server: {replicas: 2}}
      rollout: {<<: *r, to: more-new}
"""
    assert refusal(f"      rollout: &r {{to: new, stage: prepare}}\n{other}", 1) == (
        "stacks/Pulumi.prod.yaml:10: services.chat.rollout.stage: cannot be edited here without changing more than is meant: "
        "services.more.rollout.stage; &r in line 10 is used in line 17 too; nothing was written; by hand: set "
        "services.chat.rollout.stage to 1"
    )


def test_a_stage_that_a_merge_brings_in_is_refused_with_its_line():
    said = refusal("      rollout:\n        <<: &base {stage: prepare}\n        to: new\n", 1)

    assert said == (
        "stacks/Pulumi.prod.yaml:10: services.chat.rollout.stage: comes from line 11 by a merge (<<), which other places use "
        "too; write the key out here, then try again"
    )


def test_a_stage_that_is_an_alias_is_refused_with_the_line_it_stands_for():
    said = refusal("      rollout: {to: new, steps: [&x 10, 100], stage: *x}\n", 100)

    assert said.endswith("is written in line 10 and only named here (*x); write it out here, then try again")


# --- a new rollout ----------------------------------------------------------------------------------------------------


def started(text: str, steps: tuple[int, ...] = (1, 100)) -> str:
    return add_rollout(parsed(FILE, text.encode()), Document.of(FILE, text.encode()), CHAT, "new", steps).text


ADDED = "      rollout: {to: new, steps: [1, 100], stage: prepare}\n"


@pytest.mark.parametrize("rest", ["", "\n# end\n", "    # later\n", "\n\n"])
def test_a_new_rollout_is_the_last_line_of_its_service(rest):
    assert started(HEAD + rest) == HEAD + ADDED + rest


def test_comments_that_stand_deeper_stay_with_what_they_follow():
    assert started(f"{HEAD}        # of versions\n\n      # rollout: later\n") == (
        f"{HEAD}        # of versions\n{ADDED}\n      # rollout: later\n"
    )


def test_a_file_without_a_final_newline_keeps_having_none():
    assert started(HEAD.rstrip()) == HEAD + ADDED.rstrip()


def test_a_new_rollout_takes_the_line_ends_and_the_braces_of_the_file():
    text = HEAD.replace("{", "{ ").replace("}", " }").replace("\n", "\r\n")

    assert started(text) == text + "      rollout: { to: new, steps: [1, 100], stage: prepare }\r\n"


def test_a_service_in_braces_gets_its_rollout_in_braces():
    lines = HEAD.splitlines()
    old = "{nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: i:1}}"
    versions = f"{{old: {old}, new: {{like: old}}}}"
    text = "\n".join([*lines[:4], f"    chat: {{serving: old, versions: {versions}, }} # chat", ""])

    assert started(text) == text.replace(", }", ", rollout: {to: new, steps: [1, 100], stage: prepare}, }")


def test_steps_that_settings_refuse_are_refused_with_their_sentence():
    with pytest.raises(InputError, match=r"services\.chat\.rollout\.steps: .*does not end in 100"):
        started(HEAD, (1, 50))
