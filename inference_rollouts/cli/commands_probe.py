"""The command that sends test requests."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from inference_rollouts.cli.app import AsJson, OneStack, app, console


class Skip(StrEnum):
    """What a probe may leave out."""

    chat = "chat"
    completion = "completion"
    stream = "stream"
    models = "models"


@app.command()
def probe(
    stack: OneStack,
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="Default: each that has rollout.test and a canary.")
    ] = None,
    *,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Send here, and not to the Gateway's own address.")] = None,
    requests: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Warm-up requests in a round; default: 4 by pod, at least 8.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="For one whole answer.")] = 60,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="'NAME: VALUE'", help="Sent too. VALUE may hold @FILE or ${VARIABLE}; it is never shown."),
    ] = None,
    cacert: Annotated[Path | None, typer.Option(metavar="FILE", help="CAs to trust, as PEM.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not verify the certificate: anybody may answer.")] = False,
    skip: Annotated[list[Skip] | None, typer.Option(help="Leave out what the servers do not speak.")] = None,
    no_evidence: Annotated[
        bool, typer.Option("--no-evidence", help="Only test what is deployed; write nothing to the route.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send test requests to a canary through the Gateway, by the header of rollout.test, and warm its servers.

    Every model and adapter by chat, completion and stream, then warm-up requests until every pod has answered. When all of it
    passes, that is written to the live route (an annotation), where the guard looks for it before the first raise, if
    rollout.test.required says so. Exits 3 when something did not pass.

    [bold]rollout probe node-update[/bold]
    [bold]rollout probe node-update llm --header 'Authorization: Bearer @token'[/bold]
    """
    from inference_rollouts.cli import probe as verb

    given = verb.given(url, header or [], cacert, insecure=insecure)
    asked = verb.Asked(
        given=given,
        requests=requests,
        timeout=timeout,
        skip=frozenset(str(one) for one in skip or ()),
        evidence=not no_evidence,
    )
    verb.probe(stack, service, asked, None if as_json else console())
