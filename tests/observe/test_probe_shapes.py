"""What a probe asks for, and which answers are whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference_rollouts.observe.probe_send import Reply
from inference_rollouts.observe.probe_shapes import Shape, body, judge, judge_models, snippet
from tests.observe.fake_openai import events


def reply(content: Any, status: int = 200, **more: Any) -> Reply:
    data = content if isinstance(content, str) else json.dumps(content)
    return Reply(status=status, body=data.encode(), first=0.01, whole=0.02, **more)


def stream(*said: str) -> Reply:
    return reply("".join(f"data: {event}\r\n\r\n" for event in said))


def test_bodies_are_small_and_no_two_prompts_begin_alike():
    assert body("chat", "llm", 7) == {"model": "llm", "max_tokens": 8, "messages": [{"role": "user", "content": "7. Say hello."}]}
    assert body("completion", "llm", 8) == {"model": "llm", "max_tokens": 8, "prompt": "8. Say hello."}
    assert body("stream", "tone", 9)["stream"] is True


@pytest.mark.parametrize("shape", ["chat", "completion"])
def test_a_choice_with_a_reason_passes(shape: Shape):
    judged = judge(shape, reply({"choices": [{"finish_reason": "length", "text": "hi"}]}))
    assert judged == ("pass", "HTTP 200, finish_reason length, first byte after 0.010 s, whole after 0.020 s", "")


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ({"choices": [{"finish_reason": None}]}, "HTTP 200 and a choice without a finish_reason: "),
        ({"choices": []}, "HTTP 200 and no choice: "),
        ({"error": "no"}, 'HTTP 200 and no choice: {"error": "no"}'),
        ([], "HTTP 200 and no choice: []"),
        ("<html>log in</html>", "HTTP 200 and no choice: <html>log in</html>"),
        ("", "HTTP 200 and no choice: an empty body"),
    ],
)
def test_what_is_no_generation_fails_with_what_came(content, seen):
    judged = judge("chat", reply(content))
    assert judged.verdict == "fail"
    assert judged.seen.startswith(seen)


@pytest.mark.parametrize("shape", ["chat", "completion", "stream"])
@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "credentials"), (403, "credentials"), (404, "this name"), (429, "load"), (500, "logs"), (503, "pool"), (418, "")],
)
def test_another_status_fails_with_the_body_and_says_what_to_do(shape: Shape, status, advice):
    judged = judge(shape, reply({"error": {"message": "because"}}, status))
    assert judged.verdict == "fail"
    assert judged.seen == f'HTTP {status}: {{"error": {{"message": "because"}}}}'
    assert advice in judged.advice
    assert bool(advice) == bool(judged.advice)


def test_a_redirect_says_where_to():
    judged = judge("chat", reply("", 301, headers={"location": "https://x/"}))
    assert (judged.verdict, judged.seen) == ("fail", "HTTP 301 to https://x/: an empty body")


def test_a_stream_with_a_reason_and_an_end_passes():
    judged = judge("stream", stream(*events(None, "stop")))
    assert judged[:2] == ("pass", "2 events, finish_reason stop, [DONE], first byte after 0.010 s, whole after 0.020 s")


def test_comments_and_other_fields_of_a_stream_are_no_events():
    text = "\n\n".join([": ping", "event: message", *(f"data:{event}" for event in events("stop"))])
    assert judge("stream", reply(text)).seen.startswith("1 events, finish_reason stop")


def test_a_line_separator_in_what_the_model_says_ends_no_line():
    chunk = json.dumps({"choices": [{"finish_reason": "stop", "delta": {"content": "a\u2028b\x85c"}}]}, ensure_ascii=False)
    assert judge("stream", stream(chunk, "[DONE]")).verdict == "pass"


def test_a_last_chunk_with_the_usage_alone_is_none_too_many():
    usage = json.dumps({"choices": [], "usage": {"total_tokens": 3}})
    assert judge("stream", stream(*events("stop", done=False), usage, "[DONE]")).verdict == "pass"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (stream(*events(None, "stop", done=False)), "a stream that does not end in [DONE], but in "),
        (stream(*events(None, None)), "a stream of 2 events without a finish_reason"),
        (stream('{"error": {"message": "out of memory"}}', "[DONE]"), "a stream with an event that is no chunk: "),
        (stream("{", "[DONE]"), "a stream with an event that is no chunk: "),
        (reply({"choices": [{"finish_reason": "stop"}]}), "HTTP 200 and no event of a stream: "),
    ],
)
def test_a_stream_that_is_not_whole_fails(answer, seen):
    judged = judge("stream", answer)
    assert judged.verdict == "fail"
    assert judged.seen.startswith(seen)


def test_an_answer_that_broke_off_fails_whatever_came_before():
    answer = Reply(status=200, body=b'data: {"choices": []}\n\n', error="the answer broke off")
    judged = judge("stream", answer)
    assert (judged.verdict, judged.seen) == ("fail", 'HTTP 200, then the answer broke off, after: data: {"choices": []}')
    assert judge("chat", Reply(error="no connection", advice="go there")) == ("fail", "no connection", "go there")


def test_the_list_of_models_holds_every_name():
    listed = {"data": [{"id": "llm"}, {"id": "tone-v1"}, {"id": "more"}]}
    assert judge_models(reply(listed), ("llm", "tone-v1")).verdict == "pass"
    assert judge_models(reply(listed), ("llm", "tone-v2", "x"))[:2] == ("fail", "llm, tone-v1, more, without tone-v2, x")
    assert judge_models(reply({"data": []}), ("llm",)).seen == "nothing, without llm"
    assert judge_models(reply({"models": []}), ("llm",)).seen == 'HTTP 200 and no list of models: {"models": []}'
    assert judge_models(reply("", 404), ("llm",)).seen == "HTTP 404: an empty body"


def test_a_snippet_is_one_short_line_that_no_terminal_obeys():
    assert snippet(b"a\n\n b\x1b[31m\xff") == "a b?[31m\ufffd"
    assert len(snippet(b"x" * 10_000)) == 201
