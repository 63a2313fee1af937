"""The `rollout` command: its verbs and options. Errors in the input are sentences on stderr, never a traceback.

Exit codes: 0 done, 1 problems in the input, 2 usage, 3 refused by a guard or not as it should be.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from inference_rollouts.cli.project import complete_stack, open_stack
from inference_rollouts.errors import InputError

app = typer.Typer(
    name="rollout",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Move live LLM traffic to new accelerators, base models and LoRA adapters, one stage at a time.\n\n"
    "STACK is a stack of the project in this folder or above it (node-update), or a path to a stack file "
    "(./my.yaml: it holds a / or ends in .yaml or .yml).",
    epilog="Start with: [bold]rollout rehearse node-update[/bold]",
)

Stacks = Annotated[list[str], typer.Argument(metavar="STACK...", help="Stack names or paths.", autocompletion=complete_stack)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, and nothing else.")]


class Moves(StrEnum):
    """Which moves to judge besides the walk up the ladder."""

    all = "all"


def _console() -> Console:
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _read(stacks: list[str]) -> list[Any]:
    """The stack files and their settings; all problems of all of them at once."""
    problems, found = [], []
    for stack in stacks:
        try:
            file = open_stack(stack)
            file.settings()
            found.append(file)
        except InputError as e:
            problems += e.problems
    if problems:
        raise InputError(problems)
    return found


@app.command()
def rehearse(
    stacks: Stacks,
    moves: Annotated[Moves | None, typer.Option(help="Judge every move between two stages of the ladder, too.")] = None,
    as_json: AsJson = False,
) -> None:
    """See each stage of a rollout before anything is deployed.

    Runs the real Pulumi program on a model of the engine, from nothing up the whole ladder, and shows for each stage the
    weights and what is created, updated, replaced, deleted, refused, and what stays. Needs no cluster, no credentials and no
    Pulumi CLI.

    [bold]rollout rehearse node-update[/bold]            every stage of each rollout in the stack
    [bold]rollout rehearse node-update --json[/bold]     the same for programs
    [bold]rollout rehearse node-update --moves all[/bold]  which moves are allowed, and why others are not
    """
    files = _read(stacks)
    # Pulumi takes a second to import, so only the verb that needs it does.
    from inference_rollouts.cli import rehearse as verb

    documents = [verb.rehearse(file, all_moves=moves is Moves.all) for file in files]
    if as_json:
        shown = [verb.as_json(document) for document in documents]
        _print_json(shown[0] if len(shown) == 1 else shown)
    else:
        verb.render(documents, _console())
    if any(document.refused for document in documents):
        raise typer.Exit(3)


@app.command()
def validate(stacks: Stacks) -> None:
    """Check stack files: every problem at once, each with its file, line, path and what is allowed."""
    from inference_rollouts.plan import plan_for

    problems = []
    for stack in stacks:
        try:
            file = open_stack(stack)
            plan_for(file.settings())
            _console().print(f"{file.path}: no problems")
        except InputError as e:
            problems += e.problems
    if problems:
        raise InputError(problems)


@app.command()
def schema() -> None:
    """Print the JSON Schema of stack files (stacks/schema.json), with which editors complete and check."""
    from inference_rollouts.settings.schema import schema_text

    sys.stdout.write(schema_text())


@app.command()
def accelerators(
    pattern: Annotated[str | None, typer.Argument(help="Part of a name, or a shell pattern, as l4 or 'a3-*'.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the accelerators of GKE: machine types, memory, how they can be bought, GKE version, price."""
    from inference_rollouts.cli import accelerators as verb

    rows = verb.rows(pattern)
    if as_json:
        _print_json(rows)
    else:
        verb.render(rows, _console())


@app.command()
def crds(
    stacks: Stacks,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check a file of CRDs, as kubectl get crds -o yaml prints them.")
    ] = None,
    print_names: Annotated[bool, typer.Option("--print", help="Only the names, for kubectl get crd.")] = False,
) -> None:
    """Show which custom resource definitions a stack needs, and who installs them.

    [bold]kubectl get crds -o yaml > crds.yaml && rollout crds node-update --check crds.yaml[/bold]
    """
    from inference_rollouts import crds as needed
    from inference_rollouts.cli import crds as verb

    needs = needed.of_stacks([file.settings() for file in _read(stacks)])
    if print_names:
        sys.stdout.write(verb.plain(needs) + "\n")
        return
    verb.render(needs, _console())
    if check:
        documents = verb.read_documents(check)
        for note in needed.notes(needs, documents):
            _console().print(f"note: {note}")
        missing = needed.missing(needs, documents)
        for sentence in missing:
            sys.stderr.write(f"{check}: {sentence}\n")
        if missing:
            raise typer.Exit(3)
        _console().print(f"{check}: all of them are there")


def run() -> None:
    """Entry point: problems in the input become sentences and exit code 1."""
    try:
        app()
    except InputError as e:
        sys.stderr.write(f"{e}\n")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    run()
