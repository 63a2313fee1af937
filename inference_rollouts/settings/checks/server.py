"""Checks of a model server: what it lacks, and what contradicts the settings it follows from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference_rollouts.errors import Problem, named, path_of
from inference_rollouts.settings.model import Server
from inference_rollouts.settings.report import Place

OWN_FLAGS = {
    "--model": "comes from server.model; set that, and take this out",
    "--served-model-name": "comes from models of the service; set that, and take this out",
    "--port": "is always 8000; take it out",
    "--enable-lora": "comes from server.lora; set that, and take this out",
    "--no-enable-lora": "comes from server.lora; set that, and take this out",
    "--max-loras": "comes from server.lora.maxLoras; set that, and take this out",
    "--max-lora-rank": "comes from server.lora.maxRank; set that, and take this out",
}
"""vLLM flags that follow from other settings; a second one in `args` would contradict them."""

OWN_LABELS = ("app", "inference-rollouts/service", "inference-rollouts/version")
"""Pod labels by which Deployment, pool and guard find the pods."""


def server_problems(server: Server, at: Place, *, whole: bool) -> Iterator[Problem]:
    """Every problem of one server; what is missing only where it should be whole."""
    needed = ("model", "image") if server.engine == "vllm" else ("image",)
    for key in needed if whole else ():
        if getattr(server, key) is None:
            yield Problem(path_of(*at, key), f"is missing: {_MISSING[key]}")
    if problem := image_problem(server.image):
        yield Problem(path_of(*at, "image"), problem)
    if server.autoscaling and server.autoscaling.min > server.autoscaling.max:
        scale = server.autoscaling
        yield Problem(path_of(*at, "autoscaling", "min"), f"{scale.min} is more than max, {scale.max}")
    if server.engine == "openai" and server.lora:
        message = "adapters are loaded through vLLM's API, and engine openai has none; take it out, or use engine vllm"
        yield Problem(path_of(*at, "lora"), message)
    if server.engine == "vllm":
        yield from _own_flags(server, at)
    yield from _own_environment(server, at)
    for label in OWN_LABELS:
        if label in server.pod_labels:
            yield Problem(path_of(*at, "podLabels", label), "is set by this package, which finds its pods by it; take it out")


_MISSING = {
    "model": "the model to load, as meta-llama/Llama-3.1-8B-Instruct",
    "image": "the container image, as vllm/vllm-openai:v0.32.0",
}


def image_problem(image: str | None) -> str | None:
    """Why an image does not name one thing; None where it does."""
    if image is None:
        return None
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        return f"{named(image)} has no valid digest: sha256: and 64 hexadecimal digits"
    if not digest and not tag:
        return f"{named(image)} has no tag or digest; name one, so that every pod runs the same server"
    if not digest and tag == "latest":
        return f"{named(image)} means another image tomorrow; name a version or a digest, so that every pod runs the same server"
    return None


def _own_flags(server: Server, at: Place) -> Iterator[Problem]:
    for i, argument in enumerate(server.args):
        flag = argument.split("=")[0].replace("_", "-")
        if flag in OWN_FLAGS:
            yield Problem(path_of(*at, "args", i), f"{flag} {OWN_FLAGS[flag]}")


def _own_environment(server: Server, at: Place) -> Iterator[Problem]:
    if server.token_secret and "HF_TOKEN" in server.env:
        yield Problem(path_of(*at, "env", "HF_TOKEN"), "comes from server.tokenSecret; take one of the two out")
    if server.lora and "VLLM_ALLOW_RUNTIME_LORA_UPDATING" in server.env:
        yield Problem(path_of(*at, "env", "VLLM_ALLOW_RUNTIME_LORA_UPDATING"), "comes from server.lora; take it out")
