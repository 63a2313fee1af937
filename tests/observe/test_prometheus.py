"""Instant queries: one number, nothing, or an error in words; asked of a server with scripted answers."""

from __future__ import annotations

import math
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference_rollouts.checks import Sample
from inference_rollouts.observe.prometheus import Prometheus, default_url
from tests.observe.fake_prometheus import FakePrometheus, Reply, data, vector

GOOGLE = "https://monitoring.googleapis.com/v1/projects/my-project/location/global/prometheus"


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    with FakePrometheus() as fake:
        yield fake


def asked(server: FakePrometheus, reply: Reply) -> Sample:
    server.answer = lambda _: reply
    return Prometheus(server.url).query("up")


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (vector("0.25"), 0.25),
        (data("scalar", [1795521600, "3"]), 3.0),
        (vector("+Inf"), math.inf),
        (vector("-Inf"), -math.inf),
        (vector(), None),
    ],
)
def test_one_number_or_none_is_an_answer(server: FakePrometheus, reply: Reply, value: float | None) -> None:
    assert asked(server, reply) == Sample(value=value)


def test_no_number_stays_no_number(server: FakePrometheus) -> None:
    assert math.isnan(asked(server, vector("NaN")).value or 0)


def test_the_query_is_sent_as_a_form_so_that_its_length_does_not_matter(server: FakePrometheus) -> None:
    Prometheus(server.url + "/").query("up{" + "a" * 10_000 + "}", time=12.5)

    path, form, headers = server.asked[0]
    assert path == "/prometheus/api/v1/query"
    assert form == {"query": "up{" + "a" * 10_000 + "}", "time": "12.5"}
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_warnings_are_kept(server: FakePrometheus) -> None:
    assert asked(server, vector("1", warnings=["store b did not answer"])).warnings == ("store b did not answer",)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (vector("1", "2"), "2 series, where one is wanted: aggregate them, as by sum(…)"),
        (data("matrix", []), "a matrix, where one number is wanted"),
        (data("string", [0, "a"]), "a string, where one number is wanted"),
        (data("vector", [{"metric": {}, "histogram": [0, {}]}]), "a native histogram, where one number is wanted"),
        (
            (400, {"status": "error", "errorType": "bad_data", "error": "parse error: unclosed left parenthesis"}),
            "HTTP 400: parse error: unclosed left parenthesis",
        ),
        (
            (403, {"error": {"code": 403, "message": "Permission monitoring.timeSeries.list denied"}}),
            "HTTP 403: Permission monitoring.timeSeries.list denied",
        ),
        ((502, "<html>bad gateway</html>"), "HTTP 502: Bad Gateway, and no JSON"),
        ((302, ""), "HTTP 302: Found to https://login.invalid/, and no JSON"),
        ((200, "hello"), "HTTP 200: OK, and no JSON"),
        ((200, {"status": "success"}), "KeyError: data"),
        ((200, {}), "HTTP 200: no reason given"),
    ],
)
def test_everything_else_is_an_error_in_words(server: FakePrometheus, reply: Reply, error: str) -> None:
    assert asked(server, reply) == Sample(error=error)
    assert len(server.asked) == 1, "no redirect is followed, nothing is asked twice"


def test_a_server_that_is_not_there_is_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))

        error = Prometheus(f"http://127.0.0.1:{free.getsockname()[1]}").query("up").error
        assert error
        assert error.endswith("Failed to establish a new connection: [Errno 111] Connection refused")


def test_a_server_that_never_answers_is_an_error_after_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        error = Prometheus(url, timeouts=(1.0, 0.2)).query("up").error
        assert error
        assert "Read timed out" in error


def test_a_missing_library_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)

    assert (
        Prometheus("http://127.0.0.1:1").query("up").error
        == "import of requests halted; None in sys.modules; install requirements.txt"
    )


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("u:secret@no-scheme.example/x", "no-scheme.example/x"),
        ("http://u:secret@127.0.0.1:1/prometheus?key=secret", "http://127.0.0.1:1/prometheus"),
    ],
)
def test_a_password_in_the_url_is_in_no_text(url: str, place: str) -> None:
    asked = Prometheus(url)

    assert asked.place == place
    assert "secret" not in str(asked.query("up").error)


# --- Google -----------------------------------------------------------------------------------------------------------


class Google:
    """Stands in for google.auth and for the network behind `requests`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.logins, self.tokens = 0, list[str]()
        monkeypatch.setattr("google.auth.default", self.default)
        monkeypatch.setattr("requests.post", self.post)

    def default(self, scopes: list[str], request: Any) -> tuple[Any, str]:
        assert scopes == ["https://www.googleapis.com/auth/monitoring.read"]
        self.logins += 1
        return SimpleNamespace(token="ya29", refresh=lambda _: None), "another-project"

    def post(self, url: str, *, auth: Any, **_: Any) -> Any:
        request = SimpleNamespace(url=url, headers={})
        if auth:
            auth(request)
        self.tokens.append(request.headers.get("Authorization", ""))
        return SimpleNamespace(status_code=200, json=lambda: vector("1")[1])


def test_the_default_is_the_projects_managed_prometheus() -> None:
    assert default_url("my-project") == GOOGLE


def test_google_gets_the_token_of_the_default_credentials_and_asks_for_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    google = Google(monkeypatch)
    managed = Prometheus(GOOGLE)

    assert [managed.query("up"), managed.query("up")] == [Sample(value=1), Sample(value=1)]
    assert (google.logins, google.tokens) == (1, ["Bearer ya29", "Bearer ya29"])


@pytest.mark.parametrize(
    "url",
    [
        "http://monitoring.googleapis.com/v1",
        "https://monitoring.googleapis.com.evil.example/v1",
        "https://evil.example/monitoring.googleapis.com",
        "https://monitoring.googleapis.com@evil.example/v1",
        "https://prometheus.example",
    ],
)
def test_nobody_else_gets_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    google = Google(monkeypatch)
    Prometheus(url).query("up")

    assert (google.logins, google.tokens) == (0, [""])


def test_no_step_of_googles_log_in_waits_longer_than_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def default(scopes: list[str], request: Any) -> tuple[Any, str]:
        request("metadata", timeout=3)
        request("slow", timeout=120)
        return SimpleNamespace(token="ya29", refresh=lambda ask: ask("token")), "p"

    monkeypatch.setattr("google.auth.transport.requests.Request.__call__", lambda *_, timeout: waits.append(timeout))
    Google(monkeypatch)
    monkeypatch.setattr("google.auth.default", default)
    Prometheus(GOOGLE, timeouts=(1, 15)).query("up")

    assert waits == [3, 15, 15]


def test_no_credentials_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

    error = Prometheus(GOOGLE).query("up").error
    assert error
    assert error.startswith("DefaultCredentialsError: File")


def test_an_error_ends_without_a_full_stop_since_sentences_go_on_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: Any) -> Any:
        raise RuntimeError("See the page for more information.")

    monkeypatch.setattr("google.auth.default", none)

    assert Prometheus(GOOGLE).query("up").error == "RuntimeError: See the page for more information"
