"""Commands for pipelines."""

from __future__ import annotations

from typing import Annotated

import typer

from inference_rollouts.cli.app import AsJson, app, console, print_json


@app.command()
def changed(
    base: Annotated[str, typer.Option(metavar="REF", help="What to compare with: a commit, branch or tag.")],
    as_json: AsJson = False,
) -> None:
    """List the stacks whose file differs from a base, and whether their rollouts go up or back; those that go back first.

    [bold]rollout changed --base origin/main[/bold]
    """
    from inference_rollouts.cli import changed as verb

    found = verb.changed(base)
    if as_json:
        print_json([stack.to_json() for stack in found])
    else:
        verb.render(found, base, console())
