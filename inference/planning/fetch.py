"""Fetching: a benchmark's files from upstream or a mirror into the cache, verified.

Upstream is an address in the declaration, or a dataset repository of the Hugging Face hub
(whose address HF_ENDPOINT may change). A mirror is a folder or an address below which the
files have their cache paths; it may hold them compressed with xz, and it may hold stand-ins
instead, which the declaration names.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from inference.errors import BenchmarkFileError
from inference.planning.files import sha256_of, verified
from inference.planning.sources import UNPINNED
from warehouse.whole_files import clean_up, publish, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.planning.declarations import Benchmark
    from inference.planning.sources import Source

TIMEOUT_SECONDS = (30.0, 120.0)
"""For the connection, and between two pieces of the answer."""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one file."""

    path: Path
    is_new: bool
    """False where the cache had it."""
    sha256: str
    is_pinned: bool
    departure: str
    """How a stand-in differs from upstream; empty for upstream's file and equal stand-ins."""


def fetch(benchmark: Benchmark, cache: Path, mirror: str | None = None) -> Iterator[Fetched]:
    """Bring the benchmark's files into `cache`, one after the other.

    A file appears under its name only when it is complete and verified; what is there is
    verified again and not fetched. An interrupted download goes on where it stopped.

    Raises:
        BenchmarkFileError: a file is neither in the cache nor to be had, or has another hash
            than declared; the message names the file and both hashes.
    """
    for source in benchmark.sources:
        for name, sha256 in source.hashes.items():
            yield _fetch_file(source, name, sha256, cache, mirror)


def _fetch_file(source: Source, name: str, sha256: str, cache: Path, mirror: str | None) -> Fetched:
    path = cache / source.path.format(name=name)
    stand_in = source.stand_in
    is_pinned = sha256 != UNPINNED
    if path.is_file():
        return Fetched(path, False, verified(path, sha256), is_pinned, "")
    if mirror is None:
        _from_upstream(source, name, sha256, path)
        return Fetched(path, True, verified(path, sha256), is_pinned, "")
    if stand_in is not None and (cache / stand_in.path).is_file():
        found = verified(cache / stand_in.path, stand_in.sha256)
        return Fetched(cache / stand_in.path, False, found, True, stand_in.departure)
    if _from_mirror(mirror, source.path.format(name=name), sha256, path):
        return Fetched(path, True, verified(path, sha256), is_pinned, "")
    if stand_in is not None and _from_mirror(
        mirror, stand_in.path, stand_in.sha256, cache / stand_in.path
    ):
        return Fetched(cache / stand_in.path, True, stand_in.sha256, True, stand_in.departure)
    alternative = f" nor its stand-in {stand_in.path}" if stand_in else ""
    raise BenchmarkFileError(
        f"{mirror} has neither {source.path.format(name=name)}{alternative}, packed with xz or"
        f" not (expected sha256: {sha256})"
    )


def _from_upstream(source: Source, name: str, sha256: str, path: Path) -> None:
    if source.hub is None:
        url = source.address(name)
        if not _download(url, path, sha256):
            raise BenchmarkFileError(f"{url} does not exist (expected sha256: {sha256})")
        return
    from huggingface_hub import hf_hub_download

    file = (source.file or "").format(name=name)
    try:
        # The hub's own cache resumes what was interrupted, and needs no second copy of it.
        downloaded = hf_hub_download(
            source.hub,
            file,
            repo_type="dataset",
            revision=source.revision,
            cache_dir=path.parent / ".hub",
            endpoint=os.environ.get("HF_ENDPOINT"),
        )
    except OSError as error:
        raise BenchmarkFileError(
            f"{file} of the dataset {source.hub} at {source.revision} cannot be had from the hub:"
            f" {error} (expected sha256: {sha256})"
        ) from error
    _keep(Path(downloaded), path, sha256, f"{source.hub}/{file}")
    shutil.rmtree(path.parent / ".hub", ignore_errors=True)


def _from_mirror(mirror: str, place: str, sha256: str, path: Path) -> bool:
    """Whether the mirror has the file, plain or packed; then it is at `path`."""
    if not mirror.startswith(("http://", "https://")):
        folder = Path(mirror)
        if not folder.is_dir():
            raise BenchmarkFileError(f"the mirror {mirror} is neither a folder nor an address")
        for packed in (False, True):
            there = folder / (place + ".xz" * packed)
            if there.is_file():
                _keep(there, path, sha256, str(there))
                return True
        return False
    address = f"{mirror.rstrip('/')}/{quote(place)}"
    if _download(address, path, sha256):
        return True
    packed_path = path.with_name(path.name + ".xz")
    if not _download(f"{address}.xz", packed_path, UNPINNED):
        return False
    _keep(packed_path, path, sha256, f"{address}.xz")
    packed_path.unlink()
    return True


def _download(url: str, path: Path, sha256: str) -> bool:
    """Whether there is a file at `url`; then it is at `path`, whole and verified.

    What has come of it waits in a `.part` file, and a later call asks for the rest.
    """
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    start = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    try:
        with requests.get(url, headers=headers, timeout=TIMEOUT_SECONDS, stream=True) as response:
            if response.status_code in (requests.codes.not_found, requests.codes.gone):
                return False
            # 416: nothing is missing after `start`; the hash will tell whether that is all.
            if response.status_code != requests.codes.requested_range_not_satisfiable:
                response.raise_for_status()
                is_rest = response.status_code == requests.codes.partial_content
                with part.open("ab" if is_rest else "wb") as file:
                    # Raw: a .gz must stay as it is, whatever the server says about encodings.
                    for block in response.raw.stream(BLOCK, decode_content=False):
                        file.write(block)
    except (requests.RequestException, HTTPError) as error:
        raise BenchmarkFileError(
            f"{url} cannot be had: {error!r} (expected sha256: {sha256}); run the command again"
            " to go on where it stopped"
        ) from error
    found = sha256_of(part)
    if sha256 not in (found, UNPINNED):
        part.unlink()
        raise BenchmarkFileError(
            f"{url} is not the declared file: its sha256 is {found}, expected {sha256}"
        )
    publish(part, path)
    return True


def _keep(source: Path, path: Path, sha256: str, where: str) -> None:
    """Copy `source`, unpacked if it is packed with xz, to `path`, if its hash is right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clean_up(path.parent)
    digest = hashlib.sha256()
    opened = lzma.open if source.suffix == ".xz" and path.suffix != ".xz" else open
    try:
        with whole_file(path) as written:
            with opened(source, "rb") as packed, written.open("wb") as unpacked:
                while block := packed.read(BLOCK):
                    digest.update(block)
                    unpacked.write(block)
            if sha256 not in (digest.hexdigest(), UNPINNED):
                raise BenchmarkFileError(
                    f"{where} is not the declared file: its sha256 is {digest.hexdigest()},"
                    f" expected {sha256}"
                )
    except (lzma.LZMAError, EOFError) as error:
        raise BenchmarkFileError(f"{where} cannot be unpacked: {error}") from error
