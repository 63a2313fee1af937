"""A `pulumi` to put on PATH: the commands that the driver uses, with the scripted stack as their engine.

It speaks as the CLI does: arguments, exit codes, texts on stderr, and engine events over gRPC. What it cannot show is the real
engine; that is for the tests that run where the CLI is on PATH.

Environment: FAKE_PULUMI is a folder with script.json ({stack, project, file, fails, lock, slow}) and the state that it keeps.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(os.environ["FAKE_PULUMI"])
SCRIPT = json.loads((HOME / "script.json").read_text("utf-8"))
KEPT = ("state", "live", "outputs", "pending", "lock")


@dataclass(frozen=True)
class Arguments:
    """A command line."""

    words: list[str]

    def value(self, flag: str) -> str | None:
        return self.words[self.words.index(flag) + 1] if flag in self.words else None

    def values(self, flag: str) -> list[str]:
        return [self.words[i + 1] for i, word in enumerate(self.words) if word == flag]


def main(words: list[str]) -> int:
    with (HOME / "calls.jsonl").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(words) + "\n")
    if words == ["version"]:
        print(SCRIPT.get("version", "v3.259.0"))  # noqa: T201
        return 0
    arguments = Arguments([word for word in words if word != "--non-interactive"])
    if arguments.value("--stack") != SCRIPT["stack"]:
        return complain(f"no stack named '{arguments.value('--stack')}' found")
    return run(arguments)


def complain(text: str) -> int:
    sys.stderr.write(f"error: {text}\n")
    return 255


def answer(document: Any) -> int:
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


def run(arguments: Arguments) -> int:
    match arguments.words[:2]:
        case ["stack", "--stack"]:
            return 0
        case ["stack", "output"]:
            return answer({})
        case ["stack", "history"]:
            began = "2026-11-24T12:00:00.000Z"
            update = {"kind": "update", "startTime": began, "message": "", "environment": {}, "config": {}}
            return answer([{**update, "result": "succeeded"}])
    stack = opened()
    try:
        return on_stack(stack, arguments)
    finally:
        kept = {name: getattr(stack, name) for name in KEPT}
        (HOME / "state.pickle").write_bytes(pickle.dumps(kept))


def opened() -> Any:
    from tests.drive.scripted import ScriptedStack

    stack = ScriptedStack(Path(SCRIPT["project"]), SCRIPT["stack"], Path(SCRIPT["file"]), fails=SCRIPT.get("fails", {}))
    state = HOME / "state.pickle"
    for name, value in pickle.loads(state.read_bytes()).items() if state.is_file() else ():
        setattr(stack, name, value)
    stack.lock = SCRIPT.get("lock") or stack.lock

    def tick(point: str) -> None:
        if point.startswith("begins"):
            (HOME / "begins").touch()
            time.sleep(SCRIPT.get("slow", 0))

    stack.tick = tick
    signal.signal(signal.SIGINT, lambda *_: stack.interrupt())
    return stack


def on_stack(stack: Any, arguments: Arguments) -> int:
    match arguments.words[0]:
        case "stack":
            return answer(stack.export())
        case "cancel":
            stack.lock = None
            (HOME / "script.json").write_text(json.dumps({**SCRIPT, "lock": None}), "utf-8")
            return 0
        case "refresh":
            if stack.lock:
                return complain(stack.lock)
            stack.refresh(arguments.values("--target"), clear_pending_creates="--clear-pending-creates" in arguments.words)
            return 0
    config = Path(str(arguments.value("--config-file")))
    if arguments.words[0] == "preview":
        return ended(stack.preview(config), arguments, stack)
    stack.file = config
    (HOME / "up.begun").touch()
    return ended(stack.up("", lambda _: None), arguments, stack)


def ended(update: Any, arguments: Arguments, stack: Any) -> int:
    if update.ended == "locked":
        return complain("\n".join(update.reasons))
    tell(arguments.value("--event-log"), list(events(update, stack)))
    return 0 if update.done else complain("update failed")


def events(update: Any, stack: Any) -> Iterator[dict[str, Any]]:
    for operation in update.operations:
        if operation.op != "refuse":
            yield {"resourcePreEvent": {"metadata": step(operation, stack)}}
    said = "\n".join(update.reasons)
    if update.ended == "refused":
        said = f'before hook "llm.guard" failed: {said}'
    if said:
        yield {"diagnosticEvent": {"message": f"<{{%reset%}}>{said}<{{%reset%}}>\n", "severity": "error"}}
        yield {"diagnosticEvent": {"message": "<{%reset%}>update failed<{%reset%}>\n", "severity": "error"}}
    yield {"summaryEvent": {"durationSeconds": 1, "resourceChanges": {}}}
    yield {"cancelEvent": {}}


def step(operation: Any, stack: Any) -> dict[str, Any]:
    registration = stack.state[operation.urn].registration if operation.urn in stack.state else None
    inputs = dict(registration.inputs) if registration else {"metadata": {"name": operation.object}}
    side = {"urn": operation.urn, "type": operation.type, "custom": True, "protect": operation.protected, "inputs": inputs}
    diff = {path: {"diffKind": "update"} for path in operation.diff}
    return {"op": operation.op, "urn": operation.urn, "type": operation.type, "old": side, "new": side, "detailedDiff": diff}


def tell(address: str | None, told: list[dict[str, Any]]) -> None:
    if address is None:
        return
    import grpc
    from pulumi.runtime.proto import events_pb2, events_pb2_grpc

    numbered = ({"sequence": i, "timestamp": 0, **event} for i, event in enumerate(told))
    with grpc.insecure_channel(address.removeprefix("tcp://")) as channel:
        stub = events_pb2_grpc.EventsStub(channel)
        stub.StreamEvents(events_pb2.EventRequest(event=json.dumps(event)) for event in numbered)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
