"""Stack files as people write them: comments, quotes, braces or blocks, anchors, line ends; the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

NAMES = ("llm", "chat", "prod-a", "v2")
COMMENTS = ("# stage: 10", "# note", "#", "# {a: b}, [c]", '# it\'s "quoted" & *odd*')


def stack_text(seed: int, *, stage: Any = "prepare", steps: tuple[int, ...] = (1, 10, 50, 100)) -> bytes:
    """A stack file with one pool rollout at a stage; without one where the stage is None."""
    return _Writer(seed).file(stage, steps)


class _Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.anchors = 0
        self.spaced = self.chance(0.5)
        self.step = self.random.choice((2, 2, 4))
        self.quotes = {key: self.random.choice(("", "'", '"')) for key in ("to", "stage")}
        self.shared: dict[str, str] = {}

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def file(self, stage: Any, steps: tuple[int, ...]) -> bytes:
        config = self.config(stage, steps)
        lines = ["# head", "", *self.map({"config": config}, 0)]
        if self.chance(0.3):
            lines[1:1] = ["encryptionsalt: v1:abc=  # from Pulumi"]
        if self.chance(0.3):
            lines += ["", "# tail"]
        newline = self.random.choice(("\n", "\n", "\r\n"))
        text = newline.join(lines) + self.random.choice((newline, newline, "", newline * 3))
        return (b"\xef\xbb\xbf" if self.chance(0.2) else b"") + text.encode()

    def config(self, stage: Any, steps: tuple[int, ...]) -> dict[str, Any]:
        prefix = "" if self.chance(0.15) else "inference-rollouts:"
        rollout = {"to": "llm-new", "steps": list(steps), "stage": stage} if stage is not None else None
        services = {"llm": self.service("llm", rollout)}
        if self.chance(0.4):
            services["other"] = self.service("other", None)
        config = {
            "gcp:project": "my-project",
            f"{prefix}cluster": {"name": "my-cluster", "location": "us-central1"},
            f"{prefix}gateway": {"name": "my-gateway"},
            f"{prefix}services": self.shuffled(services),
        }
        return self.shuffled(config)

    def shuffled(self, value: dict[str, Any]) -> dict[str, Any]:
        items = list(value.items())
        self.random.shuffle(items)
        return dict(items)

    def service(self, name: str, rollout: dict[str, Any] | None) -> dict[str, Any]:
        nodes = {"accelerator": "nvidia-l4", "machineType": "g2-standard-12", "zones": ["us-central1-a", "us-central1-b"]}
        server = {
            "model": "acme/Llama",
            "image": "vllm/vllm-openai:v0.32.0",
            "args": ["--seed=1"],
            "env": {"A": "it's", "B": "x: y"},
        }
        new: dict[str, Any] = {"like": name, "nodes": {"accelerator": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g"}}
        if self.chance(0.5):
            new["server"] = {"replicas": 2}
        versions = {name: {"nodes": nodes, "server": server}, f"{name}-new": new}
        if self.chance(0.3):
            versions[f"{name}-third"] = {"like": self.random.choice(list(versions)), "server": {"replicas": 3}}
        service: dict[str, Any] = {"models": [name], "serving": name, "versions": self.shuffled(versions)}
        if self.chance(0.3):
            service["longestRequest"] = "60s"
        if name != "llm":
            service["route"] = {"hostnames": [f"{name}.example.com"]}
        if rollout:
            service["rollout"] = rollout if self.chance(0.5) else self.shuffled(rollout)
        return self.shuffled(service)

    # --- text ---------------------------------------------------------------------------------------------------------

    def map(self, value: Mapping[str, Any], indent: int, *, flow: float = 0.0, merge: str = "") -> list[str]:
        lines = [" " * indent + merge] if merge else []
        for key, inner in value.items():
            if self.chance(0.12):
                lines += [" " * indent + self.random.choice(COMMENTS)]
            if self.chance(0.06):
                lines += [""]
            lines += self.pair(key, inner, indent, flow)
        return lines

    def pair(self, key: str, value: Any, indent: int, flow: float) -> list[str]:
        head = " " * indent + self.scalar(key, key=True) + ":"
        deeper = flow + (0.12 if key != "config" else 0.0)
        if isinstance(value, dict) and not self.chance(deeper):
            merge, anchor = self.sharing(key)
            inside = self.map(value, indent + self.step, flow=deeper, merge=merge)
            return [head + anchor + self.trailing(), *inside]
        if isinstance(value, list) and key != "zones" and self.chance(0.4):
            dash = indent + self.random.choice((0, self.step))
            return [head + self.trailing(), *(" " * dash + f"- {self.scalar(item)}" for item in value)]
        space = self.random.choice((" ", " ", "  "))
        return [f"{head}{space}{self.inline(value, key)}{self.trailing()}"]

    def sharing(self, key: str) -> tuple[str, str]:
        """What a server merges of one before it, and the anchor on a map."""
        if key == "server" and key in self.shared:
            return (f"<<: *{self.shared[key]}", "") if self.chance(0.7) else ("", "")
        if key == "server" and self.chance(0.4):
            anchor = self.anchor()
            self.shared[key] = anchor.strip(" &")
            return "", anchor
        return "", self.anchor() if self.chance(0.05) else ""

    def anchor(self) -> str:
        self.anchors += 1
        return f" &a{self.anchors}"

    def trailing(self) -> str:
        return f"{self.random.choice((' ', '   '))}{self.random.choice(COMMENTS)}" if self.chance(0.15) else ""

    def inline(self, value: Any, key: str) -> str:
        anchor = self.anchor().lstrip() + " " if self.chance(0.05) else ""
        if isinstance(value, dict):
            inside = [
                f"{self.scalar(inner_key, key=True)}: {self.inline(inner, inner_key)}" for inner_key, inner in value.items()
            ]
            comma = ", " if self.chance(0.9) else " , "
            text = comma.join(inside) + (", " if self.chance(0.1) else "")
            return anchor + (f"{{ {text} }}" if self.spaced else f"{{{text}}}")
        if isinstance(value, list):
            return self.list(value, key, anchor)
        return anchor + self.scalar(value, quote=self.quotes.get(key))

    def list(self, value: list[Any], key: str, anchor: str) -> str:
        """The zones are one list under an anchor, now and then."""
        if key == "zones" and key in self.shared and self.chance(0.6):
            return f"*{self.shared[key]}"
        if key == "zones" and key not in self.shared and self.chance(0.3):
            anchor = self.anchor().lstrip() + " "
            self.shared[key] = anchor.strip(" &")
        return f"{anchor}[{', '.join(self.scalar(item) for item in value)}]"

    def scalar(self, value: Any, *, key: bool = False, quote: str | None = None) -> str:
        if not isinstance(value, str):
            return str(value)
        style = quote if quote is not None else self.random.choice(("", "", "", "'", '"') if not key else ("",) * 9 + ("'", '"'))
        if style == "'" or (style == "" and (": " in value or "'" in value)):
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value) if style == '"' else value
