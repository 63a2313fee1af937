"""Instant queries against a Prometheus API, Google Managed Prometheus among them.

Every answer is a value: one number, empty, or an error. More than one series is an error too: which of them would be meant?
Redirects are not followed: behind them are login pages, and no token should get there.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from inference_rollouts.checks import Sample
from inference_rollouts.observe.google import token

TIMEOUTS = (5.0, 15.0)
"""Seconds to connect, and to wait for the answer."""

GOOGLE_HOST = "monitoring.googleapis.com"
GOOGLE_SCOPE = "https://www.googleapis.com/auth/monitoring.read"


def default_url(project: str) -> str:
    """The Managed Prometheus of a project."""
    return f"https://{GOOGLE_HOST}/v1/projects/{project}/location/global/prometheus"


@dataclass(frozen=True)
class _Bearer:
    """As an auth object, so that no .netrc takes its place."""

    token: str

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Prometheus:
    """One Prometheus API.

    Args:
        url: what comes before `/api/v1/query`.
        timeouts: seconds to connect, and to wait for an answer.
    """

    def __init__(self, url: str, *, timeouts: tuple[float, float] = TIMEOUTS) -> None:
        self.url = url.rstrip("/")
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._auth: _Bearer | None = None

    @property
    def place(self) -> str:
        """The URL without what may be secret in it."""
        parts = urlsplit(self.url if "://" in self.url else f"//{self.url}")
        scheme = f"{parts.scheme}://" if parts.scheme else ""
        return f"{scheme}{parts.netloc.rpartition('@')[2]}{parts.path}"

    def query(self, promql: str, *, time: float | None = None) -> Sample:
        """The one number that a query gives.

        Args:
            promql: the query.
            time: Unix time to evaluate it at; None for the server's now.
        """
        form = {"query": promql} | ({} if time is None else {"time": str(time)})
        try:
            import requests

            answer = requests.post(
                f"{self.url}/api/v1/query", data=form, auth=self._credentials(), timeout=self._timeouts, allow_redirects=False
            )
            return _sample(answer.status_code, _json(answer))
        except Exception as e:  # whatever it is, the caller is told, and never brought down
            return Sample(error=_reason(e).replace(self.url, self.place))

    def _credentials(self) -> _Bearer | None:
        """Google's application default credentials, for Google's host alone; asked for once."""
        parts = urlsplit(self.url)
        if (parts.scheme, parts.hostname) != ("https", GOOGLE_HOST):
            return None
        with self._lock:
            self._auth = self._auth or _Bearer(token([GOOGLE_SCOPE], self._timeouts[1]))
            return self._auth


def _json(answer: Any) -> Mapping[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        content = None
    if isinstance(content, dict):
        return content
    where = f" to {answer.headers['Location'].partition('?')[0]}" if answer.is_redirect else ""
    return {"error": f"{answer.reason}{where}, and no JSON"}


def _sample(status: int, content: Mapping[str, Any]) -> Sample:
    if status != 200 or content.get("status") != "success":
        return Sample(error=f"HTTP {status}: {_told(content)}")
    warnings = tuple(str(text) for text in content.get("warnings") or ())
    data = content["data"]
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return Sample(value=float(result[1]), warnings=warnings)
    if kind != "vector":
        return Sample(error=f"a {kind}, where one number is wanted", warnings=warnings)
    if len(result) > 1:
        return Sample(error=f"{len(result)} series, where one is wanted: aggregate them, as by sum(…)", warnings=warnings)
    if not result:
        return Sample(warnings=warnings)
    if "value" not in result[0]:
        return Sample(error="a native histogram, where one number is wanted", warnings=warnings)
    return Sample(value=float(result[0]["value"][1]), warnings=warnings)


def _told(content: Mapping[str, Any]) -> str:
    """The error of Prometheus is a text, that of Google's front end an object."""
    error = content.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(message or "no reason given").split())[:300]


def _reason(error: Exception) -> str:
    """Never empty, and in one line."""
    kind = type(error).__name__
    if isinstance(error, ImportError):
        return f"{error}; install requirements.txt"
    cause = getattr(error.args[0], "reason", error.args[0]) if error.args else ""
    text = " ".join(str(cause).split()).rstrip(".")  # others go on after it
    return f"{kind}: {text[:300]}" if text else kind
