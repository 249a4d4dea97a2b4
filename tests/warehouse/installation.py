"""The installation of before there were versions, as tests take it."""

from __future__ import annotations

import lzma
import shutil
from typing import TYPE_CHECKING

from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

INSTALLATION = REPOSITORY / "tests" / "warehouse" / "installation_ef9b623"

OLD_SHARDS = INSTALLATION / "shards"
"""Shards of version 1, which say no version."""


def unpacked(name: str, folder: Path) -> Path:
    """`generations.duckdb` or `warehouse.duckdb` of the installation, now in `folder`."""
    path = folder / name
    with lzma.open(INSTALLATION / f"{name}.xz") as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path
