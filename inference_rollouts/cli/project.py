"""Where the project is, and which file a STACK means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inference_rollouts.errors import InputError, Problem, all_of, named, nearest
from inference_rollouts.plan import Plan, plan_for
from inference_rollouts.settings import PROJECT, Stack
from inference_rollouts.settings.stack_file import StackFile, read, stack_name
from inference_rollouts.settings.yaml_nodes import compose, decode


@dataclass(frozen=True)
class Project:
    """The Pulumi project: its folder, and the folder of its stack files."""

    folder: Path
    stacks: Path

    def stack_names(self) -> list[str]:
        """The stacks that have a file."""
        return sorted(stack_name(path) for path in self.stacks.glob("Pulumi.*.yaml"))

    def stack_file(self, stack: str) -> Path:
        """Where a stack's file is, or would be."""
        return self.stacks / f"Pulumi.{stack}.yaml"


def find_project(start: Path | None = None) -> Project:
    """The project from the working directory upward, never from a stack file's folder.

    Raises:
        InputError: when there is none.
    """
    try:
        here = (start or Path.cwd()).resolve()
    except FileNotFoundError:
        raise InputError([Problem("", "the working directory is gone; go to the project's folder")]) from None
    for folder in (here, *here.parents):
        file = folder / "Pulumi.yaml"
        if not file.is_file():
            continue
        values = _texts(file)
        if "name" not in values:
            raise InputError([Problem("name", f"is missing; run this in the project {PROJECT}, or below it", str(file))])
        if values["name"] != PROJECT:
            message = f"is {named(values['name'])}; run this in the project {PROJECT}, or below it"
            raise InputError([Problem("name", message, str(file))])
        return Project(folder, folder / values.get("stackConfigDir", "."))
    raise InputError([Problem("", f"no Pulumi.yaml in {here} or above it; run this in the project's folder, or below it")])


def _texts(file: Path) -> dict[str, str]:
    """The top-level texts of Pulumi.yaml; all that is needed of it."""
    try:
        root = compose(decode(file.read_bytes()))
    except OSError as e:
        raise InputError([Problem("", f"cannot be read: {e.strerror or e}", str(file))]) from None
    except InputError as e:
        raise InputError(p.at(str(file)) for p in e.problems) from None
    pairs = root.pairs if root and root.kind == "map" else []
    return {key.text: value.text for key, value in pairs if key.kind == value.kind == "scalar"}


def is_path(stack: str) -> bool:
    """Whether STACK names a file rather than a stack."""
    return "/" in stack or stack.endswith((".yaml", ".yml"))


def open_stack(stack: str) -> StackFile:
    """The stack file that STACK means: a path, or a stack of the project.

    Raises:
        InputError: when there is no such file.
    """
    if is_path(stack):
        return read(Path(stack))
    project = find_project()
    known = project.stack_names()
    if stack in known:
        return read(shown(project.stack_file(stack)))
    hint = nearest(stack, known)
    others = f"{' Stacks' if hint else '; stacks'}: {all_of(known)}" if known else "; no stack has a file (Pulumi.STACK.yaml) yet"
    raise InputError([Problem("", f"there is no stack {named(stack)}{hint}{others}", str(shown(project.stacks)))])


def stack_path(stack: str) -> Path:
    """Where the file of STACK is, or was; as short as it can be said from here."""
    if is_path(stack):
        return Path(stack)
    return shown(find_project().stack_file(stack))


def shown(path: Path) -> Path:
    """As short as it can be said from here."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, FileNotFoundError):
        return path


def plan_of(file: StackFile, settings: Stack | None = None) -> Plan:
    """The plan of a stack file.

    Args:
        file: the file.
        settings: its settings, where they are known; reading them takes longer than the plan.

    Raises:
        InputError: with every problem of text, settings and names, each with its file and line.
    """
    known = settings or file.settings()
    try:
        return plan_for(known)
    except InputError as e:
        raise file.placed(e.problems) from None


def complete_stack(incomplete: str) -> list[str]:
    """Shell completion of STACK."""
    try:
        return [name for name in find_project().stack_names() if name.startswith(incomplete)]
    except InputError:
        return []
