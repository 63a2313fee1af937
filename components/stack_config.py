"""The stack config as a mapping: from `pulumi.Config`, with every key of the project, also those that nobody expects."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi.runtime import config as runtime_config

from inference_rollouts.settings import PROJECT


def stack_config(project: str = PROJECT) -> dict[str, Any]:
    """The project's own config keys to their values; objects arrive as JSON text.

    `pulumi.Config` cannot list its keys, and a misspelt key must not be ignored: so the keys are read where it reads them.

    Raises:
        pulumi.RunError: when a value is no JSON.
    """
    given = {**pulumi.runtime.get_config_env(), **runtime_config.CONFIG.get()}
    prefix = f"{project}:"
    return {key.removeprefix(prefix): _value(text) for key, text in given.items() if key.startswith(prefix)}


def _value(text: Any) -> Any:
    if not isinstance(text, str) or not text:
        return text or None
    try:
        return json.loads(text)
    except ValueError:
        return text
