"""A finish: the new version serves and stands alone, the old one is gone, and every comment that stays has its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_rollouts.edit.document import Document
from inference_rollouts.edit.meaning import Place
from inference_rollouts.edit.operations import finish, parsed
from inference_rollouts.errors import InputError

FILE = Path("stacks/Pulumi.prod.yaml")
TOP = """\
config:
  inference-rollouts:cluster: {name: c, location: us-central1}
  inference-rollouts:gateway: {name: g}
  inference-rollouts:services:
"""


def finished(text: str, place: Place) -> str:
    return finish(parsed(FILE, text.encode()), Document.of(FILE, text.encode()), place).text


def test_what_a_version_inherits_is_written_out_with_its_comments_before_the_base_goes():
    before = """\
    chat:
      serving: old # what clients get
      versions:
        # L4, until 2026
        old:
          # about nodes
          nodes: {accelerator: nvidia-l4, machineType: g2-standard-12, max: 6, zones: [us-central1-a]}

          server:
            model: m/m # pinned
            # long contexts
            args:
            - --seed=1 # why
            image: "v:1"
          endpointPicker:
            config: |
              a: 1
              # kept
                b: 2

        # RTX
        new:
          like: old # inherits
          nodes:
            max: null
            zones: [us-central1-b] # another zone
          server:
            replicas: 2 # two
      # move it here
      rollout: {to: new, stage: retire}
"""
    after = """\
    chat:
      serving: new # what clients get
      versions:
        # RTX
        new:
          nodes:
            zones: [us-central1-b] # another zone
            accelerator: nvidia-l4
            machineType: g2-standard-12
          server:
            replicas: 2 # two
            model: m/m # pinned
            # long contexts
            args:
            - --seed=1 # why
            image: "v:1"
          endpointPicker:
            config: |
              a: 1
              # kept
                b: 2
"""
    assert finished(TOP + before, Place("chat")).rstrip() == (TOP + after).rstrip()


def test_another_version_that_is_like_the_old_one_is_written_out_too_and_one_like_the_new_one_stays():
    before = """\
    chat:
      serving: old
      versions:
        old: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:1"}}
        new: {like: old, server: {replicas: 2}}
        spare: {like: old}
        next: {like: new, server: {replicas: 3}}
      rollout: {to: new, stage: retire}
"""
    after = """\
    chat:
      serving: new
      versions:
        new: {server: {replicas: 2, model: m/m, image: "v:1"}, nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}}
        spare: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:1"}}
        next: {like: new, server: {replicas: 3}}
"""
    assert finished(TOP + before, Place("chat")) == TOP + after


def test_a_base_that_is_itself_like_another_is_written_out_whole():
    before = """\
    chat:
      serving: old
      versions:
        base: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:1"}}
        old: {like: base, server: {replicas: 2}}
        new: {like: old, server: {image: "v:2"}}
      rollout: {to: new, stage: retire}
"""
    after = """\
    chat:
      serving: new
      versions:
        base: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:1"}}
        new: {server: {image: "v:2", model: m/m, replicas: 2}, nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}}
"""
    assert finished(TOP + before, Place("chat")) == TOP + after


def test_an_adapter_takes_the_sources_that_versions_have_for_its_old_version_along():
    before = """\
    chat:
      models: [m]
      serving: pool
      versions:
        pool:
          nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}
          server: {model: m/m, image: "v:1", lora: {maxLoras: 4, maxRank: 16}}
          adapters: {tone-v1: {source: "gs://b-1/own-1"}, tone-v2: {source: "gs://b-1/own-2"}}
        spare:
          nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}
          adapters:
            # only this
            tone-v1: {source: "gs://b-1/own-1"}
      adapters:
        tone: # how it sounds
          serving: tone-v1
          versions:
            tone-v1: {source: "gs://b-1/1"} # old
            tone-v2: {source: "gs://b-1/2"} # new
          rollout: {to: tone-v2, stage: retire}
"""
    after = """\
    chat:
      models: [m]
      serving: pool
      versions:
        pool:
          nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}
          server: {model: m/m, image: "v:1", lora: {maxLoras: 4, maxRank: 16}}
          adapters: {tone-v2: {source: "gs://b-1/own-2"}}
        spare:
          nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}
      adapters:
        tone: # how it sounds
          serving: tone-v2
          versions:
            tone-v2: {source: "gs://b-1/2"} # new
"""
    assert finished(TOP + before, Place("chat", "tone")) == TOP + after


def test_an_anchor_that_stays_in_use_holds_the_old_version_and_the_refusal_names_both_lines():
    text = f"""{TOP}\
    chat:
      serving: old
      versions:
        old: {{nodes: &n {{accelerator: nvidia-l4, machineType: g2-standard-12}}, server: {{model: m/m, image: "v:1"}}}}
        new: {{nodes: *n, server: {{model: m/m, image: "v:2"}}}}
      rollout: {{to: new, stage: retire}}
"""
    with pytest.raises(InputError) as caught:
        finished(text, Place("chat"))

    assert str(caught.value) == (
        "stacks/Pulumi.prod.yaml:8: services.chat.versions.old: holds &n (line 8), which line 9 names; write out what *n stands "
        "for there, then try again"
    )


def test_braces_over_several_lines_lose_the_lines_of_the_old_version_alone():
    before = """\
    chat:
      serving: old
      versions: {
        old: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:1"}}, # old
        # the new one
        new: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:2"}}, # new
      }
      rollout: {to: new, stage: retire}
"""
    after = """\
    chat:
      serving: new
      versions: {
        # the new one
        new: {nodes: {accelerator: nvidia-l4, machineType: g2-standard-12}, server: {model: m/m, image: "v:2"}}, # new
      }
"""
    assert finished(TOP + before, Place("chat")) == TOP + after
