"""The API server, as plain JSON: requests that are repeated while it is away, and watches that go on after it was.

Everything blocks; the agent calls it from threads.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

Object = dict[str, Any]
Deliver = Callable[[str, Object], None]
"""Takes an event of a watch: ADDED, MODIFIED or DELETED, and the object; SYNCED with {} after each list."""

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
TIMEOUTS = urllib3.Timeout(connect=5, read=20)
WATCH_SECONDS = 240
RETRY_SECONDS = 0.3

log = logging.getLogger("kube")


class KubeError(Exception):
    """The API server said no.

    Attributes:
        status: its HTTP status; 0 when it could not be reached.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"HTTP {status}: {message}" if status else message)


class Kube:
    """One API server.

    Args:
        kubeconfig: its path.
    """

    def __init__(self, kubeconfig: Path) -> None:
        settings = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=settings)
        settings.connection_pool_maxsize = 64
        self.server = str(settings.host).rstrip("/")
        self.ca_file: str | None = settings.ssl_ca_cert  # type: ignore[assignment]
        self._api = client.ApiClient(settings)
        self._pool = self._api.rest_client.pool_manager

    def get(self, path: str, **query: str) -> Object:
        """One object or a list.

        Raises:
            KubeError: as all of these; 404 when it is not there.
        """
        return self.request("GET", path, query=query)

    def create(self, path: str, body: Mapping[str, Any]) -> Object:
        """Post to a collection."""
        return self.request("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any], kind: str = STRATEGIC) -> Object:
        """Change some fields."""
        return self.request("PATCH", path, body, {"Content-Type": kind})

    def delete(self, path: str, *, uid: str | None = None, grace: int | None = None) -> None:
        """Delete; what is gone already, or is another object by now, is no error."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            self.request("DELETE", path, options)
        except KubeError as e:
            if e.status not in (404, 409):
                raise

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """One request, without a second try."""
        try:
            answer = self._send(method, path, body, headers, query, preload=True)
        except urllib3.exceptions.HTTPError as e:
            raise KubeError(0, f"{self.server} cannot be reached: {e}") from e
        if answer.status >= 400:
            raise KubeError(answer.status, _message(answer.data))
        return json.loads(answer.data or b"{}")

    def patiently(self, call: Callable[[], Any], patience: float = 60.0) -> Any:
        """The answer to a call, again and again while the API server is away or overloaded.

        Raises:
            KubeError: another no than that, or the last one when patience (seconds) ends.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                return call()
            except KubeError as e:
                if (e.status and e.status != 429 and e.status < 500) or time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_SECONDS)

    def watch(self, path: str, deliver: Deliver, **query: str) -> threading.Thread:
        """List and watch a collection for ever, in a thread that ends with the process.

        After a gap (the API server was away) what vanished meanwhile is delivered as DELETED. A collection whose kind the API
        server does not know counts as empty.
        """
        thread = threading.Thread(target=self._watch, args=(path, deliver, query), daemon=True, name=f"watch {path}")
        thread.start()
        return thread

    def kubeconfig_with(self, token: str, namespace: str) -> Object:
        """A kubeconfig for this API server with another identity."""
        cluster: Object = {"server": self.server}
        if self.ca_file:
            cluster["certificate-authority-data"] = base64.b64encode(Path(self.ca_file).read_bytes()).decode()
        else:
            cluster["insecure-skip-tls-verify"] = True
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": "pod", "user": {"token": token}}],
            "contexts": [{"name": "pod", "context": {"cluster": "sandbox", "user": "pod", "namespace": namespace}}],
            "current-context": "pod",
        }

    def _watch(self, path: str, deliver: Deliver, query: Mapping[str, str]) -> None:
        known: dict[str, Object] = {}
        while True:
            try:
                version = self._list(path, deliver, query, known)
                for kind, found in self._events(path, {**query, "resourceVersion": version}):
                    _remember(known, kind, found)
                    deliver(kind, found)
            except KubeError as e:
                if e.status not in (404, 410):
                    log.info("watch %s: %s", path, e)
                time.sleep(5 if e.status == 404 else RETRY_SECONDS)
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as e:
                log.info("watch %s: %s", path, e)
                time.sleep(RETRY_SECONDS)

    def _list(self, path: str, deliver: Deliver, query: Mapping[str, str], known: dict[str, Object]) -> str:
        try:
            answer = self.get(path, **query)
        except KubeError as e:
            if e.status == 404:
                deliver("SYNCED", {})
            raise
        present = {item["metadata"]["uid"]: item for item in answer.get("items") or []}
        for uid in known.keys() - present.keys():
            deliver("DELETED", known.pop(uid))
        for uid, item in present.items():
            kind = "MODIFIED" if uid in known else "ADDED"
            known[uid] = item
            deliver(kind, item)
        deliver("SYNCED", {})
        return answer["metadata"]["resourceVersion"]

    def _events(self, path: str, query: Mapping[str, str]) -> Iterator[tuple[str, Object]]:
        wanted = {**query, "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        while True:
            answer = self._send("GET", path, None, None, wanted, preload=False)
            with answer:
                if answer.status >= 400:
                    raise KubeError(answer.status, _message(answer.read()))
                for line in _lines(answer):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise KubeError(event["object"].get("code", 0), event["object"].get("message", ""))
                    wanted["resourceVersion"] = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]

    def _send(self, method: str, path: str, body: Any, headers: Any, query: Any, *, preload: bool) -> Any:
        sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        sent |= self._authorization()
        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        timeout = TIMEOUTS if preload else urllib3.Timeout(connect=5, read=WATCH_SECONDS + 30)
        data = None if body is None else json.dumps(body)
        return self._pool.request(
            method, url, body=data, headers=sent, timeout=timeout, retries=False, preload_content=preload, redirect=False
        )

    def _authorization(self) -> dict[str, str]:
        token = self._api.configuration.get_api_key_with_prefix("BearerToken")  # type: ignore[attr-defined]
        return {"Authorization": token} if token else {}


def _remember(known: dict[str, Object], kind: str, found: Object) -> None:
    if kind == "DELETED":
        known.pop(found["metadata"]["uid"], None)
    else:
        known[found["metadata"]["uid"]] = found


def _lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(amt=None):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message", ""))[:300]
    except ValueError:
        return data[:300].decode(errors="replace")
