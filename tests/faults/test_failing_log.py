"""A disk that fails from some call on under the raw store: a sentence each time, never an abort."""

from __future__ import annotations

import errno
import sys

import pytest

from tests.dbt_project import REPOSITORY
from tests.faults.injecting import Injection, injected
from tests.faults.processes import Command, run

pytestmark = pytest.mark.slow(seconds=25)

WRITER = """
import os, pathlib, sys
from app.commands import errors_as_messages
import click
from warehouse.raw_store import open_raw_store

@click.command()
def write():
    with errors_as_messages(), open_raw_store(pathlib.Path(sys.argv[1])) as connection:
        connection.begin()
        connection.execute(
            "insert into raw.loaded_shards by name select ? as shard_name, 'session' as kind,"
            " 0 as row_count, now() as loaded_at, 1 as shard_version", [sys.argv[2]]
        )
        connection.commit()
        connection.execute("checkpoint")

write(args=[])
"""
"""Adds a row to the raw store."""


def writer(world, name):
    return Command(
        (sys.executable, "-c", WRITER, str(world.store), name), REPOSITORY, world.environment
    )


@pytest.mark.parametrize("is_new", [True, False])
def test_the_process_ends_with_a_sentence(is_new, injecting_shop):
    world = injecting_shop.copy("nothing")
    if not is_new:
        assert run(writer(world, "before"), 30).code == 0
    hits = {}
    for at in range(1, 40, 3 if is_new else 1):
        injection = Injection(at, error=errno.EIO, lasts=True)
        one = injected(injecting_shop, world, writer(world, f"row {at}"), injection)
        said = run(one.command, 30)
        if not one.hit:
            break
        hits[at] = said.code
        assert (said.code, said.has_traceback) == (1, False), (at, one.hit, said.text)
        assert str(world.store) in said.text
        assert not list(world.folder.glob(".*"))
        if is_new:
            # Each time anew.
            world = injecting_shop.copy("nothing")
    assert said.code == 0
    assert len(hits) > 3
    if not is_new:
        assert run(writer(world, "after"), 30).code == 0
