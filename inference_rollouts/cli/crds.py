"""Showing the CRDs a stack needs, and reading a file of CRDs to check against; what is needed is decided in `crds`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from inference_rollouts.crds import LISTS, Need
from inference_rollouts.errors import InputError, Problem

_HOW = "Make it with: kubectl get crds -o json > FILE"

# PyYAML in C where there is one: a cluster's CRDs are megabytes, which take ruamel seconds. Bare dates and a plain `=`
# (an enum value in Prometheus Operator's CRDs) stay text: as `timestamp` and `value` they are of no use, or fail.
_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":value", ":timestamp"))]
    for first, resolvers in _BASE.yaml_implicit_resolvers.items()
}
_LOADER: Any = type("_Loader", (_BASE,), {"yaml_implicit_resolvers": _RESOLVERS})


def render(needed: Iterable[Need], console: Console) -> None:
    """Print the needs: a table on a terminal; piped, one line each with tabs: name, version, because, installed by."""
    if not console.is_terminal:
        for need in needed:
            # Not console.print: it turns tabs into spaces.
            console.file.write("\t".join((need.name, need.version, need.because, need.installed_by)) + "\n")
        return
    table = Table(Column("CRD", no_wrap=True), "needed because, installed by", show_lines=True)
    for need in needed:
        table.add_row(
            Text.assemble((need.kind, "bold"), f"\n{need.group}/{need.version}"),
            Text.assemble(need.because, ("\ninstalled by ", "dim"), need.installed_by),
        )
    console.print(table)


def plain(needed: Iterable[Need]) -> str:
    """The names alone, one a line, for `kubectl get crd $(rollout crds STACK --print)`."""
    return "\n".join(need.name for need in needed)


def read_documents(path: Path | str) -> list[dict[str, Any]]:
    """The documents in a JSON or YAML file of CRDs, as `kubectl get crds -o json` or `-o yaml` prints it.

    Raises:
        InputError: the file cannot be read, is neither JSON nor YAML, or holds something other than CRDs.
    """
    file = str(path)
    raw = _bytes(Path(path))
    try:
        documents = _parse(raw)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _refused(file, f"is neither JSON nor YAML: {error.problem or error}. {_HOW}", line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise _refused(file, f"is neither JSON nor YAML: {reason}. {_HOW}") from None
    return _only_crds(file, documents)


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refused(str(path), f"cannot be read: {error.strerror}. {_HOW}") from None
    if not raw.strip():
        hint = "kubectl did not reach the cluster, or found none of the CRDs"
        raise _refused(str(path), f"is empty ({hint}). {_HOW}")
    return raw


def _parse(raw: bytes) -> list[Any]:
    if raw.lstrip().startswith(b"{"):
        try:
            return [json.loads(raw)]
        except json.JSONDecodeError as error:
            broken = error
        try:
            return list(yaml.load_all(raw, Loader=_LOADER))
        except yaml.YAMLError:
            raise ValueError(str(broken)) from None
    return list(yaml.load_all(raw, Loader=_LOADER))


def _only_crds(file: str, documents: list[Any]) -> list[dict[str, Any]]:
    present = [document for document in documents if document is not None]
    for number, document in enumerate(present, 1):
        if not isinstance(document, dict):
            what = "text" if isinstance(document, str) else f"a {type(document).__name__}"
            raise _refused(file, f"document {number} is {what}, not a CustomResourceDefinition. {_HOW}")
    if not any(_may_hold_crds(document) for document in present):
        raise _refused(file, f"holds no CustomResourceDefinition. {_HOW}")
    return present


def _may_hold_crds(document: Mapping[str, Any]) -> bool:
    """A CRD or a list; an empty list is the true answer of a cluster without CRDs."""
    return document.get("kind") in ("CustomResourceDefinition", *LISTS)


def _refused(file: str, message: str, line: int | None = None) -> InputError:
    return InputError([Problem("", message, file, line)])
