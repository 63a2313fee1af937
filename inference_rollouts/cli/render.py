"""`rollout render`: the Kubernetes objects of the stage as YAML, one file each, for kubectl and GitOps users.

They are what the real program registers, without the annotations that only Pulumi reads, and the same bytes for the same stack
file. A folder is replaced as a whole, and only one that is empty or that holds nothing but what was rendered before; the one that
somebody stands in stays, and its files are replaced one by one.
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from inference_rollouts.cli.project import find_project, plan_of
from inference_rollouts.edit import report_words, words, yaml_text
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.rehearsal.program import Registration, run
from inference_rollouts.settings.stack_file import StackFile

MARKER = ".rollout-render"
"""File that names the others: what render wrote, and may replace."""

FIRST = ("apiVersion", "kind", "metadata", "spec")
"""Keys that begin a manifest; all others are in the order of the alphabet, as no other order is the same in each run."""

OF_PULUMI = "pulumi.com/"
KUBERNETES = "kubernetes:"
CLUSTER_WIDE = "cluster"
"""Stands for the namespace of an object that has none."""


@dataclass(frozen=True)
class Rendered:
    """The objects of a stack.

    Attributes:
        files: text by file name.
        elsewhere: what the program registers that is no Kubernetes object, as a person says it.
    """

    stack: str
    files: Mapping[str, str]
    elsewhere: tuple[str, ...]


def rendered(file: StackFile) -> Rendered:
    """The objects of a stack at the stage in its file.

    Raises:
        InputError: when the file has a problem.
    """
    plan_of(file)
    recording = run(find_project().folder, file.stack, file.config)
    custom = [r for r in recording.resources.values() if r.custom and not r.type.startswith("pulumi:providers:")]
    objects = [_object(r) for r in custom if r.type.startswith(KUBERNETES)]
    others = [r for r in custom if not r.type.startswith(KUBERNETES)]
    files = {file_name(manifest): text_of(manifest) for manifest in objects}
    return Rendered(file.stack, dict(sorted(files.items())), tuple(sorted(_title(r) for r in others)))


def _title(registration: Registration) -> str:
    return f"{registration.type.rpartition(':')[2]} {registration.inputs.get('name') or registration.name}"


def _object(registration: Registration) -> dict[str, Any]:
    """The manifest without what only Pulumi reads."""
    manifest = copy.deepcopy(dict(registration.inputs))
    annotations = manifest["metadata"].get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if not key.startswith(OF_PULUMI)}
    manifest["metadata"].pop("annotations", None)
    if kept:
        manifest["metadata"]["annotations"] = kept
    return manifest


def file_name(manifest: Mapping[str, Any]) -> str:
    """`<namespace>.<kind>.<name>.yaml`.

    >>> file_name({"kind": "Service", "metadata": {"name": "llm-epp", "namespace": "default"}})
    'default.Service.llm-epp.yaml'
    """
    meta = manifest["metadata"]
    return f"{meta.get('namespace') or CLUSTER_WIDE}.{manifest['kind']}.{meta['name']}.yaml"


def text_of(manifest: Mapping[str, Any]) -> str:
    """A manifest as YAML that YAML 1.1 parsers, as kubectl's, read as it is meant; the order of its keys makes no difference."""
    yaml = YAML()
    yaml.width = 1_000_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    first = {key: manifest[key] for key in FIRST if key in manifest}
    yaml.dump(_quoted({**first, **_ordered(manifest)}), out)
    return out.getvalue()


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(inner) for inner in value] if isinstance(value, list | tuple) else value


def _quoted(value: Any) -> Any:
    """Text of several lines as a block, and text that a parser may take for something else in quotes."""
    if isinstance(value, Mapping):
        return {_quoted(key): _quoted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if "\n" in value and not re.search(r"[ \t]\n|\r|\t|\A\s", value):
        return LiteralScalarString(value)
    return value if yaml_text.SAFE.fullmatch(value) and value.lower() not in yaml_text.WORDS else DoubleQuotedScalarString(value)


# --- the folder -------------------------------------------------------------------------------------------------------


def write(found: Rendered, folder: Path) -> None:
    """Replace a folder by the rendered one. Where it holds files already they go and come by renames: a kill in between leaves
    the old folder beside it, under a name that begins with a dot.

    Raises:
        InputError: when it holds what render did not write, or cannot be written.
    """
    place = folder.resolve()
    known = _refuse_foreign(place, folder)
    stays = place == Path.cwd().resolve()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".tmp", dir=place if stays else place.parent))
        try:
            _fill(draft, found)
            if stays:
                _refill(draft, place, known)
            else:
                _swap(draft, place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as e:
        raise InputError([Problem("", words.not_written(e.strerror or str(e)), str(folder))]) from None


def _refuse_foreign(place: Path, folder: Path) -> list[str]:
    """The files that are there already, all of them by render."""
    if not place.exists():
        return []
    if not place.is_dir():
        raise InputError([Problem("", report_words.no_folder(), str(folder))])
    present = sorted(path.name for path in place.iterdir())
    known: list[str] = []
    with contextlib.suppress(OSError):
        known = [*(place / MARKER).read_text("utf-8").splitlines(), MARKER]
    foreign = [name for name in present if name not in known]
    if foreign:
        raise InputError([Problem("", report_words.foreign_files(foreign), str(folder))])
    return present


def _fill(draft: Path, found: Rendered) -> None:
    for name, text in {**found.files, MARKER: _marker(found.files)}.items():
        (draft / name).write_text(text, "utf-8", newline="\n")
    umask = os.umask(0)
    os.umask(umask)
    draft.chmod(0o777 & ~umask)


def _marker(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in names)


def _refill(draft: Path, place: Path, known: Sequence[str]) -> None:
    """The new files in the place of the old ones, in a folder that stays. A run that ends in between leaves files of both, all
    of which its list names: so the next run can go on.
    """
    new = sorted(path.name for path in draft.iterdir() if path.name != MARKER)
    both = draft / f"{MARKER}.both"
    both.write_text(_marker(sorted({*new, *known, draft.name} - {MARKER})), "utf-8", newline="\n")
    os.replace(both, place / MARKER)
    for name in new:
        os.replace(draft / name, place / name)
    for name in known:
        if name not in (*new, MARKER):
            _remove(place / name)
    os.replace(draft / MARKER, place / MARKER)


def _remove(path: Path) -> None:
    if path.is_dir():  # the draft of a run that was killed
        shutil.rmtree(path)
    else:
        path.unlink()


def _swap(draft: Path, place: Path) -> None:
    """The new folder under the old one's name. An empty folder is replaced by the rename itself."""
    if not place.exists() or not any(place.iterdir()):
        os.replace(draft, place)
        return
    old = draft.with_suffix(".old")
    os.replace(place, old)
    try:
        os.replace(draft, place)
    except BaseException:
        os.replace(old, place)
        raise
    shutil.rmtree(old)


# --- what is said -----------------------------------------------------------------------------------------------------


def as_json(found: Rendered, folder: Path) -> dict[str, Any]:
    """What was written, as plain JSON values."""
    return {"stack": found.stack, "directory": str(folder), "files": list(found.files), "notRendered": list(found.elsewhere)}


def render(found: Rendered, folder: Path, console: Console) -> None:
    """What was written, as text."""
    for line in _lines(found, folder):
        console.print(Text(line), soft_wrap=True)


def _lines(found: Rendered, folder: Path) -> Iterator[str]:
    yield report_words.rendered(len(found.files), folder)
    yield from (f"  {name}" for name in found.files)
    if found.elsewhere:
        yield report_words.not_rendered(found.elsewhere)
