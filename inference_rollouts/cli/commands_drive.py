"""Commands that drive Pulumi through the rungs; they need its CLI."""

from __future__ import annotations

from typing import Annotated

import typer

from inference_rollouts.cli.app import AsJson, OneStack, Which, app, console

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on without asking. Without it nothing is done in a pipe.")]
Interval = Annotated[str, typer.Option(metavar="1m", help="Time between two rounds of checks.")]
Failures = Annotated[int, typer.Option(min=1, help="Failing rounds in a row that count.")]


@app.command("run")
def run_rollout(
    stack: OneStack,
    service: Which = None,
    *,
    until: Annotated[str, typer.Option(metavar="STAGE", help="Where to end; retire has to be said.")] = "100",
    interval: Interval = "1m",
    failures: Failures = 2,
    patience: Annotated[
        str, typer.Option(metavar="30m", help="How long to wait for checks that do not pass yet, once a rung's time is over.")
    ] = "30m",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Drive a rollout up its rungs with pulumi up: preview, bake, checks, and back when a check fails.

    The stack file says the rung that is reached, whatever happens. Ctrl-C stops at a rung; once more cancels the update.

    [bold]rollout run node-update --until 50[/bold]
    """
    from inference_rollouts.cli import drive as verb

    patient = verb.patience(interval, failures, patience)
    verb.run(stack, service, until, patient, verb.How(console(), yes, as_json))


@app.command()
def watch(
    stack: OneStack,
    service: Which = None,
    *,
    duration: Annotated[str, typer.Option("--for", metavar="30m", help="How long.")] = "30m",
    interval: Interval = "1m",
    failures: Failures = 2,
    abort: Annotated[bool, typer.Option("--abort", help="Take the rollout back to prepare when checks keep failing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch the checks of a rollout at the rung where it stands. Exits 3 when they do not pass.

    [bold]rollout watch node-update --for 1h --abort[/bold]
    """
    from inference_rollouts.cli import drive as verb

    patient = verb.patience(interval, failures, "30m")
    verb.watch(stack, service, verb.seconds("--for", duration), patient, verb.How(console(), True, as_json), abort=abort)


@app.command()
def recover(stack: OneStack, yes: Yes = False, as_json: AsJson = False) -> None:
    """Sort out what a runner that died has left: lock, pending operations, and a file, a state and live weights that differ.

    Each step asks. It can be run again at any time.

    [bold]rollout recover node-update[/bold]
    """
    from inference_rollouts.cli import drive as verb

    verb.recover(stack, verb.How(console(), yes, as_json))
