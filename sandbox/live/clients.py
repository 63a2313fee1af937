"""What the clients of a live rehearsal send, and whether anybody answers them."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Sequence

from inference_rollouts.plan import ModelServiceArgs
from inference_rollouts.plan.values import ServedVersionArgs
from sandbox.home import SandboxError
from sandbox.traffic.requests import ClosedLoop, OpenLoop, Requests, served_by

LONGEST = 7 * 24 * 3600.0
"""Seconds after which traffic ends by itself: no rehearsal takes so long."""

ANSWERS_TIMEOUT = 60.0
"""Seconds within which a service that was created must answer."""

CONNECTIONS = 16
"""Of a closed loop: enough that two cores have no rest."""

TOKEN_SECONDS = 0.1
"""Between the tokens of long streams: few events, so that the machine is not busy with them."""


def requests(
    port: int, models: Sequence[str], service: ModelServiceArgs, told: Sequence[ServedVersionArgs], rate: float
) -> Requests:
    """Chat and completions, streaming and not, for every model name and every adapter.

    Args:
        port: of the gateway, on loopback.
        models: names that clients send.
        service: as planned.
        told: the versions that replies tell apart.
        rate: requests a second; 0 sends as fast as replies come.
    """
    host = next(iter(service.route.hostnames), "")
    return Requests(
        url=f"http://127.0.0.1:{port}",
        models=dict.fromkeys([*models, *service.record.adapters], 1.0),
        pace=OpenLoop(rate) if rate else ClosedLoop(CONNECTIONS),
        shapes={"chat": 3, "chat-stream": 1, "completion": 1},
        host=host.replace("*", "any"),
        versions={version.name: _pattern(version) for version in told},
        seconds=LONGEST,
    )


def _pattern(version: ServedVersionArgs) -> str:
    """How replies tell a version; one without servers of its own has no pods, and its pool's name tells it."""
    return served_by(pool=version.pool_name, deployment=version.server.name if version.server else version.pool_name)


def await_answers(requests: Requests) -> None:
    """Wait until the gateway answers for every model; a route takes a moment to act.

    Raises:
        SandboxError: it does not.
    """
    deadline = time.monotonic() + ANSWERS_TIMEOUT
    waiting, said = dict.fromkeys(requests.models, ""), ""
    while waiting and time.monotonic() < deadline:
        for model in list(waiting):
            said = _asked(requests, model)
            if not said:
                del waiting[model]
        time.sleep(0.2)
    if waiting:
        names = ", ".join(waiting)
        raise SandboxError(
            f"the gateway does not answer for {names} after {ANSWERS_TIMEOUT:g} s: {said}; see: rollout sandbox status"
        )


def _asked(requests: Requests, model: str) -> str:
    """What is wrong with the answer; empty for nothing."""
    body = f'{{"model": "{model}", "max_tokens": 1, "messages": [{{"role": "user", "content": "hello"}}]}}'.encode()
    headers = {"Content-Type": "application/json"} | ({"Host": requests.host} if requests.host else {})
    request = urllib.request.Request(f"{requests.url}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            answer.read()
    except urllib.error.HTTPError as e:
        return f"HTTP {e.code} {e.read(200).decode(errors='replace')}"
    except OSError as e:
        return str(e)
    return ""
