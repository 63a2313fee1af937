"""The private network and PID namespaces in which all parts run.

The network has only the loopback device, on which every address of POD_NETWORK is local: pods get addresses that cannot
be reached from outside, and nothing in it can reach out. The PID namespace ends with its first process, the supervisor: no
part outlives it, whatever ends it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

from sandbox.home import SandboxError

POD_NETWORK = "10.77.0.0/16"
NODE_ADDRESS = "10.77.0.1"
"""The address of the machine itself in POD_NETWORK; no pod has it."""

_UNSHARE = ["unshare", "--net", "--pid", "--fork", "--kill-child=KILL"]
_ROOTLESS = ["--user", "--map-root-user"]

# ioctls of <linux/sockios.h>
_SET_FLAGS, _SET_ADDRESS, _SET_MASK = 0x8914, 0x8916, 0x891C
_UP_AND_RUNNING = 0x41


def command() -> tuple[list[str], bool]:
    """What starts a program in namespaces of its own, and whether that takes a user namespace.

    Raises:
        SandboxError: this machine does not allow it.
    """
    if not sys.platform.startswith("linux"):
        raise SandboxError("the sandbox needs Linux: its parts run in network and PID namespaces; use a Linux machine or VM")
    for tool in ("unshare", "nsenter"):
        if not shutil.which(tool):
            raise SandboxError(f"the sandbox needs {tool}, which is not on PATH; install the package util-linux")
    said = ""
    for rootless in (False, True)[os.geteuid() != 0 :]:
        way = _UNSHARE + (_ROOTLESS if rootless else [])
        done = subprocess.run([*way, "true"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return way, rootless
        said = " ".join(done.stderr.split())
    raise SandboxError(
        f"the sandbox needs network and PID namespaces, which this machine does not allow ({said}); "
        "run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces, "
        "kernel.apparmor_restrict_unprivileged_userns=0; in a container: --privileged)"
    )


def enter(pid: int, rootless: bool) -> list[str]:
    """What runs a program in the network of a supervisor."""
    user = ["--user", "--preserve-credentials"] if rootless else []
    return ["nsenter", f"--target={pid}", "--net", *user, "--"]


def set_up_loopback() -> None:
    """Bring up the loopback device of a new network namespace, with every address of POD_NETWORK."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        for device, address, mask in (("lo", "127.0.0.1", "255.0.0.0"), ("lo:1", NODE_ADDRESS, "255.255.0.0")):
            fcntl.ioctl(asks, _SET_ADDRESS, _request(device, address))
            fcntl.ioctl(asks, _SET_MASK, _request(device, mask))
            fcntl.ioctl(asks, _SET_FLAGS, struct.pack("16sh14x", device.encode(), _UP_AND_RUNNING))


def _request(device: str, address: str) -> bytes:
    """A struct ifreq that holds a sockaddr_in."""
    return struct.pack("16sHH4s8x", device.encode(), socket.AF_INET, 0, socket.inet_aton(address))
