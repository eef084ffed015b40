"""Keep a lab inside its folder and off the network, as far as the system allows.

Linux: a network namespace that holds nothing but loopback (network_namespaces(7)), and Landlock
rules that allow writing below one folder only (landlock(7)); both bind every program the lab
starts. Everywhere: an audit hook (PEP 578) that refuses the same from Python code and notes the
attempt, and limits on memory and file size where the system has them. Where only the hook is
left, the verdict says so.
"""

import ctypes
import errno
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_FILE = 512 * 1024 * 1024

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER = 38, 36
_LANDLOCK_CREATE, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT = 444, 445, 446
# include/uapi/linux/landlock.h: WRITE_FILE, then REMOVE_DIR up to MAKE_SYM.
_WRITE_FILE = 1 << 1
_CHANGE = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx")


@dataclass(frozen=True)
class Confinement:
    """What holds in this process: how the network and the files are closed."""

    network: str
    files: str


Note = Callable[[str, str], None]


def confine(folder: Path, memory_mb: int, note: Note) -> Confinement:
    """Confine this process and its children to `folder` and loopback, for good.

    `note(kind, text)` is called for each refused attempt, kind being "network" or "files".
    Call it in a process with one thread, before anything of the lab runs.
    """
    _limit(memory_mb)
    network = _no_network() if sys.platform == "linux" else f"audit hook in Python ({sys.platform} has no namespaces)"
    files = _landlock(folder) if sys.platform == "linux" else "audit hook in Python"
    _watch(folder, note)
    return Confinement(network, files)


def adopt_orphans() -> None:
    """Make processes whose parent has died children of this one, so that none gets away."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def packets_without_route() -> int:
    """How many packets programs in this network namespace tried to send outside (RFC 4293 counters)."""
    total = 0
    try:
        names, values = (line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines()[:2])
        total += int(dict(zip(names, values, strict=True))["OutNoRoutes"])
        for line in Path("/proc/net/snmp6").read_text().splitlines():
            if line.startswith("Ip6OutNoRoutes"):
                total += int(line.split()[1])
    except (OSError, ValueError, KeyError):
        return 0
    return total


def _limit(memory_mb: int) -> None:
    try:
        import resource
    except ImportError:
        return
    for name, value in (("RLIMIT_DATA", memory_mb * 1024 * 1024), ("RLIMIT_FSIZE", LARGEST_FILE), ("RLIMIT_CORE", 0)):
        kind = getattr(resource, name, None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (limit, limit))


def _no_network() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWNET) != 0:
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            return f"audit hook in Python (no network namespace: {os.strerror(ctypes.get_errno())})"
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(probe, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
    return "network namespace with loopback only"


def _landlock(folder: Path) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return "audit hook in Python (no Landlock)"
    handled = _CHANGE | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    ruleset = libc.syscall(_LANDLOCK_CREATE, struct.pack("Q", handled), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if ruleset < 0:
        return f"audit hook in Python (Landlock: {os.strerror(ctypes.get_errno())})"
    try:
        for path, rights in [(str(folder), handled), *((d, handled & (_WRITE_FILE | _TRUNCATE)) for d in _DEVICES)]:
            if not os.path.exists(path):
                continue
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rule = struct.pack("=Qi", rights, opened)
            libc.syscall(_LANDLOCK_ADD_RULE, ruleset, ctypes.c_int(1), rule, ctypes.c_uint32(0))
            os.close(opened)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.syscall(_LANDLOCK_RESTRICT, ruleset, ctypes.c_uint32(0)) != 0:
            return f"audit hook in Python (Landlock: {os.strerror(ctypes.get_errno())})"
    finally:
        os.close(ruleset)
    return f"Landlock ABI {version}: writes below the lab's folder only"


def _watch(folder: Path, note: Note) -> None:
    """Refuse, from Python code, sockets to the outside and changes outside `folder`."""
    root = os.path.realpath(folder)
    changing = {
        "os.remove": (0,),
        "os.mkdir": (0,),
        "os.rmdir": (0,),
        "os.truncate": (0,),
        "os.rename": (0, 1),
        "os.link": (1,),
        "os.symlink": (1,),
    }
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def inside(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return True
        full = os.path.realpath(os.fsdecode(path))
        return (
            full == root
            or full.startswith(root + os.sep)
            or full.startswith("/dev/")
            or full.upper() in ("NUL", "CONOUT$")
        )

    def refuse_change(path: Any) -> None:
        text = os.fsdecode(path)
        note("files", text)
        raise PermissionError(errno.EACCES, "a lab writes below its own folder only", text)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            writes = bool(flags & writing) if isinstance(flags, int) else bool(set(mode or "") & set("wax+"))
            if writes and not inside(path):
                refuse_change(path)
        elif event in changing:
            for position in changing[event]:
                # A path relative to a directory handle cannot be judged here; Landlock can.
                judged = -1 in args[-2:] or len(args) < 3 or event == "os.truncate"
                if judged and not inside(args[position]):
                    refuse_change(args[position])
        elif event in ("socket.connect", "socket.sendto", "socket.bind", "socket.getaddrinfo"):
            address = args[0] if event == "socket.getaddrinfo" else args[1]
            host = address[0] if isinstance(address, tuple) else address
            if not _loopback(host, unbound_is_fine=event == "socket.getaddrinfo"):
                note("network", f"{event.removeprefix('socket.')} {host}")
                raise OSError(errno.ENETUNREACH, "a lab has no network but loopback", str(host))

    sys.addaudithook(hook)


def _loopback(host: Any, *, unbound_is_fine: bool) -> bool:
    if host is None or isinstance(host, int):
        return True
    name = os.fsdecode(host) if isinstance(host, (bytes, str)) else str(host)
    if name in ("localhost", "localhost.") or name.startswith(("/", "\0")):
        return True
    if name == "":
        return unbound_is_fine
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False
