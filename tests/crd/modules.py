"""The CRDs of Gateway API and of the inference extension, out of the Go modules in which upstream publishes them.

Go's module cache keeps them, so only the first run on a machine downloads anything, and nothing is copied in here.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDERS = {
    "sigs.k8s.io/gateway-api@v1.5.1": "config/crd/standard",
    "sigs.k8s.io/gateway-api-inference-extension@v1.5.0": "config/crd/bases",
    "sigs.k8s.io/gateway-api-inference-extension@v0.5.1": "config/crd/bases",
}
"""Module and version -> the folder of its CRDs; v0.5.1 is the last with InferenceModel."""

GROUPS = ("gateway.networking.k8s.io", "inference.networking.k8s.io", "inference.networking.x-k8s.io")
"""The API groups that these modules define."""

_DOWNLOAD_SECONDS = 240


class UnavailableError(Exception):
    """The modules cannot be had here; the text is a reason for `pytest.skip`."""


@functools.cache
def crds() -> tuple[Mapping[str, Any], ...]:
    """Every CRD in the modules.

    Raises:
        UnavailableError: there is no Go, or the download failed.
    """
    if reason := why_not():
        raise UnavailableError(reason)
    return tuple(read_crds(Path(folder) / FOLDERS[module] for module, folder in _downloaded()[0].items()))


def why_not() -> str | None:
    """The reason for which the modules cannot be had here; None when they can."""
    return _downloaded()[1]


@functools.cache
def _downloaded() -> tuple[dict[str, str], str | None]:
    return download(shutil.which("go"))


def download(go: str | None) -> tuple[dict[str, str], str | None]:
    """The folder of each module in Go's cache, and the reason when that failed.

    Args:
        go: path of the go command; None when there is none.
    """
    if go is None:
        return {}, "the CRDs come from Go modules, and there is no `go` on the PATH"
    try:
        out = _mod_download(go)
    except subprocess.TimeoutExpired:
        return {}, f"the Go modules with the CRDs did not arrive within {_DOWNLOAD_SECONDS} s"
    except OSError as error:
        return {}, f"`{go}` does not start: {error.strerror}"
    answers = list(_json_stream(out.stdout))
    failed = [a["Error"] for a in answers if "Error" in a]
    folders = {f"{a['Path']}@{a['Version']}": a["Dir"] for a in answers if "Dir" in a}
    if failed or set(folders) != set(FOLDERS):
        return {}, f"the Go modules with the CRDs cannot be downloaded: {'; '.join(failed) or out.stderr.strip()}"
    return folders, None


def _mod_download(go: str) -> subprocess.CompletedProcess[str]:
    # A go.mod of its own, and no workspace: the answer must not depend on where the tests are run.
    env = {**os.environ, "GO111MODULE": "on", "GOWORK": "off"}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "go.mod").write_text("module crds\n\ngo 1.21\n", encoding="utf-8")
        command = [go, "mod", "download", "-json", *FOLDERS]
        return subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False
        )


def _json_stream(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that stand one after another in go's output."""
    decoder = json.JSONDecoder()
    rest = text.strip()
    while rest.startswith("{"):
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].lstrip()


def read_crds(folders: Iterable[Path]) -> Iterator[Mapping[str, Any]]:
    """The CRDs in the YAML files of these folders; other kinds and broken files have no place there and raise."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in (file for folder in folders for file in sorted(folder.glob("*.yaml"))):
        for document in yaml.load_all(file.read_bytes(), Loader=loader):
            if document and document.get("kind") == "CustomResourceDefinition":
                yield document
