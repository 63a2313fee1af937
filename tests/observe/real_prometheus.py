"""A real Prometheus server with series that a test writes: blocks by promtool, then the server on a loopback port.

tools/prometheus/build.sh builds both (`make tools`); else those on PATH are taken, else the tests are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

GO_MOD = Path(__file__).resolve().parents[2] / "tools/prometheus/go.mod"
EVERY = 15
"""Seconds between two samples, as the PodMonitorings have it."""
PATIENCE_SECONDS = 20.0


def programs() -> tuple[str, str]:
    """prometheus and promtool; skips the test where there are none."""
    version = re.search(r"github.com/prometheus/prometheus (v\S+)", GO_MOD.read_text("utf-8"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = cache / "inference-rollouts" / f"prometheus-{version[1] if version else ''}"
    path = f"{built}{os.pathsep}{os.environ.get('PATH', '')}"
    found = [shutil.which(name, path=path) for name in ("prometheus", "promtool")]
    if not all(found):
        pytest.skip("no prometheus: run make tools")
    return str(found[0]), str(found[1])


@dataclass
class Series:
    """Samples in OpenMetrics text, every 15 s from 20 minutes ago to two minutes ahead, so that queries may ask for now."""

    now: float = field(default_factory=lambda: float(int(time.time())))
    lines: list[str] = field(default_factory=list)

    def write(self, name: str, labels: Mapping[str, str], value: Callable[[float], float], since: float = -1200) -> None:
        """One series.

        Args:
            value: from seconds since `now`, mostly negative.
            since: when it comes up.
        """
        shown = ",".join(f'{key}="{text}"' for key, text in labels.items())
        for at in range(int(since), 121, EVERY):
            self.lines.append(f"{name}{{{shown}}} {value(at)} {self.now + at}")

    def counter(self, name: str, labels: Mapping[str, str], per_second: float, since: float = -1200) -> None:
        """A counter that grows evenly from 0."""
        self.write(name, labels, lambda at: (at - since) * per_second, since)

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """A value that stays."""
        self.write(name, labels, lambda _: value)

    def histogram(self, name: str, labels: Mapping[str, str], per_second: Mapping[str, float]) -> None:
        """A histogram; observations per second by bucket, each by itself and not yet summed up."""
        total = 0.0
        for bound, rate in per_second.items():
            total += rate
            self.counter(f"{name}_bucket", {**labels, "le": bound}, total)
        self.counter(f"{name}_count", labels, total)


@contextmanager
def serving(series: Series, directory: Path) -> Iterator[str]:
    """The URL of a server that holds the series."""
    server, tool = programs()
    text, data, config = directory / "series.txt", directory / "data", directory / "prometheus.yml"
    text.write_text("\n".join([*series.lines, "# EOF\n"]))
    config.write_text("{}")
    subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)], check=True, capture_output=True)
    port = _free_port()
    words = [server, f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}"]
    with (directory / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            _await(f"http://127.0.0.1:{port}/-/ready", process, directory / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"prometheus did not get ready:\n{log.read_text()[-2000:]}")
