"""`rollout import`: from manifests or a live cluster to a stack file, the file for `pulumi import`, and the steps.

What it cannot say in a stack file it lists, and then it writes nothing, unless `--partial` asks for the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from inference_rollouts.cli.edit import How, may_write, show_diff
from inference_rollouts.cli.project import Project, find_project
from inference_rollouts.cli.project import shown as shown_path
from inference_rollouts.edit import words as edit_words
from inference_rollouts.edit.differences import unified
from inference_rollouts.edit.writing import create_file, replace_file
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.settings.stack_file import TOP_LEVEL
from inference_rollouts.takeover import documents, stack, steps, words
from inference_rollouts.takeover import text as stack_text
from inference_rollouts.takeover.findings import Finding
from inference_rollouts.takeover.inventory import Existing, Inventory
from inference_rollouts.takeover.stack import Takeover
from inference_rollouts.takeover.steps import Step

KEPT = tuple(key for key in TOP_LEVEL if key != "config")
"""Top-level keys of a stack file that belong to Pulumi, and survive."""


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        files: files or folders of manifests; none with `live`.
        live: read a cluster.
        context: a context of the ambient kubeconfig.
        namespace: of objects that name none; with `live` the one that is read.
        folder: where the files go; None for the project's stacks.
        stack: the stack's name; None when nothing is to be written but with `folder`.
        cluster: `cluster` of the stack config as far as the command line says it.
        partial: write although something cannot be said.
    """

    files: tuple[Path, ...]
    live: bool = False
    context: str | None = None
    namespace: str = "default"
    folder: Path | None = None
    stack: str | None = None
    cluster: dict[str, Any] | None = None
    project: str | None = None
    partial: bool = False


@dataclass
class Result:
    """What came of it.

    Attributes:
        first: the first preview; None when there is no valid config.
        files: text by path, in the order they are written.
        written: what was written.
    """

    request: Request
    takeover: Takeover
    name: str
    first: Any = None
    files: dict[Path, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    written: list[Path] = field(default_factory=list)

    @property
    def wanted(self) -> bool:
        """Whether anything is to be written."""
        return self.request.folder is not None or self.request.stack is not None

    @property
    def stack_path(self) -> Path:
        """The stack file."""
        return next(path for path in self.files if path.suffix == ".yaml")


def run(request: Request, how: How) -> None:
    """Read, describe, preview, show, write. Exit code 1 where something cannot be said, or is not written.

    Raises:
        InputError: when the input cannot be read.
    """
    from inference_rollouts.cli import import_show

    project = find_project()
    result = described(request, project)
    if not how.as_json:
        import_show.show(result, how.console)
    declined = _write(result, how)
    if how.as_json:
        import_show.print_report(result)
    else:
        import_show.show_written(result, how.console, declined=declined)
    if declined or not result.takeover.whole:
        raise typer.Exit(1)


# --- reading ------------------------------------------------------------------------------------------------------------


def described(request: Request, project: Project) -> Result:
    """Everything but writing."""
    inventory, findings, given = _live(request) if request.live else _from_files(request)
    takeover = stack.take(inventory, given, findings)
    result = Result(request, takeover, request.stack or "imported")
    if not takeover.services or not takeover.valid:
        return result
    from inference_rollouts.cli.import_preview import first_preview
    from inference_rollouts.takeover import import_file

    # Pulumi takes a second to import, so a file that cannot be used does not wait for it.
    result.first = first_preview(project.folder, result.name, takeover.judged, takeover.inventory)
    if not result.first.harmless:
        bad = [*result.first.restarts, *(o for o in result.first.preview.operations if o.op in ("replace", "delete", "refuse"))]
        takeover.findings += [Finding("cannot", words.not_harmless(o.op, o.diff, o.reasons), object=o.title) for o in bad]
    document = import_file.document(list(result.first.imported), result.first.recording.resources)
    _files(result, project, json.dumps(document, indent=2) + "\n")
    return result


def _from_files(request: Request) -> tuple[Inventory, list[Finding], stack.Given]:
    objects: list[Existing] = []
    findings: list[Finding] = []
    for file in _each_file(request.files):
        try:
            data = file.read_bytes() if str(file) != "-" else typer.get_binary_stream("stdin").read()
        except OSError as e:
            raise InputError([Problem("", f"cannot be read: {e.strerror or e}", str(file))]) from None
        found, said = documents.read(data, "stdin" if str(file) == "-" else str(file), request.namespace)
        objects += found
        findings += said
    cluster, project = request.cluster, request.project
    if cluster is None and request.context:
        from inference_rollouts.cli.import_live import of_context

        cluster, found_project = of_context(request.context)
        project = project or found_project
    return Inventory(objects), findings, stack.Given(cluster, project)


def _each_file(files: Sequence[Path]) -> list[Path]:
    """A folder stands for the manifests in it."""
    out: list[Path] = []
    for file in files:
        inside = sorted(p for p in file.iterdir() if p.suffix in (".yaml", ".yml", ".json")) if file.is_dir() else [file]
        if not inside:
            raise InputError([Problem("", "holds no .yaml, .yml or .json file", str(file))])
        out += inside
    return out


def _live(request: Request) -> tuple[Inventory, list[Finding], stack.Given]:
    from inference_rollouts.cli import import_live
    from inference_rollouts.observe.cluster import Cluster

    context = request.context or import_live.current_context()
    cluster, project = import_live.of_context(context)
    inventory, findings = import_live.read(Cluster(context=context), request.namespace, context)
    return inventory, findings, stack.Given(request.cluster or cluster, request.project or project)


# --- writing ------------------------------------------------------------------------------------------------------------


def _files(result: Result, project: Project, import_text: str) -> None:
    request, takeover = result.request, result.takeover
    folder = shown_path(project.stacks) if request.folder is None else request.folder
    path, beside = folder / f"Pulumi.{result.name}.yaml", folder / f"import.{result.name}.json"
    in_project = folder.resolve() == project.stacks.resolve()
    head = [words.head(", ".join(map(str, request.files)) or f"namespace {request.namespace} of the cluster")]
    text = stack_text.stack_text(takeover.config, takeover.comments, head, _kept(path))
    # The stack file last: where it stands, the other one does too.
    result.files = {beside: import_text, path: text}
    drafts = [f"{s.name}: {draft}" for s in takeover.services for draft in s.drafts]
    found = result.first.imported
    if not result.wanted:
        result.steps = tuple(steps.unwritten(str(shown_path(project.stacks)), found, drafts))
        return
    result.steps = tuple(steps.steps(result.name, str(path), str(beside), found, in_project=in_project, drafts=drafts))


def _kept(path: Path) -> str:
    """Pulumi's own top-level lines of a stack file that stands already."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    kept, keeping = [], False
    for line in lines:
        # What is indented, an item of a list, or blank belongs to the key above it.
        keeping = line.partition(":")[0] in KEPT if line[:1] not in ("", " ", "-") else keeping
        kept += [line] if keeping else []
    return "\n".join(kept).rstrip("\n")


def _write(result: Result, how: How) -> bool:
    """Write what is to be written; whether something was not."""
    request = result.request
    if not result.wanted:
        return False
    if not result.files or not (result.takeover.whole or request.partial):
        return True
    return not all(_put(path, text, how, result) for path, text in result.files.items())


def _put(path: Path, text: str, how: How, result: Result) -> bool:
    """One file: a new one is made, one that stands is asked about."""
    try:
        old = path.read_bytes() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError([Problem("", edit_words.not_written(e.strerror or str(e)), str(path))]) from None
    new = text.encode()
    if old == new:
        return True
    if old is None:
        create_file(path, new)
    else:
        if not how.as_json:
            show_diff(unified(path, old.decode("utf-8", "replace"), text), how.console)
        if not may_write(words.overwrite(str(path)), how):
            return False
        replace_file(path, old, new)
    result.written.append(path)
    return True
