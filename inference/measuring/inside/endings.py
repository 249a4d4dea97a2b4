"""Endings: what became of a program whose process ended without a word."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resource import struct_rusage

OUTCOMES = ("passed", "failed", "timed_out", "killed_memory")
"""What can become of a program that ran."""

BEFORE_ITS_LAST_LINE = "it ended before its last line"


def ending(status: int, usage: struct_rusage, cpu_seconds: int) -> dict[str, str]:
    """The outcome of a process that ended by itself or by the kernel, and why."""
    if not os.WIFSIGNALED(status):
        return {"outcome": "failed", "error_head": BEFORE_ITS_LAST_LINE}
    number = os.WTERMSIG(status)
    # The first process of a namespace gets the kernel's last word only, which is SIGKILL.
    if usage.ru_utime + usage.ru_stime >= cpu_seconds:
        return {"outcome": "timed_out", "error_head": ""}
    # Nobody but the kernel kills it so: it had no memory left to give.
    outcome = "killed_memory" if number == signal.SIGKILL else "failed"
    return {"outcome": outcome, "error_head": f"ended by {signal.Signals(number).name}"}
