"""Provenance: the marks by which what was written can be followed back to who wrote it."""

from __future__ import annotations

import secrets
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path


def new_session_id() -> str:
    """A name that sorts by time and that no other session has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def code_commit() -> str | None:
    """Commit of this code, with `-dirty` if it was changed since; null outside a checkout."""
    root = Path(__file__).parent.parent
    result = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or None


def code_version() -> str:
    """Version of this project, as it is installed."""
    return metadata.version("evalwh")
