"""Fetching, from a local server that has both layouts: plain addresses and the hub's."""

from __future__ import annotations

import hashlib
import lzma
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import msgspec
import pytest

from inference.errors import BenchmarkFileError
from inference.planning.declarations import read_benchmark
from inference.planning.fetch import fetch
from inference.planning.sources import UNPINNED, Source, StandIn
from tests.shared import left_by_a_kill

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = b"one line of a benchmark\n" * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "a" * 40


class Site(ThreadingHTTPServer):
    """Files by path; `cut` closes the connection after so many bytes, once per path."""

    files: dict[str, bytes]
    cut: dict[str, int]
    ranges: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_HEAD(self) -> None:
        self.answer(has_body=False)

    def do_GET(self) -> None:
        self.answer(has_body=True)

    def answer(self, *, has_body: bool) -> None:
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        if has_body:
            self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        # What the hub says of a file.
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if has_body:
            self.wfile.write(content[start : self.server.cut.pop(self.path, len(content))])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site(("127.0.0.1", 0), Handler)
    server.files, server.cut, server.ranges = {}, {}, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address(site: Site) -> str:
    return f"http://127.0.0.1:{site.server_port}"


def benchmark(**source):
    values = {
        "role": "test",
        "path": "b/test.json",
        "format": "json",
        "sha256": SHA256,
        "licence": "MIT",
        **source,
    }
    if "url" in values:
        values["moving"] = "A server of the test's has no versions."
    return msgspec.structs.replace(read_benchmark("gsm8k"), sources=(Source(**values),))


def test_a_plain_address_is_fetched_once(site, tmp_path):
    site.files["/test.json"] = CONTENT
    declared = benchmark(url=f"{address(site)}/test.json")
    (first,) = fetch(declared, tmp_path)
    assert first.is_new
    assert (tmp_path / "b" / "test.json").read_bytes() == CONTENT
    (second,) = fetch(declared, tmp_path)
    assert not second.is_new
    assert len(site.ranges) == 1


def test_the_hub_is_fetched_by_its_endpoint(site, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", address(site))
    site.files[f"/datasets/owner/name/resolve/{COMMIT}/data/test.json"] = CONTENT
    declared = benchmark(hub="owner/name", revision=COMMIT, file="data/test.json")
    (fetched,) = fetch(declared, tmp_path)
    assert fetched.sha256 == SHA256
    assert (tmp_path / "b" / "test.json").read_bytes() == CONTENT


def test_a_file_that_the_hub_does_not_have_is_named(site, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", address(site))
    declared = benchmark(hub="owner/name", revision=COMMIT, file="data/test.json")
    with pytest.raises(BenchmarkFileError, match=r"data/test.json of the dataset owner/name"):
        list(fetch(declared, tmp_path))


def test_a_wrong_hash_stops_and_names_both(site, tmp_path):
    site.files["/test.json"] = b"something else"
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(BenchmarkFileError, match=f"{found}, expected {SHA256}"):
        list(fetch(benchmark(url=f"{address(site)}/test.json"), tmp_path))
    assert not (tmp_path / "b" / "test.json").exists()


def test_a_missing_file_stops_and_is_named(site, tmp_path):
    with pytest.raises(BenchmarkFileError, match=rf"/test.json does not exist.*{SHA256}"):
        list(fetch(benchmark(url=f"{address(site)}/test.json"), tmp_path))


def test_an_interrupted_download_goes_on(site, tmp_path):
    site.files["/test.json"] = CONTENT
    site.cut["/test.json"] = 40_000
    declared = benchmark(url=f"{address(site)}/test.json")
    with pytest.raises(BenchmarkFileError, match="go on where it stopped"):
        list(fetch(declared, tmp_path))
    assert not (tmp_path / "b" / "test.json").exists()
    (fetched,) = fetch(declared, tmp_path)
    assert fetched.sha256 == SHA256
    assert site.ranges == [None, "bytes=40000-"]


def test_a_complete_part_is_not_fetched_again(site, tmp_path):
    site.files["/test.json"] = CONTENT
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "test.json.part").write_bytes(CONTENT)
    (fetched,) = fetch(benchmark(url=f"{address(site)}/test.json"), tmp_path)
    assert fetched.sha256 == SHA256


def test_an_unpinned_file_is_taken_and_its_hash_is_told(site, tmp_path):
    site.files["/test.json"] = CONTENT
    declared = benchmark(url=f"{address(site)}/test.json", sha256=UNPINNED)
    (fetched,) = fetch(declared, tmp_path)
    assert (fetched.sha256, fetched.is_pinned) == (SHA256, False)


def test_a_cached_file_that_was_changed_is_found(site, tmp_path):
    site.files["/test.json"] = CONTENT
    declared = benchmark(url=f"{address(site)}/test.json")
    list(fetch(declared, tmp_path))
    (tmp_path / "b" / "test.json").write_bytes(b"changed")
    with pytest.raises(BenchmarkFileError, match="is not the declared file"):
        list(fetch(declared, tmp_path))


@pytest.mark.parametrize("is_address", [True, False])
@pytest.mark.parametrize("is_packed", [True, False])
def test_a_mirror_is_a_folder_or_an_address_packed_or_not(is_address, is_packed, site, tmp_path):
    content, suffix = (lzma.compress(CONTENT), ".xz") if is_packed else (CONTENT, "")
    mirror = tmp_path / "mirror"
    (mirror / "b").mkdir(parents=True)
    (mirror / "b" / f"test.json{suffix}").write_bytes(content)
    site.files[f"/some/place/b/test.json{suffix}"] = content
    place = f"{address(site)}/some/place/" if is_address else str(mirror)
    (fetched,) = fetch(benchmark(url="http://127.0.0.1:9/never"), tmp_path / "cache", place)
    assert fetched.path.read_bytes() == CONTENT
    assert fetched.sha256 == SHA256


def test_a_stand_in_is_taken_when_there_is_nothing_else_and_says_so(tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "b").mkdir(parents=True)
    (mirror / "b" / "other.json").write_bytes(CONTENT)
    (tmp_path / "cache" / "b").mkdir(parents=True)
    left = left_by_a_kill(tmp_path / "cache" / "b" / "other.json")
    declared = benchmark(
        url="http://127.0.0.1:9/never",
        sha256="0" * 64,
        stand_in=StandIn("b/other.json", "json", SHA256, "half of the items"),
    )
    (fetched,) = fetch(declared, tmp_path / "cache", str(mirror))
    assert fetched.departure == "half of the items"
    assert not left.exists()
    (again,) = fetch(declared, tmp_path / "cache", str(mirror))
    assert not again.is_new


def test_a_damaged_file_of_a_mirror_stops(tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "b").mkdir(parents=True)
    (mirror / "b" / "test.json.xz").write_bytes(lzma.compress(CONTENT)[:-40])
    with pytest.raises(BenchmarkFileError, match=r"test.json.xz cannot be unpacked"):
        list(fetch(benchmark(url="http://127.0.0.1:9/never"), tmp_path / "cache", str(mirror)))
    assert not (tmp_path / "cache" / "b" / "test.json").exists()


def test_a_mirror_without_the_file_says_what_it_wants(tmp_path):
    with pytest.raises(BenchmarkFileError, match=rf"has neither b/test.json.*{SHA256}"):
        list(fetch(benchmark(url="http://127.0.0.1:9/never"), tmp_path / "cache", str(tmp_path)))
    with pytest.raises(BenchmarkFileError, match="neither a folder nor an address"):
        list(fetch(benchmark(url="http://127.0.0.1:9/never"), tmp_path / "cache", "nowhere"))
