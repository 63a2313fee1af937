"""One request to a model server's API, timed. Every answer is a value: what came, or why nothing did.

Redirects are not followed, and no proxy, cookie or .netrc of the machine takes part: what is asked is what the Gateway answers.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.observe.probe_door import Door
from inference_rollouts.observe.probe_route import Way

CONNECT = 10.0
"""Seconds to connect at most."""

LONGEST_BODY = 1 << 20
"""Bytes that are read of an answer."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        status: None where no whole answer head came.
        headers: names in small letters.
        body: the whole, but for what is beyond LONGEST_BODY.
        first, whole: seconds until the first byte of the body, and until its end; None where it did not come.
        error: why there is no whole answer; empty for none.
        advice: what to do about that.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    first: float | None = None
    whole: float | None = None
    error: str = ""
    advice: str = ""


class Sender:
    """Sends to one door.

    Args:
        door: where.
        headers: sent with every request.
        verify: whether TLS certificates are verified; a text is a file of the CAs to trust.
        timeout: seconds for one whole answer.
    """

    def __init__(self, door: Door, headers: Mapping[str, str], verify: bool | str, timeout: float) -> None:
        from http.cookiejar import DefaultCookiePolicy

        import requests

        self._door, self._timeout = door, timeout
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verify
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # one of affinity would bind all to one pod
        host = {"Host": door.name} if door.name else {}
        plain = {"User-Agent": "rollout-probe", "Accept": "*/*", "Accept-Encoding": "identity"}
        self._session.headers.clear()
        self._session.headers.update({**plain, **host, **headers})
        name = next((value for key, value in headers.items() if key.lower() == "host"), door.name)
        self._session.mount("https://", _adapter(name.partition(":")[0] if name != door.host else ""))
        self._session.mount("http://", _adapter(""))

    def send(self, way: Way, body: Mapping[str, Any] | None = None) -> Reply:
        """Ask, and read to the end.

        Args:
            way: method, path and headers.
            body: sent as JSON; None for none.
        """
        headers = {**way.headers, **({"Content-Type": "application/json"} if body is not None else {})}
        data = None if body is None else json.dumps(body).encode()
        began = time.monotonic()
        try:
            with self._session.request(
                way.method,
                self._door.url + way.target,
                data=data,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT, self._timeout), self._timeout),
            ) as answer:
                return self._read(answer, began)
        except Exception as e:  # whatever it is, the caller is told, and never brought down
            return Reply(error=_why(e, self._timeout), advice=_advice(e))

    def _read(self, answer: Any, began: float) -> Reply:
        body, first, error = b"", None, ""
        try:
            for chunk in answer.iter_content(None):
                first = first if first is not None else time.monotonic() - began
                body += chunk
                if time.monotonic() - began > self._timeout:
                    error = f"no end within {self._timeout:g} s"
                    break
                if len(body) > LONGEST_BODY:
                    error = f"no end after {LONGEST_BODY} bytes"
                    break
        except Exception as e:  # what came before it is told, too
            error = _why(e, self._timeout)
        whole = time.monotonic() - began
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(
            status=answer.status_code, headers=headers, body=body, first=first, whole=None if error else whole, error=error
        )


def _adapter(name: str) -> Any:
    """An adapter that connects to an address, and wants a certificate for a name."""
    from requests.adapters import HTTPAdapter

    class ByName(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            for_name = {"server_hostname": name, "assert_hostname": name} if name else {}
            super().init_poolmanager(*args, **{**kwargs, **for_name})

    return ByName(max_retries=0)


def _why(error: Exception, timeout: float) -> str:
    from requests import exceptions

    match error:
        case exceptions.SSLError():
            return f"TLS: {_cause(error)}"
        case exceptions.ConnectTimeout():
            return f"no connection within {min(CONNECT, timeout):g} s"
        case exceptions.ReadTimeout():
            return f"no answer within {timeout:g} s"
        case exceptions.ChunkedEncodingError():
            return "the answer broke off"
    if "Read timed out" in str(error):  # in the middle of a body it is an error of the connection
        return f"nothing for {timeout:g} s in the middle of the answer"
    return f"no connection: {_cause(error)}" if isinstance(error, exceptions.ConnectionError) else _cause(error)


def _advice(error: Exception) -> str:
    from requests import exceptions

    match error:
        case exceptions.SSLError():
            return "trust its CA by --cacert FILE, or see the certificate's names"
        case exceptions.ConnectTimeout() | exceptions.ConnectionError():
            return "run it where the Gateway can be reached (its network, a VPN), or give --url"
        case exceptions.ReadTimeout():
            return "see the canary's servers, or give it more time: --timeout"
    return ""


def _cause(error: BaseException) -> str:
    """The innermost reason, in one line."""
    inner: Any = error
    while (following := getattr(inner, "reason", None) or next(iter(getattr(inner, "args", ())), None)) is not None:
        if not isinstance(following, BaseException):
            break
        inner = following
    kind, text = type(error).__name__, " ".join(str(inner).split())
    text = re.sub(r"^(<[^>]*>|HTTPS?Connection(Pool)?\([^)]*\)): ", "", text)
    return text[:300] or kind
