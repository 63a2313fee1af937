"""The CRDs of the sandbox: upstream's from the Go modules that publish them, GKE's own, which nobody publishes, from crds/."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sandbox.home import SandboxError, cache

OWN = Path(__file__).parent / "crds"

MODULES = {
    "sigs.k8s.io/gateway-api@v1.6.1": "config/crd/standard",
    "sigs.k8s.io/gateway-api-inference-extension@v1.5.0": "config/crd/bases",
}
"""Module and version -> the folder of its CRDs."""


def published() -> Path:
    """The folder of the published CRDs; downloaded once.

    Raises:
        SandboxError: they cannot be had.
    """
    kept = cache() / f"sandbox-crds-{hashlib.sha256(json.dumps(MODULES).encode()).hexdigest()[:12]}"
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".crds-") as partial:
        whole = Path(partial) / "crds"
        whole.mkdir()
        for module, folder in _download(Path(partial)).items():
            for file in sorted((folder / MODULES[module]).glob("*.yaml")):
                if b"\nkind: CustomResourceDefinition" in file.read_bytes():
                    shutil.copyfile(file, whole / file.name)
        whole.rename(kept)
    return kept


def write(to: Path) -> None:
    """All CRDs of a sandbox into a new folder."""
    to.mkdir()
    for file in (*published().glob("*.yaml"), *OWN.glob("*.yaml")):
        shutil.copyfile(file, to / file.name)


def _download(folder: Path) -> dict[str, Path]:
    """Folder of each module in Go's cache."""
    go = shutil.which("go")
    if go is None:
        raise SandboxError("Go is needed to download the CRDs of Gateway API, once (https://go.dev/dl)")
    (folder / "go.mod").write_text("module crds\n\ngo 1.21\n", "utf-8")
    env = {**os.environ, "GO111MODULE": "on", "GOWORK": "off"}
    done = subprocess.run(
        [go, "mod", "download", "-json", *MODULES], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    answers = _answers(done.stdout)
    if problems := [answer["Error"] for answer in answers if "Error" in answer] or ([done.stderr] if done.returncode else []):
        raise SandboxError(f"the Go modules that hold the CRDs cannot be downloaded: {' '.join(' '.join(problems).split())}")
    return {f"{answer['Path']}@{answer['Version']}": Path(answer["Dir"]) for answer in answers}


def _answers(text: str) -> list[dict[str, str]]:
    """The JSON objects that stand one after another in go's output."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found
