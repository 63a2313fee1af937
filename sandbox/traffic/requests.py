"""What to send: to whom, in which shapes, at which pace, and how a reply tells the version that served it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Shape = Literal["chat", "chat-stream", "completion", "completion-stream"]

# What Kubernetes makes random suffixes and hashes of: no vowels, so that no word comes of it.
_SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]"


@dataclass(frozen=True)
class OpenLoop:
    """Requests come at a rate, whether or not replies come, as from many independent clients.

    Attributes:
        rate: requests a second.
        max_in_flight: a request that is due while this many are under way is not sent, and counts as the failure "overflow".
    """

    rate: float
    max_in_flight: int = 1000

    def arguments(self) -> list[str]:
        """As the load tool takes it."""
        return [f"-rate={self.rate:g}", f"-max-in-flight={self.max_in_flight}"]


@dataclass(frozen=True)
class ClosedLoop:
    """Connections that each send their next request when the reply to the last one is there.

    Attributes:
        connections: how many.
        ramp: seconds over which they begin.
    """

    connections: int
    ramp: float = 0

    def arguments(self) -> list[str]:
        """As the load tool takes it."""
        return [f"-connections={self.connections}", f"-ramp={self.ramp:g}s"]


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Everything about the traffic but for its phases.

    Attributes:
        url: of the gateway, `http://HOST:PORT`.
        models: model and adapter names that clients ask for, with their shares.
        pace: open or closed loop.
        shapes: ways to ask, with their shares.
        host: the Host header, where the route wants one.
        headers: sent with each request.
        versions: version → regular expression of the header values that stand for it (see `served_by`); empty: nobody asks.
        version_headers: reply headers that tell the version; those that are there must agree.
        reply_models: model asked for → model that the reply names, where they differ by design.
        max_tokens: of each generation. A simulator sends the first at once, and takes its inter-token latency for each other.
        ignore_eos: ask for exactly max_tokens.
        most: end after this many requests; 0 for no such limit.
        seconds: end after this time.
        timeout: seconds for one whole reply.
        drain: seconds for what is under way at the end.
        seed: of the choice of models and shapes.
    """

    url: str
    models: Mapping[str, float]
    pace: OpenLoop | ClosedLoop
    shapes: Mapping[Shape, float] = field(default_factory=lambda: {"chat": 1})
    host: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    version_headers: tuple[str, ...] = ("x-sandbox-pool", "x-inference-pod")
    reply_models: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int = 1
    ignore_eos: bool = False
    most: int = 0
    seconds: float = 3600
    timeout: float = 30
    drain: float = 60
    seed: int = 1

    def arguments(self) -> list[str]:
        """As the load tool takes it."""
        return list(self._arguments())

    def _arguments(self) -> Iterator[str]:
        yield from (f"-url={self.url}", f"-host={self.host}", f"-max-tokens={self.max_tokens}", f"-seed={self.seed}")
        yield from (f"-model={name}={share:g}" for name, share in self.models.items())
        yield from (f"-shape={name}={share:g}" for name, share in self.shapes.items())
        yield from (f"-header={name}: {value}" for name, value in self.headers.items())
        yield from (f"-reply-model={asked}={reply}" for asked, reply in self.reply_models.items())
        yield from (f"-version={version}={pattern}" for version, pattern in self.versions.items())
        yield f"-version-headers={','.join(self.version_headers)}"
        yield from self.pace.arguments()
        yield from (f"-requests={self.most}", f"-for={self.seconds:g}s", f"-timeout={self.timeout:g}s", f"-drain={self.drain:g}s")
        if self.ignore_eos:
            yield "-ignore-eos"


def long_streams(requests: Requests, number: int, *, seconds: float, inter_token_latency: float) -> Requests:
    """The same target, asked for `number` generations at a time that each take about `seconds`.

    They begin spread over that time, so that whatever happens meets some at the beginning, in the middle and at the end.

    Args:
        requests: target and versions.
        number: generations at a time; together they must fit the servers (`--max-num-seqs`), or they wait for each other.
        seconds: of one generation, at least.
        inter_token_latency: seconds that a server takes for each token after the first.
    """
    tokens = 1 + max(1, round(seconds / inter_token_latency))
    return replace(
        requests,
        pace=ClosedLoop(number, ramp=seconds),
        shapes={"chat-stream": 1},
        max_tokens=tokens,
        ignore_eos=True,
        timeout=3 * seconds + 30,
        drain=3 * seconds + 30,
    )


def served_by(*, pool: str, deployment: str) -> str:
    """The regular expression of a version's header values: its pool's name, or the name of one of its Deployment's pods.

    >>> import re
    >>> pattern = served_by(pool="llm", deployment="llm")
    >>> [bool(re.search(pattern, name)) for name in ("llm", "llm-6d5f7c8b9-x2x4z", "llm-new", "llm-new-6d5f7c8b9-x2x4z")]
    [True, True, False, False]
    """
    return f"^(?:{re.escape(pool)}|{re.escape(deployment)}-{_SUFFIX}{{1,10}}-{_SUFFIX}{{5}})$"
