"""Where the project is, and which file a STACK means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inference_rollouts.errors import InputError, Problem, nearest, one_of
from inference_rollouts.settings import PROJECT
from inference_rollouts.settings.stack_file import StackFile, read, stack_name


@dataclass(frozen=True)
class Project:
    """The Pulumi project: its folder, and the folder of its stack files."""

    folder: Path
    stacks: Path

    def stack_names(self) -> list[str]:
        """The stacks that have a file."""
        return sorted(stack_name(path) for path in self.stacks.glob("Pulumi.*.yaml"))


def find_project(start: Path | None = None) -> Project:
    """The project from the working directory upward, never from a file's folder.

    Raises:
        InputError: when there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        file = folder / "Pulumi.yaml"
        if file.is_file():
            values = _top_level(file)
            if values.get("name") != PROJECT:
                raise InputError(
                    [
                        Problem(
                            "name",
                            f"is {values.get('name')}; run this in the project {PROJECT}, or below it",
                            str(file),
                        )
                    ]
                )
            return Project(folder, folder / values.get("stackConfigDir", "."))
    raise InputError([Problem("", f"no Pulumi.yaml in {here} or above it; run this in the project's folder, or below it")])


def _top_level(file: Path) -> dict[str, str]:
    """Top-level texts of Pulumi.yaml; all that is needed of it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        values = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as e:
        raise InputError([Problem("", f"cannot be read: {' '.join(str(e).split())[:200]}", str(file))]) from None
    return {str(k): v for k, v in values.items() if isinstance(v, str)} if isinstance(values, dict) else {}


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
    path = project.stacks / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        known = project.stack_names()
        raise InputError(
            [
                Problem(
                    "",
                    f"there is no stack {stack}{nearest(stack, known)}; stacks: {one_of(known)}",
                    str(path.relative_to(project.folder)),
                )
            ]
        )
    return read(_shown(path))


def _shown(path: Path) -> Path:
    """As short as it can be said from here."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def complete_stack(incomplete: str) -> list[str]:
    """Shell completion of STACK."""
    try:
        return [name for name in find_project().stack_names() if name.startswith(incomplete)]
    except InputError:
        return []
