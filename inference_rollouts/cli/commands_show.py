"""Commands that show what a file does, what can be had, and what is needed; they change nothing."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from inference_rollouts.cli.app import AsJson, OneStack, Stacks, app, console, print_json, read_stacks
from inference_rollouts.cli.project import open_stack


class Moves(StrEnum):
    """Which moves to judge besides the walk up the ladder."""

    all = "all"


class Shown(StrEnum):
    """How a preview is shown."""

    text = "text"
    markdown = "markdown"
    json = "json"


LIVE_ONLY = ("requests", "rate", "fault", "report")
"""Options of `rehearse` that mean nothing without --live."""


def _refuse_what_needs_live(context: typer.Context) -> None:
    for name in LIVE_ONLY:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter("needs --live", param_hint=f"--{name}")


@app.command()
def rehearse(
    context: typer.Context,
    stacks: Stacks,
    *,
    moves: Annotated[
        Moves | None, typer.Option(help="Judge every move between two stages, too; --live: go back from every stage, too.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Do it on the sandbox (rollout sandbox up), under traffic.")] = False,
    requests: Annotated[int, typer.Option(min=1, help="--live: least requests after each move.")] = 1000,
    rate: Annotated[float, typer.Option(min=0, help="--live: requests a second; 0: as many as are answered.")] = 100,
    fault: Annotated[str | None, typer.Option(metavar="NAME", help="--live: what goes wrong, as servers-crash.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="--live: where the JSON report is written.")] = None,
    as_json: AsJson = False,
) -> None:
    """See each stage of a rollout before anything is deployed.

    Runs the real Pulumi program on a model of the engine, from nothing up the whole ladder, and shows for each stage the
    weights and what is created, updated, replaced, deleted, refused, and what stays. Needs no cluster, no credentials and no
    Pulumi CLI.

    [bold]rollout rehearse node-update[/bold]            every stage of each rollout in the stack
    [bold]rollout rehearse node-update --json[/bold]     the same for programs
    [bold]rollout rehearse node-update --moves all[/bold]  which moves are allowed, and why others are not
    [bold]rollout rehearse node-update --live[/bold]     on a cluster of real parts, while clients send requests
    """
    files = read_stacks(stacks)
    if live:
        from inference_rollouts.cli import rehearse_live as on_the_sandbox

        how = on_the_sandbox.How(requests, rate, moves is Moves.all, fault, report)
        document, clean = on_the_sandbox.rehearse(stacks, files, how, None if as_json else console())
        if as_json:
            print_json(document)
        if not clean:
            raise typer.Exit(3)
        return
    _refuse_what_needs_live(context)
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
    """List the accelerators of GKE: machine types, memory, how they can be bought, GKE version, price.

    Exit code 1 when there is none of that name.
    """
    from inference_rollouts.cli import accelerators as verb

    rows = verb.rows(pattern)
    if as_json:
        print_json(rows)
    elif rows:
        verb.render(rows, console())
    if pattern is not None and not rows:
        sys.stderr.write(f"{verb.nothing_found(pattern)}\n")
        raise typer.Exit(1)


@app.command()
def crds(
    stacks: Stacks,
    *,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check a file of CRDs, as kubectl get crds -o yaml prints them.")
    ] = None,
    print_names: Annotated[bool, typer.Option("--print", help="Only the names, for kubectl get crd.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which custom resource definitions a stack needs, and who installs them.

    [bold]kubectl get crds -o yaml > crds.yaml && rollout crds node-update --check crds.yaml[/bold]
    """
    from inference_rollouts import crds as needed
    from inference_rollouts.cli import crds as verb

    needs = needed.of_stacks([file.settings() for file in read_stacks(stacks)])
    documents = verb.read_documents(check) if check else []
    missing = needed.missing(needs, documents) if check else []
    if as_json:
        print_json({"needed": [asdict(need) for need in needs], "missing": missing if check else None})
        raise typer.Exit(3 if missing else 0)
    if print_names:
        sys.stdout.write(verb.plain(needs) + "\n")
        return
    verb.render(needs, console())
    if check:
        for note in needed.notes(needs, documents):
            console().print(f"note: {note}")
        for sentence in missing:
            sys.stderr.write(f"{check}: {sentence}\n")
        if missing:
            raise typer.Exit(3)
        console().print(f"{check}: all of them are there")
