"""vLLM's command line: what follows from the settings, rendered once; what is given already is left alone."""

from __future__ import annotations

import re

from inference_rollouts.manifests.server_args import ModelServerArgs

PORT = 8000
SHUTDOWN_TIMEOUT_SINCE = (0, 18, 0)
"""First vLLM with --shutdown-timeout (vllm#34730); an older one would not start with it."""


def vllm_version(image: str) -> tuple[int, ...] | None:
    """The vLLM version that an image's tag names, or None where it does not say."""
    found = re.search(r"vllm[^:@]*:v?(\d+)\.(\d+)\.(\d+)(?![\d.])", image)
    return tuple(map(int, found.groups())) if found else None


def knows_shutdown_timeout(image: str) -> bool:
    """Whether the image is known to take --shutdown-timeout."""
    version = vllm_version(image)
    return version is not None and version >= SHUTDOWN_TIMEOUT_SINCE


def accelerators_of_pod(args: ModelServerArgs) -> int:
    """Accelerators that one pod takes: the node's, unless `resources` says otherwise."""
    for kind in ("limits", "requests"):
        wanted = ((args.resources or {}).get(kind) or {}).get(args.accelerator_resource or "")
        if wanted is not None:
            return int(wanted)
    return args.accelerators if args.accelerator_resource else 0


def tensor_parallel_size(args: ModelServerArgs) -> int:
    """vLLM's --tensor-parallel-size: the devices in the accelerators that the pod takes; 0 without any."""
    taken = accelerators_of_pod(args)
    return taken * args.devices // args.accelerators if args.accelerators else taken


def command_args(args: ModelServerArgs) -> list[str]:
    """The server's arguments; what `args` already has is not rendered a second time."""
    if args.engine != "vllm":
        return list(args.args)
    own: dict[str, list[str]] = {
        "--model": [args.model or ""],
        "--served-model-name": list(args.models),
        "--port": [str(PORT)],
    }
    if size := tensor_parallel_size(args):
        own["--tensor-parallel-size"] = [str(size)]
    if knows_shutdown_timeout(args.image):
        own["--shutdown-timeout"] = [str(args.longest_request)]
    if args.lora:
        own |= {"--enable-lora": [], "--max-loras": [str(args.max_loras)], "--max-lora-rank": [str(args.max_rank)]}
    given = {arg.split("=")[0] for arg in args.args} | ({"--tensor-parallel-size"} if "-tp" in args.args else set())
    rendered = [word for flag, values in own.items() if flag not in given for word in (flag, *values)]
    return rendered + list(args.args)
