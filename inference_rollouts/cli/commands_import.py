"""`rollout import`: takes over what exists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inference_rollouts.cli.app import AsJson, app, console
from inference_rollouts.settings.types import LOCATION

FILES = "Manifests: YAML or JSON files, folders of them, or - for stdin."


@app.command("import")
def import_(  # noqa: PLR0917 (typer calls it by name)
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE...", help=FILES)] = None,
    live: Annotated[bool, typer.Option("--live", help="Read the cluster instead of files.")] = False,
    context: Annotated[str | None, typer.Option(help="Context of your kubeconfig; default with --live: the current one.")] = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="With --live the namespace to read; else that of objects without one.")
    ] = "default",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Write Pulumi.STACK.yaml and import.STACK.json there.")
    ] = None,
    stack: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the stack; without -o the files go to the project's stacks.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(metavar="NAME", help="The GKE cluster, with --location.")] = None,
    location: Annotated[str | None, typer.Option(help="Its region or zone.")] = None,
    project: Annotated[str | None, typer.Option(help="Its Google Cloud project (gcp:project).")] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Write although something cannot be said; the exit code stays 1.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace files that stand already without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Describe what exists as a stack file, with the file for pulumi import and the steps. Changes nothing in the cluster.

    HTTPRoutes become services, the InferencePools behind them versions. A version is taken over whole where the program renders
    exactly what stands; else only the route is, and a version of our own is written beside it, to move to. What cannot be said is
    listed: then nothing is written, and the exit code is 1. Without --stack and -o the stack file is only shown.

    [bold]kubectl get httproute,inferencepool,deploy,svc,cm,hpa -o yaml | rollout import - --context my-context[/bold]
    [bold]rollout import --live -n serving --stack prod[/bold]
    """
    import re

    from inference_rollouts.cli.edit import How
    from inference_rollouts.cli.import_stack import Request, run

    if live == bool(files):
        raise typer.BadParameter("name files, or say --live; one of the two")
    if bool(cluster) != bool(location):
        raise typer.BadParameter("--cluster and --location belong together")
    if cluster and context and not live:
        raise typer.BadParameter("--cluster and --context both name the cluster of these files; give one of them")
    if location and not re.fullmatch(LOCATION, location):
        raise typer.BadParameter(f"--location {location} is no region or zone, as us-central1 or us-central1-a")
    if stack is not None and not re.fullmatch(r"[A-Za-z0-9._-]+", stack):
        raise typer.BadParameter(f"--stack {stack} is no name of a stack: letters, digits, -, _ and .")
    found = {"name": cluster, "location": location} if cluster else None
    wanted = Request(tuple(files or ()), live, context, namespace, output, stack, found, project, partial)
    run(wanted, How(console(), yes=yes, as_json=as_json))
