"""Prometheus: it scrapes what the node agent lists, as Google Managed Prometheus scrapes what PodMonitorings select."""

from __future__ import annotations

import json

from sandbox.home import Home

EVERY = 2
"""Seconds between two samples. A PodMonitoring says 15; nobody wants to wait minutes here for a rate."""


def write(home: Home) -> None:
    """Its configuration (JSON is YAML), and no targets yet."""
    targets = home.prometheus / "targets.json"
    job = {"job_name": "pods", "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "5s"}]}
    config = {"global": {"scrape_interval": f"{EVERY}s", "scrape_timeout": f"{EVERY}s"}, "scrape_configs": [job]}
    (home.prometheus / "prometheus.yml").write_text(json.dumps(config, indent=2), "utf-8")
    targets.write_text("[]", "utf-8")
