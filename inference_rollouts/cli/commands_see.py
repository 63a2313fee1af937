"""Commands that look and change nothing."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from inference_rollouts.cli.app import AnyStacks, AsJson, OneStack, Stacks, app, console, print_json
from inference_rollouts.cli.project import open_stack, plan_of
from inference_rollouts.errors import InputError


class Page(StrEnum):
    """How status is shown."""

    text = "text"
    markdown = "markdown"


@app.command()
def validate(stacks: Stacks, as_json: AsJson = False) -> None:
    """Check stack files: every problem at once, each with its file, line, path and what is allowed."""
    problems, sound = [], []
    for stack in stacks:
        try:
            file = open_stack(stack)
            plan_of(file)
            sound.append(str(file.path))
        except InputError as e:
            problems += e.problems
    if as_json:
        print_json({"sound": sound, "problems": [asdict(problem) for problem in problems]})
        raise typer.Exit(1 if problems else 0)
    for path in sound:
        console().print(f"{path}: no problems", markup=False)
    if problems:
        raise InputError(problems)


@app.command()
def status(
    stacks: AnyStacks = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All stacks of the project, as without STACK.")] = False,
    page: Annotated[Page, typer.Option("--format", help="markdown: one page of what runs where.")] = Page.text,
    live: Annotated[bool, typer.Option("--live", help="Read the clusters, and the metrics where checks are configured.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="With --live: exit code 3 when a cluster is not as its file, or what has traffic is not ready."
        ),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="With --live: again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="With --watch: how often to look.")] = 10,
    as_json: AsJson = False,
) -> None:
    """See where every rollout stands: versions, weights, stage and next rung, what is protected. From the stack files alone.

    With --live also what the clusters have: the stage that the live weights stand at ([italic]unknown[/italic] when they are on
    no rung), since when and by whom, what is not ready, what the checks say.

    [bold]rollout status node-update[/bold]                  the file, and the kubectl line of an emergency rollback
    [bold]rollout status node-update --live --watch[/bold]   beside it the cluster, refreshed
    [bold]rollout status --all --live --check[/bold]         for a pipeline
    """
    from inference_rollouts.cli import status as verb

    if every and stacks:
        raise typer.BadParameter("--all takes no STACK")
    if (check or watch) and not live:
        raise typer.BadParameter("--check and --watch look at the cluster: add --live")
    if live:
        _live(stacks or [], page, check=check, watch=interval if watch else None, as_json=as_json)
        return
    standings, problems = verb.read_all(stacks or [])
    if as_json:
        verb.print_documents(stacks or [], [verb.as_json(standing) for standing in standings])
    elif page is Page.markdown:
        sys.stdout.write(verb.markdown(standings))
    else:
        verb.render(standings, console())
    if problems:
        raise InputError(problems)


def _live(stacks: list[str], page: Page, *, check: bool, watch: float | None, as_json: bool) -> None:
    if page is Page.markdown:
        raise typer.BadParameter("--format markdown is a page of the stack files: leave --live out")
    if as_json and watch is not None:
        raise typer.BadParameter("--json is one document, and --watch goes on: leave one of them out")
    # What talks to a cluster is loaded only where a cluster is asked.
    from inference_rollouts.cli import status_live as verb

    if watch is not None:
        verb.watch(stacks, console(), watch, check=check)
    else:
        verb.show(stacks, console(), as_json=as_json, check=check)


@app.command()
def history(stack: OneStack, as_json: AsJson = False) -> None:
    """See the stage changes of a stack file from Git: who, when, why; newest first."""
    from inference_rollouts.cli import history as verb

    found = verb.history(stack)
    if as_json:
        print_json(verb.as_json(found))
    else:
        verb.render(found, console())
