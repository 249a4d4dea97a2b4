"""System calls: what a program may ask of the kernel, as the filter that holds it to that.

A list of what is allowed, so that a call nobody thought of is refused: "not implemented", on which
libraries fall back. Nothing on it reaches another process, makes a namespace, a key or a System V
or POSIX object, traces, mounts, opens a socket or starts another executable.

Numbers are those of the kernel's own tables (unistd_64.h for x86_64, asm-generic for aarch64); the
program's form is described in the kernel's documentation of seccomp and in linux/filter.h.
"""

from __future__ import annotations

import errno
import platform
import struct

from inference.errors import SandboxError

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""By the machine's name, the number that a filter sees (linux/audit.h)."""

X32 = 0x40000000
"""From this number on, x86_64 takes calls in the form of a third architecture."""

# Name: number on x86_64, number on aarch64; null where the architecture has no such call.
ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # Files.
    **{"read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57)},
    **{"stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "lseek": (8, 62)},
    **{"pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66)},
    **{"preadv": (295, 69), "pwritev": (296, 70), "access": (21, None), "dup": (32, 23)},
    **{"dup2": (33, None), "dup3": (292, 24), "sendfile": (40, 71)},
    **{"fsync": (74, 82), "fdatasync": (75, 83), "truncate": (76, 45), "ftruncate": (77, 46)},
    **{"getdents": (78, None), "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49)},
    **{"fchdir": (81, 50), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276)},
    **{"mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "creat": (85, None)},
    **{"link": (86, None), "linkat": (265, 37), "unlink": (87, None), "unlinkat": (263, 35)},
    **{"symlink": (88, None), "symlinkat": (266, 36), "readlink": (89, None)},
    **{"readlinkat": (267, 78), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53)},
    **{"umask": (95, 166), "utime": (132, None), "utimes": (235, None), "utimensat": (280, 88)},
    **{"futimesat": (261, None), "statfs": (137, 43), "fstatfs": (138, 44)},
    **{"fadvise64": (221, 223), "fallocate": (285, 47), "openat": (257, 56)},
    **{"openat2": (437, 437), "newfstatat": (262, 79), "statx": (332, 291)},
    **{"faccessat": (269, 48), "faccessat2": (439, 439), "copy_file_range": (326, 285)},
    **{"close_range": (436, 436)},
    # Pipes and waiting.
    **{"pipe": (22, None), "pipe2": (293, 59), "poll": (7, None), "ppoll": (271, 73)},
    **{"select": (23, None), "pselect6": (270, 72), "epoll_create": (213, None)},
    **{"epoll_create1": (291, 20), "epoll_wait": (232, None), "epoll_pwait": (281, 22)},
    **{"epoll_ctl": (233, 21), "eventfd2": (290, 19)},
    # Of pairs of sockets, which the loop of asyncio wakes itself with.
    **{"sendto": (44, 206), "recvfrom": (45, 207), "shutdown": (48, 210)},
    **{"getsockname": (51, 204), "getpeername": (52, 205), "getsockopt": (55, 209)},
    # Memory.
    **{"mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214)},
    **{"mremap": (25, 216), "msync": (26, 227), "mincore": (27, 232), "madvise": (28, 233)},
    # The process itself, its threads and children.
    **{"fork": (57, None), "vfork": (58, None), "exit": (60, 93), "exit_group": (231, 94)},
    **{"wait4": (61, 260), "waitid": (247, 95), "kill": (62, 129), "tkill": (200, 130)},
    **{"tgkill": (234, 131), "futex": (202, 98), "gettid": (186, 178), "getpid": (39, 172)},
    **{"getppid": (110, 173), "getpgrp": (111, None), "getpgid": (121, 155)},
    **{"getsid": (124, 156), "setpgid": (109, 154)},
    **{"getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177)},
    **{"getgroups": (115, 158), "getresuid": (118, 148), "getresgid": (120, 150)},
    **{"getrlimit": (97, 163), "setrlimit": (160, 164), "getrusage": (98, 165)},
    **{"getpriority": (140, 141), "sched_yield": (24, 124), "sched_getparam": (143, 121)},
    **{"sched_getscheduler": (145, 120), "sched_get_priority_max": (146, 125)},
    **{"sched_get_priority_min": (147, 126), "sched_getaffinity": (204, 123)},
    **{"set_tid_address": (218, 96), "set_robust_list": (273, 99), "get_robust_list": (274, 100)},
    **{"rseq": (334, 293), "membarrier": (324, 283), "arch_prctl": (158, None)},
    # Signals and clocks.
    **{"rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139)},
    **{"rt_sigpending": (127, 136), "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133)},
    **{"sigaltstack": (131, 132), "restart_syscall": (219, 128), "pause": (34, None)},
    **{"alarm": (37, None), "getitimer": (36, 102), "setitimer": (38, 103)},
    **{"nanosleep": (35, 101), "clock_nanosleep": (230, 115), "clock_gettime": (228, 113)},
    **{"clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, None)},
    **{"times": (100, 153)},
    # The machine.
    **{"uname": (63, 160), "sysinfo": (99, 179), "getcpu": (309, 168), "getrandom": (318, 278)},
}

# Name: numbers as above, argument that is looked at, and the values of it that are allowed.
ALLOWED_WITH: dict[str, tuple[tuple[int, int], int, tuple[int, ...]]] = {
    # Whether it is a terminal, its size, how much can be read; blocking and inheritance.
    "ioctl": ((16, 29), 1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),
    # Duplicates, flags and locks; not who gets signals, leases, or the size of a pipe.
    "fcntl": ((72, 25), 1, (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)),
    # Names of threads and of memory.
    "prctl": ((157, 167), 0, (15, 16, 0x53564D41)),
    # Limits of the process itself.
    "prlimit64": ((302, 261), 0, (0,)),
    "socketpair": ((53, 199), 0, (1,)),
}

CLONE = (56, 220)
CLONE_REFUSED = 0x7E02A000
"""Flags of new namespaces, of a parent that is not the caller, and of tracing."""

LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
ALLOW, KILL_PROCESS, ERROR = 0x7FFF0000, 0x80000000, 0x00050000


def filter_of(machine: str | None = None) -> bytes:
    """The filter for an architecture (by default this one): a row of `struct sock_filter`.

    Raises:
        SandboxError: the architecture's numbers are not known here.
    """
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxError(
            f"the sandbox knows the system calls of {' and '.join(ARCHITECTURES)}, not of {machine}"
        )
    column = list(ARCHITECTURES).index(machine)
    rows: list[tuple[int, int, int, int]] = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_IF_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_IF_AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, ERROR | errno.ENOSYS),
    ]
    for numbers in ALLOWED.values():
        number = numbers[column]
        if number is not None:
            rows += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    for numbers, argument, values in ALLOWED_WITH.values():
        checks = [(LOAD, 0, 0, ARGUMENTS_AT + 8 * argument)]
        for value in values:
            checks += [(JUMP_IF_EQUAL, 0, 1, value), (RETURN, 0, 0, ALLOW)]
        checks.append((RETURN, 0, 0, ERROR | errno.EPERM))
        rows += [(JUMP_IF_EQUAL, 0, len(checks), numbers[column]), *checks]
    rows += [
        (JUMP_IF_EQUAL, 0, 4, CLONE[column]),
        (LOAD, 0, 0, ARGUMENTS_AT),
        (JUMP_IF_ANY_BIT, 0, 1, CLONE_REFUSED),
        (RETURN, 0, 0, ERROR | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, ERROR | errno.ENOSYS),
    ]
    return b"".join(struct.pack("HBBI", *row) for row in rows)
