"""kubectl, as one who applies needs it: server-side, with one field manager."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIELD_MANAGER = "pulumi-kubernetes"
"""Owns everything that is applied here, as one field manager of Pulumi's provider does on a real cluster."""


class KubectlError(Exception):
    """kubectl said no; its text is kubectl's, and never empty."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl on one cluster.

    Attributes:
        binary: the kubectl to run.
        kubeconfig: of the cluster.
    """

    binary: str
    kubeconfig: Path

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Server-side apply, by force: as `pulumi.com/patchForce` does for what several may write."""
        # One document each: a List of the same objects takes kubectl twice the time.
        documents = "\n---\n".join(json.dumps(dict(manifest)) for manifest in manifests)
        manager = f"--field-manager={FIELD_MANAGER}"
        self.run("apply", "--server-side", manager, "--force-conflicts", "-f", "-", stdin=documents)

    def delete(self, manifest: Mapping[str, Any], timeout: float) -> None:
        """Delete, and wait until it is gone."""
        wait = f"--timeout={int(timeout)}s"
        self.run("delete", "--ignore-not-found", "--wait", wait, "-f", "-", stdin=json.dumps(dict(manifest)))

    def run(self, *args: str, stdin: str = "") -> str:
        """Its stdout.

        Raises:
            KubectlError: when it fails.
        """
        command: Sequence[str] = [self.binary, f"--kubeconfig={self.kubeconfig}", *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KubectlError(" ".join(done.stderr.split()) or f"kubectl {args[0]} ended with {done.returncode}")
        return done.stdout
