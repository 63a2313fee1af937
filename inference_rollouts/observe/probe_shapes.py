"""The requests of a probe, and how their answers are judged. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from inference_rollouts.checks import Verdict
from inference_rollouts.observe.probe_route import Endpoint
from inference_rollouts.observe.probe_send import Reply

Shape = Literal["chat", "completion", "stream"]

MAX_TOKENS = 8

LONGEST_SNIPPET = 200


class Kind(NamedTuple):
    """A way to ask for a generation.

    Attributes:
        name: as findings write it.
        endpoint: where it is asked.
        wanted: what it takes to pass.
    """

    name: str
    endpoint: Endpoint
    wanted: str


KINDS: Mapping[Shape, Kind] = {
    "chat": Kind("chat", "chat", "a choice with a finish_reason"),
    "completion": Kind("completion", "completion", "a choice with a finish_reason"),
    "stream": Kind("streaming chat", "chat", "events with a finish_reason, ended by [DONE]"),
}


class Judged(NamedTuple):
    """What an answer is worth."""

    verdict: Verdict
    seen: str
    advice: str = ""


def body(shape: Shape, model: str, number: int) -> dict[str, Any]:
    """What is sent. No two prompts begin alike, so that no prefix cache draws all of them to one pod."""
    prompt = f"{number}. Say hello."
    asked = {"prompt": prompt} if shape == "completion" else {"messages": [{"role": "user", "content": prompt}]}
    return {"model": model, "max_tokens": MAX_TOKENS, **asked, **({"stream": True} if shape == "stream" else {})}


def judge(shape: Shape, reply: Reply) -> Judged:
    """Whether a generation is whole."""
    if bad := _bad(reply):
        return bad
    return _stream(reply) if shape == "stream" else _single(reply)


def judge_models(reply: Reply, names: tuple[str, ...]) -> Judged:
    """Whether the list of models holds every name."""
    if bad := _bad(reply):
        return bad
    try:
        listed = [str(item["id"]) for item in json.loads(reply.body)["data"]]
    except (ValueError, KeyError, TypeError):
        return Judged("fail", f"HTTP 200 and no list of models: {snippet(reply.body)}")
    lacking = [name for name in names if name not in listed]
    if lacking:
        return Judged("fail", f"{', '.join(listed) or 'nothing'}, without {', '.join(lacking)}")
    return Judged("pass", f"{', '.join(names)}, {_times(reply)}")


def _bad(reply: Reply) -> Judged | None:
    """What is wrong whatever was asked."""
    if reply.status is None:
        return Judged("fail", reply.error, reply.advice)
    if reply.status != 200:
        to = f" to {reply.headers['location']}" if 300 <= reply.status < 400 and "location" in reply.headers else ""
        return Judged("fail", f"HTTP {reply.status}{to}: {snippet(reply.body)}", _ADVICE.get(reply.status, ""))
    if reply.error:
        return Judged("fail", f"HTTP 200, then {reply.error}, after: {snippet(reply.body[-LONGEST_SNIPPET:])}", reply.advice)
    return None


_ADVICE = {
    301: "send to the address that it names: --url",
    302: "send to the address that it names: --url, or give credentials: --header",
    401: "give credentials: --header 'Authorization: Bearer @FILE'",
    403: "give credentials: --header 'Authorization: Bearer @FILE'",
    404: "see whether the servers answer to this name, and the listener to this path and host",
    429: "the canary sheds load: see its servers and its endpoint picker",
    500: "see the logs of the canary's servers and of its endpoint picker",
    502: "see the canary's pool, and whether its servers take connections",
    503: "see the canary's pool and endpoint picker: none of its servers could be reached",
    504: "see the canary's servers: they did not answer the Gateway in time",
}


def _single(reply: Reply) -> Judged:
    try:
        answer = json.loads(reply.body)
        reason = _finish_reason(answer)
    except (ValueError, KeyError, TypeError, IndexError):
        return Judged("fail", f"HTTP 200 and no choice: {snippet(reply.body)}")
    if not reason:
        return Judged("fail", f"HTTP 200 and a choice without a finish_reason: {snippet(reply.body)}")
    return Judged("pass", f"HTTP 200, finish_reason {reason}, {_times(reply)}")


def _finish_reason(answer: Mapping[str, Any]) -> str | None:
    return answer["choices"][0].get("finish_reason")


def _stream(reply: Reply) -> Judged:
    # As bytes: a text has more line ends than a stream of events, as U+2028, which a model may well say.
    lines = [line.decode(errors="replace") for line in reply.body.splitlines() if line.startswith(b"data:")]
    events = [line[5:].strip() for line in lines]
    if not events:
        return Judged("fail", f"HTTP 200 and no event of a stream: {snippet(reply.body)}")
    if events[-1] != "[DONE]":
        return Judged("fail", f"a stream that does not end in [DONE], but in {snippet(events[-1].encode())}")
    try:
        chunks = [json.loads(event) for event in events[:-1]]
        reasons = [choice.get("finish_reason") for chunk in chunks for choice in chunk["choices"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Judged("fail", f"a stream with an event that is no chunk: {snippet(reply.body)}")
    reason = next((reason for reason in reasons if reason), None)
    if not reason:
        return Judged("fail", f"a stream of {len(chunks)} events without a finish_reason")
    return Judged("pass", f"{len(chunks)} events, finish_reason {reason}, [DONE], {_times(reply)}")


def _times(reply: Reply) -> str:
    return f"first byte after {reply.first or 0:.3f} s, whole after {reply.whole or 0:.3f} s"


def snippet(data: bytes) -> str:
    """The beginning of a body, in one line that no terminal obeys."""
    text = " ".join(data.decode(errors="replace").split())
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return f"{plain[:LONGEST_SNIPPET]}…" if len(plain) > LONGEST_SNIPPET else plain or "an empty body"
