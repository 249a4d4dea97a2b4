"""Warehouse files without dbt: as small as the app accepts, published as builds are."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import yaml

from tests.dbt_project import REPOSITORY
from warehouse.builds import Build

if TYPE_CHECKING:
    from pathlib import Path

BUILDS = """
    create table if not exists meta.builds (
        build_number integer, command varchar, invocation_id varchar, started_at timestamp,
        finished_at timestamp, is_full boolean, is_success boolean, node_count integer,
        failed_count integer
    )
"""


@cache
def declared_marts() -> dict[str, dict[str, str]]:
    """By mart: the types of its columns, as declared."""
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for file in sorted((REPOSITORY / "models" / "marts").glob("*.yml"))
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", [])
        if all("data_type" in column for column in model["columns"])
    }


def write_build(path: Path, panel_id: str, *, finished_at: datetime | None = None) -> None:
    """Write a build into the file at `path`: `panel_id` is what it leaves in the marts."""
    with duckdb.connect(path) as connection:
        connection.execute("create schema if not exists marts; create schema if not exists meta")
        for table, columns in declared_marts().items():
            declared = ", ".join(f"{name} {data_type}" for name, data_type in columns.items())
            connection.execute(f"create table if not exists marts.{table} ({declared})")
        connection.execute("delete from marts.dim_panels")
        connection.execute("insert into marts.dim_panels (panel_id) values (?)", [panel_id])
        connection.execute(BUILDS)
        ((count,),) = connection.execute("select count(*) from meta.builds").fetchall()
        finished_at = finished_at or datetime(2026, 1, 1, 0, 5) + timedelta(hours=count)
        connection.execute(
            "insert into meta.builds values (?, 'build', ?, ?, ?, true, true, 3, 0)",
            [count + 1, panel_id, finished_at, finished_at],
        )


def publish_build(path: Path, panel_id: str, *, finished_at: datetime | None = None) -> None:
    """Build and publish as dbt does."""
    build = Build(path, "build")
    write_build(build.building, panel_id, finished_at=finished_at)
    build.publish()
