"""The `rollout` command. Errors in the input are sentences on stderr, never a traceback."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

gc.disable()  # loading modules makes no garbage worth a search, and the searches cost every start (benchmarks/start_up.py)

import typer  # noqa: E402

from inference_rollouts.cli.app import app  # noqa: E402
from inference_rollouts.cli.output import streams  # noqa: E402
from inference_rollouts.errors import InputError  # noqa: E402

gc.freeze()
gc.enable()

COMMANDS = {
    "commands_drive": ("run", "watch", "recover"),
    "commands_import": ("import",),
    "commands_move": ("start", "advance", "rollback", "finish"),
    "commands_pipeline": ("changed",),
    "commands_probe": ("probe",),
    "commands_sandbox": ("sandbox",),
    "commands_see": ("validate", "status", "history"),
    "commands_show": ("preview", "rehearse", "render", "schema", "accelerators", "crds"),
}
"""Which module has which verbs: only the one that is asked for is loaded, since each costs every start."""


def everything() -> typer.Typer:
    """The command with all its verbs, for those who list them."""
    for module in COMMANDS:
        _load(module)
    return app


def _load(module: str) -> None:
    import_module(f"inference_rollouts.cli.{module}")


def _load_for(arguments: list[str]) -> None:
    """The module of the verb; all of them for help, completion, and what is no verb."""
    verb = arguments[0] if arguments else ""
    found = [module for module, verbs in COMMANDS.items() if verb in verbs]
    if len(found) == 1 and "_ROLLOUT_COMPLETE" not in os.environ:
        _load(found[0])
    else:
        everything()


def run() -> None:
    """Entry point: problems in the input, and with stdout, become sentences and exit code 1."""
    with streams():
        _load_for(sys.argv[1:])
        try:
            app()
        except InputError as e:
            sys.stderr.write(f"{e}\n")
            sys.exit(1)


if __name__ == "__main__":
    run()
