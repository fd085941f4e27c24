"""``python tests/support/offline.py COMMAND...`` runs a command without a network, with a loopback device of its own.

The command replaces this program, so that a signal to it reaches the command. On a machine that gives no network
namespace the exit status is ``UNABLE``.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

UNABLE = 77
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def leave_the_network() -> None:
    """Go where there is only a loopback device, and switch that on."""
    user, group = os.getuid(), os.getgid()
    if user:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    else:
        _unshare(_CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _unshare(flags: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def able() -> bool:
    """Whether this machine lets a command run without a network."""
    words = [sys.executable, __file__, sys.executable, "-c", ""]
    return sys.platform == "linux" and subprocess.run(words, check=False).returncode == 0


if __name__ == "__main__":
    try:
        leave_the_network()
    except OSError as error:
        print(f"no network namespace: {error}", file=sys.stderr)
        sys.exit(UNABLE)
    os.execv(sys.argv[1], sys.argv[1:])
