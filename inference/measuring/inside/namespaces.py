"""Namespaces: a child that sees nothing but itself, and what it may no longer do.

By the calls of the C library and the kernel themselves: Python has no names for most of them
before 3.12. Imports nothing but the standard library, as all of this folder.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
from pathlib import Path
from typing import NoReturn

USER_ID = 1000
"""Every program's user and group, as it sees them itself."""

SCRATCH = Path("/tmp")
SCRATCH_ENTRIES = 1024
"""Files and folders of a program at the same time."""

NEW_MOUNTS, NEW_CGROUPS, NEW_NAMES, NEW_IPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000

NO_SETUID_DEVICES_PROGRAMS = 2 | 4 | 8
READ_ONLY = 1

SET_DUMPABLE, SET_SECCOMP, SET_NO_NEW_PRIVILEGES = 4, 22, 38
FILTER_MODE = 2
JOIN_SESSION_KEYRING = 1
CLONE, KEYCTL = {"x86_64": (56, 250), "aarch64": (220, 219)}.get(platform.machine(), (-1, -1))

_library = ctypes.CDLL(None, use_errno=True)
# With the interpreter's lock held, which a child that is made without it could never take again.
_locked = ctypes.PyDLL(None, use_errno=True)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("rows", ctypes.c_char_p))


def _checked(result: int, doing: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")
    return result


def forked() -> int:
    """Like `os.fork`, with new namespaces of every kind around the child.

    Raises:
        OSError: the kernel does not give them.
    """
    flags = NEW_USERS | NEW_PROCESSES | NEW_MOUNTS | NEW_IPC | NEW_NETWORK | NEW_NAMES | NEW_CGROUPS
    ctypes.pythonapi.PyOS_BeforeFork()
    child: int = _locked.syscall(
        ctypes.c_long(CLONE), ctypes.c_ulong(flags | signal.SIGCHLD), None, None, None, None
    )
    if child == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    return _checked(child, "new namespaces")


def map_user(child: int, user: int, group: int) -> None:
    """Say who the child's user is outside; by its parent."""
    folder = Path(f"/proc/{child}")
    (folder / "setgroups").write_text("deny")
    (folder / "uid_map").write_text(f"{USER_ID} {user} 1")
    (folder / "gid_map").write_text(f"{USER_ID} {group} 1")


def furnish(scratch_bytes: int) -> None:
    """A scratch folder of its own, no list of processes, and a user that is nobody else."""
    os.setsid()
    os.setresgid(USER_ID, USER_ID, USER_ID)
    os.setresuid(USER_ID, USER_ID, USER_ID)
    be_readable(False)
    _mount(SCRATCH, 0, f"size={scratch_bytes},nr_inodes={SCRATCH_ENTRIES},mode=0700")
    _mount(Path("/proc"), READ_ONLY, "size=4k,nr_inodes=1,mode=0500")
    os.chdir(SCRATCH)


def _mount(place: Path, flags: int, options: str) -> None:
    _checked(
        _library.mount(
            b"none",
            os.fsencode(place),
            b"tmpfs",
            ctypes.c_ulong(flags | NO_SETUID_DEVICES_PROGRAMS),
            options.encode(),
        ),
        f"a folder in memory at {place}",
    )


def hide_from_children() -> None:
    """Let the next child begin a list of processes that this one is not on."""
    _checked(_library.unshare(NEW_PROCESSES), "new processes")


def be_readable(is_readable: bool) -> None:
    """Whether others of the same user may trace this process and read its memory."""
    _checked(_library.prctl(SET_DUMPABLE, int(is_readable), 0, 0, 0), "dumpable")


def forget_keys() -> None:
    """Leave the keys of the session for an empty keyring; where there are no keys, all is well."""
    _library.syscall(ctypes.c_long(KEYCTL), ctypes.c_long(JOIN_SESSION_KEYRING), None)


def restrict(limits: dict[str, int], filter_rows: bytes) -> None:
    """Give up every capability, and be held to resource limits and a filter of system calls."""
    for name, limit in limits.items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    # Version 3 of the structure: two sets of three words, all empty.
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _checked(_library.capset(header, sets), "capabilities")
    _checked(_library.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no new privileges")
    rows = _Filter(len(filter_rows) // 8, filter_rows)
    _checked(
        _library.prctl(SET_SECCOMP, FILTER_MODE, ctypes.byref(rows), 0, 0),
        "a filter of system calls",
    )


def leave(status: int) -> NoReturn:
    """End this process and nothing else of it."""
    os._exit(status)
