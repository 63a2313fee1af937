"""A model server's command line, taken apart: which flags follow from other settings, and what is left."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts.takeover.shapes import part, texts

SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash")
OWN = ("--model", "--served-model-name", "--port", "--enable-lora", "--max-loras", "--max-lora-rank")
"""Flags that other settings say; `args` may not have them (settings/checks/server.py)."""

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


@dataclass(frozen=True)
class CommandLine:
    """What a server is told.

    Attributes:
        engine: vllm, or openai for any other server.
        model: the model it loads.
        names: the model names it answers to, as far as the flags say so.
        port: where it listens, as far as the flags say so.
        lora: maxLoras and maxRank, where adapters are on.
        adapters: names of the adapters that it loads by itself (--lora-modules).
        rest: all other words, in their order.
    """

    engine: str
    model: str | None = None
    names: tuple[str, ...] = ()
    port: int | None = None
    lora: Mapping[str, int] | None = None
    adapters: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def words_of(container: Mapping[str, Any]) -> list[str]:
    """Command and arguments as words; those of a shell's -c too."""
    command, args = texts(container.get("command")), texts(container.get("args"))
    whole = command + args
    if whole[:1] and whole[0] in SHELLS and "-c" in whole[:3]:
        script = whole[whole.index("-c") + 1 :]
        try:
            return shlex.split(script[0].replace("\\\n", " "), comments=True) if script else []
        except ValueError:
            return []
    return whole


def read(container: Mapping[str, Any]) -> CommandLine:
    """The command line of a container."""
    words = words_of(container)
    vllm = "vllm" in str(container.get("image")).lower() or any("vllm" in word for word in words[:4])
    if not vllm:
        return CommandLine("openai", names=_values(words, "--served-model-name"), rest=tuple(texts(container.get("args"))))
    positional, words = _after_command(words)
    flags = _flags(words)
    given = {flag: values for flag, values in flags if flag}
    model = next(iter(given.get("--model", ())), None) or positional
    rest = [word for flag, values in flags if flag not in OWN for word in _written(words, flag, values)]
    return CommandLine(
        engine="vllm",
        model=model,
        names=given.get("--served-model-name", (model,) if model else ()),
        port=_number(given.get("--port")),
        lora=_lora(given) if "--enable-lora" in given else None,
        adapters=tuple(map(_adapter, given.get("--lora-modules", ()))),
        rest=tuple(rest),
        given=given,
    )


def _after_command(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The model that `vllm serve` takes as a word, and everything behind the command."""
    listed = list(words)
    if "serve" in listed[:3]:
        at = listed.index("serve") + 1
        if at < len(listed) and not listed[at].startswith("-"):
            return listed[at], listed[at + 1 :]
        return None, listed[at:]
    first = next((i for i, word in enumerate(listed) if word.startswith("--")), len(listed))
    return None, listed[first:]


def _flags(words: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Each flag with its values, in order."""
    out: list[tuple[str, tuple[str, ...]]] = []
    for word in words:
        if word.startswith("-") and not word[1:2].isdigit():
            flag, equals, value = word.partition("=")
            out.append((flag, (value,) if equals else ()))
        elif out:
            out[-1] = (out[-1][0], (*out[-1][1], word))
        else:
            out.append(("", (word,)))
    return out


def _written(words: Sequence[str], flag: str, values: Sequence[str]) -> Iterable[str]:
    joined = f"{flag}={values[0]}" if values else flag
    if values and joined in words:
        return (joined, *values[1:])
    return (flag, *values) if flag else values


def _values(words: Sequence[str], flag: str) -> tuple[str, ...]:
    return next((values for name, values in _flags(words) if name == flag), ())


def _adapter(word: str) -> str:
    """The name in NAME=PATH, or in a JSON object; else the word.

    >>> _adapter("a=/adapters/a"), _adapter('{"name": "b", "path": "/adapters/b"}')
    ('a', 'b')
    """
    try:
        return str(part(json.loads(word)).get("name", word))
    except ValueError:
        return word.partition("=")[0]


def _number(values: Sequence[str] | None) -> int | None:
    return int(values[0]) if values and values[0].isdigit() else None


def _lora(given: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """vLLM's own defaults are one adapter and rank 16."""
    rank = _number(given.get("--max-lora-rank")) or 16
    return {"maxLoras": _number(given.get("--max-loras")) or 1, "maxRank": next((r for r in RANKS if r >= rank), RANKS[-1])}
