"""Commands that look and change nothing."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from inference_rollouts.cli.app import AnyStacks, AsJson, OneStack, Stacks, app, console, print_json, read_stacks
from inference_rollouts.cli.project import open_stack, plan_of
from inference_rollouts.errors import InputError


class Moves(StrEnum):
    """Which moves to judge besides the walk up the ladder."""

    all = "all"


class Page(StrEnum):
    """How status is shown."""

    text = "text"
    markdown = "markdown"


class Shown(StrEnum):
    """How a preview is shown."""

    text = "text"
    markdown = "markdown"
    json = "json"


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
    files = read_stacks(stacks)
    # Pulumi takes a second to import, so only the verb that needs it does.
    from inference_rollouts.cli import rehearse as verb

    documents = [verb.rehearse(file, all_moves=moves is Moves.all) for file in files]
    if as_json:
        shown = [verb.as_json(document) for document in documents]
        print_json(shown[0] if len(shown) == 1 else shown)
    else:
        verb.render(documents, console())
    if any(document.refused for document in documents):
        raise typer.Exit(3)


@app.command()
def validate(stacks: Stacks) -> None:
    """Check stack files: every problem at once, each with its file, line, path and what is allowed."""
    problems = []
    for stack in stacks:
        try:
            file = open_stack(stack)
            plan_of(file)
            console().print(f"{file.path}: no problems", markup=False)
        except InputError as e:
            problems += e.problems
    if problems:
        raise InputError(problems)


@app.command()
def status(
    stacks: AnyStacks = None,
    every: Annotated[bool, typer.Option("--all", help="All stacks of the project, as without STACK.")] = False,
    page: Annotated[Page, typer.Option("--format", help="markdown: one page of what runs where.")] = Page.text,
    as_json: AsJson = False,
) -> None:
    """See where every rollout stands: versions, weights, stage and next rung, what is protected. From the stack files alone."""
    from inference_rollouts.cli import status as verb

    if every and stacks:
        raise typer.BadParameter("--all takes no STACK")
    standings, problems = verb.read_all(stacks or [])
    if as_json:
        shown = [verb.as_json(standing) for standing in standings]
        print_json(shown[0] if stacks and len(stacks) == 1 and shown else shown)
    elif page is Page.markdown:
        sys.stdout.write(verb.markdown(standings))
    else:
        verb.render(standings, console())
    if problems:
        raise InputError(problems)


@app.command()
def preview(
    stack: OneStack,
    base: Annotated[
        str | None,
        typer.Option(metavar="REF|FILE", help="Default: where this branch left origin's default branch, or HEAD."),
    ] = None,
    shown: Annotated[Shown, typer.Option("--format", help="markdown: a pull-request comment.")] = Shown.text,
    as_json: AsJson = False,
) -> None:
    """See what the changed stack file does: weights, resources, refusals, nodes, cost. Needs no cluster and no credentials.

    [bold]rollout preview node-update --base origin/main[/bold]
    """
    from inference_rollouts.cli import preview as verb

    report = verb.report(stack, base)
    if as_json or shown is Shown.json:
        print_json(verb.as_json(report))
    elif shown is Shown.markdown:
        from inference_rollouts.cli.preview_markdown import markdown

        sys.stdout.write(markdown(report))
    else:
        verb.render(report, console())
    if report.refusals:
        raise typer.Exit(3)


@app.command()
def history(stack: OneStack, as_json: AsJson = False) -> None:
    """See the stage changes of a stack file from Git: who, when, why; newest first."""
    from inference_rollouts.cli import history as verb

    found = verb.history(stack)
    if as_json:
        print_json(verb.as_json(found))
    else:
        verb.render(found, console())


@app.command()
def render(
    stack: OneStack,
    directory: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="A folder that is empty, or was rendered before.")
    ],
    as_json: AsJson = False,
) -> None:
    """Write the Kubernetes objects of the stage as YAML, one file each, for kubectl and GitOps users.

    [bold]rollout render node-update -o manifests[/bold]
    """
    from inference_rollouts.cli import render as verb

    found = verb.rendered(open_stack(stack))
    verb.write(found, directory)
    if as_json:
        print_json(verb.as_json(found, directory))
    else:
        verb.render(found, directory, console())


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
        print_json(rows)
    else:
        verb.render(rows, console())


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

    needs = needed.of_stacks([file.settings() for file in read_stacks(stacks)])
    if print_names:
        sys.stdout.write(verb.plain(needs) + "\n")
        return
    verb.render(needs, console())
    if check:
        documents = verb.read_documents(check)
        for note in needed.notes(needs, documents):
            console().print(f"note: {note}")
        missing = needed.missing(needs, documents)
        for sentence in missing:
            sys.stderr.write(f"{check}: {sentence}\n")
        if missing:
            raise typer.Exit(3)
        console().print(f"{check}: all of them are there")
