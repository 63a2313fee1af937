"""How a simulated model server stops without cutting requests, for longer than the simulator itself would wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from sandbox.nodes.process import Process

SIMULATOR_DRAIN = 25.0
"""llm-d-inference-sim lets requests end for 30 s after SIGTERM, then cuts them off; a little less, to be sure."""
POLL_SECONDS = 0.5
COUNTS = ("vllm:num_requests_running", "vllm:num_requests_waiting")


async def until_idle(process: Process, ports: Iterable[int], deadline: float) -> None:
    """Wait until a simulator has no requests, or until its own drain reaches to the deadline (monotonic seconds).

    vLLM refuses new requests in that time and the simulator still takes them; but none come: the pod left the endpoints
    before its preStop began.
    """
    listed = tuple(ports)
    while process.runs and time.monotonic() < deadline - SIMULATOR_DRAIN:
        if not any([await _has_requests(port) for port in listed]):
            return
        await asyncio.sleep(POLL_SECONDS)


async def _has_requests(port: int) -> bool:
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = (await reader.read()).decode(errors="replace")
            writer.close()
    except (OSError, TimeoutError):
        return False
    return is_busy(text)


def is_busy(metrics: str) -> bool:
    """Whether requests run or wait, by a model server's metrics."""
    counts = [line.rsplit(" ", 1)[1] for line in metrics.splitlines() if line.startswith(COUNTS)]
    return any(float(count) > 0 for count in counts)
