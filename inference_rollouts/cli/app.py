"""What all commands share: the app, the kinds of arguments, and how they write.

Exit codes: 0 done, 1 problems in the input, 2 usage, 3 refused by a guard or not as it should be.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from inference_rollouts.cli.output import takes_every_character
from inference_rollouts.cli.project import complete_stack, open_stack, plan_of
from inference_rollouts.errors import InputError
from inference_rollouts.settings.stack_file import StackFile

app = typer.Typer(
    name="rollout",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Move live LLM traffic to new accelerators, base models and LoRA adapters, one stage at a time.\n\n"
    "STACK is a stack of the project in this folder or above it (node-update), or a path to a stack file "
    "(./my.yaml: it holds a / or ends in .yaml or .yml).",
    epilog="Start with: [bold]rollout rehearse node-update[/bold]",
)


@app.callback()
def _with_verbs() -> None:
    # Without it typer would take an app with one verb, as when only that one is loaded, for the verb itself.
    pass


Stacks = Annotated[list[str], typer.Argument(metavar="STACK...", help="Stack names or paths.", autocompletion=complete_stack)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, and nothing else.")]
OneStack = Annotated[str, typer.Argument(metavar="STACK", help="Stack name or path.", autocompletion=complete_stack)]
AnyStacks = Annotated[
    list[str] | None, typer.Argument(metavar="STACK", help="Default: all of the project.", autocompletion=complete_stack)
]
Which = Annotated[
    str | None,
    typer.Argument(metavar="SERVICE[/ADAPTER]", help="Which rollout; not needed when only one is under way."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Write without asking. Without it nothing is written in a pipe.")]


def console() -> Console:
    """A console that folds lines in a terminal only."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(document: Any) -> None:
    """A JSON document, and nothing else, on stdout; with escapes where its encoding lacks characters."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=not takes_every_character()) + "\n")


def read_stacks(stacks: list[str]) -> list[StackFile]:
    """The stack files and their settings; all problems of all of them at once."""
    problems, found = [], []
    for stack in stacks:
        try:
            file = open_stack(stack)
            plan_of(file)
            found.append(file)
        except InputError as e:
            problems += e.problems
    if problems:
        raise InputError(problems)
    return found
