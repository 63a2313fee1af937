"""Commands that move a rollout, by editing its stack file."""

from __future__ import annotations

from typing import Annotated

import typer

from inference_rollouts.cli.app import AsJson, OneStack, Which, Yes, app, console


@app.command()
def start(
    stack: OneStack,
    service: Annotated[str, typer.Argument(metavar="SERVICE[/ADAPTER]", help="What to roll out.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help="The version to go to.")],
    steps: Annotated[str | None, typer.Option(metavar="1,10,50,100", help="Weights; default: 1,10,25,50,100.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Begin a rollout: write it to the stack file, at prepare.

    [bold]rollout start node-update llm --to llm-new[/bold]
    """
    from inference_rollouts.cli import edit as verb

    verb.start(stack, service, to, verb.numbers(steps), verb.How(console(), yes, as_json))


@app.command()
def advance(
    stack: OneStack,
    service: Which = None,
    *,
    to: Annotated[
        str | None, typer.Option("--to", metavar="STAGE", help="Another stage than the next; also one further down.")
    ] = None,
    if_ready: Annotated[
        bool,
        typer.Option("--if-ready", help="Only when all that pulumi up would ask passes now; else say why not, exit code 3."),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Move a rollout one rung up: edit the one line of the stack file, show the diff, ask, say what comes next.

    [bold]rollout advance node-update[/bold]
    [bold]rollout advance node-update --if-ready --yes[/bold]   for a scheduler: when the bake is over and the checks pass
    """
    from inference_rollouts.cli import edit as verb

    verb.advance(stack, service, to, verb.How(console(), yes, as_json), if_ready=if_ready)


@app.command()
def rollback(
    stack: OneStack,
    service: Which = None,
    now: Annotated[
        bool, typer.Option("--now", help="Break-glass: write the live weights at once, without Pulumi; then the file.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give the old version all the traffic again: write prepare (from retire: 100) to the stack file.

    With --now the weights in the cluster come first: it takes the right to get and patch the route (for an adapter: its splits),
    and no Pulumi CLI, lock or pull request. Then the file, and what brings Pulumi's state along.

    [bold]rollout rollback node-update[/bold]         by a pull request and pulumi up
    [bold]rollout rollback node-update --now[/bold]   at once
    """
    if now:
        from inference_rollouts.cli import now as at_once
        from inference_rollouts.cli.edit import How

        at_once.rollback_now(stack, service, How(console(), yes, as_json))
        return
    from inference_rollouts.cli import edit as verb

    verb.rollback(stack, service, verb.How(console(), yes, as_json))


@app.command()
def finish(stack: OneStack, service: Which = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """End a rollout that stands at retire: the new version serves, the old one and the rollout leave the stack file.

    [bold]rollout finish node-update[/bold]
    """
    from inference_rollouts.cli import edit as verb

    verb.finish(stack, service, verb.How(console(), yes, as_json))
