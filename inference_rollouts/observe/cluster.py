"""A cluster, read only: get, list, and what a pod says through the API server's proxy.

Every answer is a value: found, absent, or unreadable with the reason. A missing library, a plugin that fails, TLS, a refused
right and a time-out are all unreadable; absent is only what the API server itself says is not there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from inference_rollouts.observe.kubeconfig import NoConnection, connect

TIMEOUTS = (5.0, 10.0)
"""Seconds to connect, and to wait for the answer."""


@dataclass(frozen=True)
class Found:
    """What stands there."""

    value: Any


@dataclass(frozen=True)
class Absent:
    """The API server says that it is not there."""


@dataclass(frozen=True)
class Unreadable:
    """There is no telling. The reason is never empty."""

    reason: str


Answer = Found | Absent | Unreadable


class Cluster:
    """Reads one cluster. It connects at the first question, once; tokens last for an hour or so.

    Args:
        kubeconfig: its text, JSON or YAML; None takes the ambient one.
        context: a context in it; None takes the current one.
        timeouts: seconds to connect, and to wait for an answer.
    """

    def __init__(
        self, *, kubeconfig: str | None = None, context: str | None = None, timeouts: tuple[float, float] = TIMEOUTS
    ) -> None:
        self._kubeconfig, self._context, self._timeouts = kubeconfig, context, timeouts
        self._lock = threading.Lock()
        self._client: Any = None

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Answer:
        """One object."""
        return self._read(f"{collection(api_version, kind, namespace)}/{quote(name, safe='')}")

    def list(self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]) -> Answer:
        """All objects that have the labels, as a list."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        answer = self._read(collection(api_version, kind, namespace), {"labelSelector": selector})
        return Found(answer.value.get("items") or []) if isinstance(answer, Found) else answer

    def pod_proxy_json(self, namespace: str, pod: str, port: int, path: str) -> Answer:
        """What a pod answers to a GET, through the API server; the path begins with a slash."""
        return self._read(f"{collection('v1', 'Pod', namespace)}/{quote(pod, safe='')}:{port}/proxy{path}")

    def _read(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        return self._ask("GET", path, query)

    def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, content_type: str | None = None
    ) -> Answer:
        """One request; here it is always a GET (`patch.Writer` alone sends something else)."""
        try:
            client = self._connected()
            headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if content_type else {})
            pairs = list((query or {}).items())
            request = client.param_serialize(
                method, path, query_params=pairs, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = client.call_api(*request, _request_timeout=self._timeouts)
            return _answer(response.status, bytes(response.read()))
        except Exception as e:  # whatever it is, the caller is told, and never brought down
            return Unreadable(_reason(e))

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                try:
                    self._client = connect(self._kubeconfig, self._context)
                except Exception as e:
                    self._client = e
        if isinstance(self._client, Exception):
            raise self._client
        return self._client


def collection(api_version: str, kind: str, namespace: str) -> str:
    """The path of all objects of a kind; all kinds that we read have a plain plural."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return f"{root}/namespaces/{quote(namespace, safe='')}/{kind.lower()}s"


def _answer(status: int, body: bytes) -> Answer:
    """From an HTTP answer. A 404 without the name of an object means that the server does not know the API."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if status == 200 and content is not None:
        return Found(content)
    if status == 200:
        return Unreadable("the answer is no JSON")
    told = content if isinstance(content, dict) else {}
    if status == 404 and told.get("reason") == "NotFound" and (told.get("details") or {}).get("name"):
        return Absent()
    message = told.get("message") or " ".join(body.decode(errors="replace").split())
    return Unreadable(f"HTTP {status}: {str(message)[:300] or 'no reason given'}")


def _reason(error: Exception) -> str:
    """Never empty, and in one line."""
    if isinstance(error, NoConnection):
        return str(error)
    kind = type(error).__name__
    text = " ".join(str(getattr(error, "reason", None) or error).split())
    return f"{kind}: {text[:300]}" if text else kind
