"""`rollout sandbox`: a local cluster of real parts, on which a rollout is tried under real traffic."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from inference_rollouts.cli.app import AsJson, app, print_json
from inference_rollouts.errors import allowed, named

sandbox_app = typer.Typer(
    name="sandbox",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="A local cluster of real parts, without containers: the place to try a rollout under real traffic.",
    epilog="Start with: [bold]rollout sandbox up[/bold]",
)
app.add_typer(sandbox_app)

Part = Annotated[str, typer.Argument(metavar="PART", help="A part, as rollout sandbox status names it.")]


class Gateway(StrEnum):
    """Who answers for the Gateway."""

    gke = "gke"
    istio = "istio"


Which = Annotated[Gateway, typer.Option(help="gke: Envoy with a controller that behaves like GKE's; istio: Envoy with istiod.")]


@sandbox_app.command()
def up(gateway: Which = Gateway.gke) -> None:
    """Bring the sandbox up, or start again what is down of it. Returns when all parts are ready; they run until down.

    The first time, the parts are built, which needs Go. Ctrl-C leaves nothing behind.
    """
    from sandbox import control, show
    from sandbox.home import Home

    home = Home.default()
    with _sentences(lambda: show.interrupted(home)):
        show.up(home, control.up(home, gateway.value, show.Progress()))


@sandbox_app.command()
def build(gateway: Which = Gateway.gke) -> None:
    """Build the parts that are not built yet, and start nothing; up does it by itself."""
    from sandbox import binaries, show

    with _sentences():
        binaries.build(binaries.programs(gateway.value), show.Progress().builds)
    sys.stdout.write("the parts are built\n")


@sandbox_app.command()
def down() -> None:
    """End all parts and remove their data. The logs stay until the next up."""
    from sandbox import control, show
    from sandbox.home import Home

    with _sentences():
        ended = control.down(Home.default(), show.Progress())
    sys.stdout.write("the sandbox is down\n" if ended else "the sandbox was not up: nothing to do\n")


@sandbox_app.command()
def status(as_json: AsJson = False) -> None:
    """Every part and how it is. Exit code 3 when one of them, or the whole sandbox, is not as it should be."""
    from sandbox import control, show
    from sandbox.home import Home, SandboxError

    home = Home.default()
    try:
        parts = control.status(home)
    except SandboxError as e:
        if as_json:
            print_json({"up": False, "well": False, "problem": str(e)})
            raise typer.Exit(3) from e
        _fail(e)
    if as_json:
        print_json(show.as_json(home, home.running(), parts))
    else:
        show.status(home.running(), parts)
        for problem in show.problems(home, parts):
            sys.stderr.write(f"{problem}\n")
    if any(part["status"] not in control.FINE for part in parts):
        raise typer.Exit(3)


@sandbox_app.command()
def logs(
    part: Part,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
) -> None:
    """What a part has written; also after down."""
    from sandbox import show
    from sandbox.home import Home

    home = Home.default()
    _one_of(part, sorted(path.stem for path in home.logs.glob("*.log")))
    with _sentences():
        for line in show.logs(home, part, lines, follow):
            sys.stdout.write(f"{line}\n")


@sandbox_app.command()
def stop(part: Part) -> None:
    """End one part and leave it down, to see what that does to a rollout. up starts it again."""
    from sandbox import control
    from sandbox.home import Home

    home = Home.default()
    with _sentences():
        _one_of(part, [str(found["part"]) for found in control.status(home)])
        control.stop(home, part)
    sys.stdout.write(f"{part} is stopped; rollout sandbox start {part} starts it again\n")


@sandbox_app.command()
def start(part: Part) -> None:
    """Start one part that is down."""
    from sandbox import control

    _and_ready(part, control.start)


@sandbox_app.command()
def restart(part: Part) -> None:
    """End one part and start it again."""
    from sandbox import control

    _and_ready(part, control.restart)


def _and_ready(part: str, change: Callable[..., dict[str, object]]) -> None:
    from sandbox import control, show
    from sandbox.home import Home

    home = Home.default()
    with _sentences():
        _one_of(part, [str(found["part"]) for found in control.status(home)])
        found = change(home, part)
    if found["status"] not in control.FINE:
        sys.stderr.write("\n".join(show.problems(home, [found])) + "\n")
        raise typer.Exit(3)
    sys.stdout.write(f"{part} is ready after {found['seconds']} s\n")


def _one_of(part: str, known: Sequence[str]) -> None:
    """Refuse a part that there is not; where none is known, that is for others to say."""
    if known and part not in known:
        raise typer.BadParameter(f"{named(part)} is no part{allowed(part, known)}", param_hint="PART")


@contextmanager
def _sentences(interrupted: Callable[[], str] = lambda: "interrupted") -> Iterator[None]:
    """What is not as it should be is a sentence on stderr, and exit code 3; Ctrl-C is 130, as in any shell."""
    from sandbox.home import SandboxError

    try:
        yield
    except SandboxError as e:
        _fail(e)
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{interrupted()}\n")
        raise typer.Exit(130) from None


def _fail(problem: Exception) -> NoReturn:
    sys.stderr.write(f"{problem}\n")
    raise typer.Exit(3) from problem
