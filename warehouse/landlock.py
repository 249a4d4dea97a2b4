"""Landlock: a process of Linux forbids itself, for good, to write files and to use the network.

What it is: https://docs.kernel.org/userspace-api/landlock.html. Numbers are those of
include/uapi/linux/landlock.h, and of the system calls, which are the same on every architecture.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

CREATE_RULESET: Final = 444
ADD_RULE: Final = 445
RESTRICT_SELF: Final = 446
VERSION_FLAG: Final = 1
RULE_PATH_BENEATH: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38

WRITE_RIGHTS: Final = 0b1_1111_1111_0010
"""To write, remove and make files of every kind: LANDLOCK_ACCESS_FS_WRITE_FILE, then from
REMOVE_DIR to MAKE_SYM. Reading and executing are bits 0, 2 and 3."""
REFER_AND_TRUNCATE: Final = ((2, 1 << 13), (3, 1 << 14))
"""Rights to write that came with a later version of Landlock."""
TCP_RIGHTS: Final = 0b11
"""To bind and to connect; since version 4."""
SCOPES: Final = 0b11
"""Abstract sockets and signals of other processes; since version 6."""


class _Ruleset(ctypes.Structure):
    """`struct landlock_ruleset_attr`: what is forbidden unless a rule allows it."""

    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr`: what is allowed in a folder."""

    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def forbid_writing(but_in: Path) -> bool:
    """Keep this thread, and those it starts from now on, from writing outside of a folder.

    Files that are open stay so. From version 4 of Landlock on TCP is closed too. False where the
    system has no Landlock, and nothing is forbidden.

    Raises:
        OSError: the system has it, and refuses.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    if version < 1:
        return False
    rights = WRITE_RIGHTS | sum(right for since, right in REFER_AND_TRUNCATE if version >= since)
    rules = _Ruleset(rights, TCP_RIGHTS if version >= 4 else 0, SCOPES if version >= 6 else 0)
    # Versions before 4 know the first field only, those before 6 the first two.
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _checked(libc.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0))
    folder = os.open(but_in, os.O_PATH)
    try:
        allowed = _PathBeneath(rights, folder)
        _checked(libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(allowed), 0))
        _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(folder)
        os.close(ruleset)
    return True


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
    return result
