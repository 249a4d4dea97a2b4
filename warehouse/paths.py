"""Paths: where the raw store is, for those who do not open it themselves."""

from __future__ import annotations

import os
from pathlib import Path


def raw_store_path() -> Path:
    """Path of the raw store: EVALWH_GENERATIONS, or data/generations.duckdb."""
    return Path(os.environ.get("EVALWH_GENERATIONS") or "data/generations.duckdb")
