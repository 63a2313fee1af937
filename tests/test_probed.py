"""The evidence of a probe: how it is written and read, what it is about, and what it proves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference_rollouts import probed
from inference_rollouts.probed import Evidence, digest, judge
from inference_rollouts.record import Record
from tests.records import as_hooks_see, record, split

PASSED = Evidence(to="new", digest="0123456789abcdef", time="2026-11-24T12:00:00Z", requests=40, by="ann")
FIELDS = {"nodePool": None, "podTemplate": {"spec": {"grace": 360, "containers": [{"image": "vllm:v1"}]}}, "pool": {"port": 8000}}


def of(**more: Any) -> Record:
    return record(
        split("prepare"),
        versions={"old": FIELDS, "new": {**FIELDS, **more}},
        sources={"new/tone": "gs://a", "old/tone": "gs://b"},
    )


def found(text: str | None) -> tuple[str, str]:
    about = {} if text is None else {probed.PROBE_ANNOTATION: text}
    finding = judge(about, "new", PASSED.digest, at="HTTPRoute default/chat", stack="prod")
    assert (finding.check, finding.at) == ("probe", "HTTPRoute default/chat")
    return finding.verdict, finding.sentence


def test_evidence_is_read_as_it_was_written():
    assert Evidence.from_json(PASSED.to_json()) == PASSED
    assert Evidence.from_json(json.dumps({**json.loads(PASSED.to_json()), "requests": 40.0, "later": "key"})) == PASSED


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("yes", "Expecting value"),
        ("[1]", "it is no map"),
        ("{}", "it lacks to, digest, time, by, requests"),
        (json.dumps({**json.loads(PASSED.to_json()), "requests": 0}), "it lacks requests"),
        (json.dumps({**json.loads(PASSED.to_json()), "requests": True}), "it lacks requests"),
        (json.dumps({**json.loads(PASSED.to_json()), "digest": None}), "it lacks digest"),
    ],
)
def test_what_is_no_evidence_is_unknown_and_says_why(text, why):
    with pytest.raises(ValueError, match=why):
        Evidence.from_json(text)

    verdict, sentence = found(text)
    assert verdict == "unknown"
    assert f"cannot be read ({why}" in sentence
    assert sentence.endswith("; run: rollout probe prod")


def test_evidence_passes_for_this_canary_as_it_stands_alone():
    assert found(PASSED.to_json())[0] == "pass"
    none = "probe: seen none on the route, wanted a passed probe of new as it stands (HTTPRoute default/chat)"
    assert found(None) == ("fail", f"{none}; run: rollout probe prod")
    for other in ({"to": "newer"}, {"digest": "f" * 16}):
        assert found(json.dumps({**json.loads(PASSED.to_json()), **other}))[0] == "fail"


def test_the_digest_survives_the_way_through_the_state():
    wire = as_hooks_see(of().to_wire())

    assert digest(Record.from_wire(wire), "new") == digest(of(), "new")
    del wire["versions"]["new"]["nodePool"]
    assert digest(Record.from_wire(wire), "new") == digest(of(), "new"), "the SDK drops what is null"
    assert len(digest(of(), "new")) == 16


@pytest.mark.parametrize(
    "changed",
    [
        {"podTemplate": {"spec": {"grace": 360, "containers": [{"image": "vllm:v2"}]}}},
        {"podTemplate": {"spec": {"grace": 361, "containers": [{"image": "vllm:v1"}]}}},
        {"nodePool": {"machine": "g2"}},
        {"pool": {}},
        {"picker": {}},
    ],
)
def test_whatever_is_frozen_changes_the_digest(changed):
    assert digest(of(**changed), "new") != digest(of(), "new")


def test_the_digest_knows_the_versions_own_sources_and_no_others():
    def with_sources(**sources: str) -> str:
        return digest(record(split("prepare"), versions={"new": FIELDS}, sources=sources), "new")

    assert with_sources(**{"new/tone": "gs://a"}) != with_sources(**{"new/tone": "gs://b"})
    assert with_sources(**{"old/tone": "gs://a"}) == with_sources(**{"old/tone": "gs://b", "newer/tone": "gs://c"})


def test_a_version_that_does_not_stand_has_no_digest():
    with pytest.raises(KeyError):
        digest(of(), "other")
