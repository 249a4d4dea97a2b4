"""Addresses: each parses, is fixed by a commit, and is written down in one place."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from inference.planning.addresses import addresses, as_markdown
from inference.planning.declarations import BENCHMARKS, benchmark_ids, read_benchmark
from inference.planning.sources import UNPINNED
from tests.inference.conftest import MIRROR, needs_mirror

SOURCES = [(name, source) for name in benchmark_ids() for source in read_benchmark(name).sources]

FORMS = {
    "raw.githubusercontent.com": r"/(?P<repository>[\w.-]+/[\w.-]+)/(?P<revision>[^/]+)/.+",
    "huggingface.co": r"/datasets/(?P<repository>[\w.-]+/[\w.-]+)/resolve/(?P<revision>[^/]+)/.+",
}

MOVING = {("mgsm_ja", "pool"), ("xlsum_ja", "test"), ("xlsum_ja", "pool")}
"""Sources without a commit; each declares the reason."""


@pytest.mark.parametrize(("name", "source"), SOURCES, ids=lambda one: getattr(one, "role", one))
def test_every_address_has_owner_repository_and_commit(name, source):
    for file in source.hashes:
        address = source.address(file)
        assert re.fullmatch(r"[!-z|~]+", address), "no address holds spaces or braces"
        parts = urlsplit(address)
        assert parts.scheme == "https"
        found = re.fullmatch(FORMS[parts.netloc], parts.path)
        assert found, address
        assert found["repository"] == (source.github or source.hub)
        is_fixed = re.fullmatch("[0-9a-f]{40}", found["revision"]) is not None
        assert is_fixed is ((name, source.role) not in MOVING)
        assert is_fixed is not bool(source.moving)


def test_addresses_differ_where_files_do():
    seen = {}
    for _, source in SOURCES:
        for file, sha256 in source.hashes.items():
            place = source.path.replace("{name}", file)
            assert seen.setdefault(source.address(file), (place, sha256)) == (place, sha256)
    # JMMLU's files are those of two benchmarks.
    assert len(seen) == sum(len(s.hashes) for name, s in SOURCES if name != "jmmlu_full")


def test_what_was_never_seen_is_on_the_hub_or_has_no_hash():
    for _, source in SOURCES:
        is_pinned = UNPINNED not in source.hashes.values()
        assert source.is_seen is (source.github is not None and is_pinned)


def test_all_addresses_stand_in_one_place():
    written = (BENCHMARKS / "ADDRESSES.md").read_text(encoding="utf-8")
    table = [line for line in written.splitlines() if line.startswith("|")]
    assert table == as_markdown(addresses()), "write what `evalwh fetch --list` prints into it"


@needs_mirror
def test_the_mirrors_list_of_origins_says_the_same():
    """Its list names repository, commit, path and hash of what the mirror holds unpacked."""
    with (Path(MIRROR) / "PROVENANCE.csv").open(encoding="utf-8", newline="") as file:
        listed = {row["file"]: row for row in csv.DictReader(file)}
    compared = 0
    for _, source in SOURCES:
        for name, sha256 in source.hashes.items():
            row = listed.get(source.path.replace("{name}", name))
            if row is None:
                assert not source.is_seen
                continue
            compared += 1
            assert row["sha256"] == sha256
            assert source.github in row["upstream_repo"]
            assert row["commit"].partition(" ")[0] == source.revision
            assert row["upstream_path"] == source.file.replace("{name}", name)
    assert compared == sum(len(source.hashes) for _, source in SOURCES if source.is_seen)
