"""Whole files: there under their name when all of it is on the disk, and otherwise not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from warehouse.whole_files import publish, whole_file


@pytest.fixture
def said(monkeypatch):
    """What is done to the disk, in its order."""
    calls = []
    sync, rename = os.fsync, os.replace

    def synced(descriptor):
        calls.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        sync(descriptor)

    def renamed(source, target, **options):
        calls.append("rename")
        rename(source, target, **options)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    return calls


def test_a_file_is_renamed_when_it_is_on_the_disk_and_its_folder_after(tmp_path, said):
    path = tmp_path / "numbers.txt"
    with whole_file(path) as written:
        written.write_text("1 2 3")
        assert not path.exists()
        assert said == []
    assert path.read_text() == "1 2 3"
    assert list(tmp_path.iterdir()) == [path]
    assert said == [f"sync {written.name}", "rename", f"sync {tmp_path.name}"]


def test_after_an_error_all_is_as_it_was(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("before")
    with pytest.raises(UnicodeEncodeError), whole_file(path) as written:
        written.write_text("1 2 三", encoding="ascii")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_write_the_same_file_do_not_meet(tmp_path):
    path = tmp_path / "numbers.txt"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_is_replaced(tmp_path):
    (tmp_path / "part").write_text("new")
    (tmp_path / "path").write_text("old")
    publish(tmp_path / "part", tmp_path / "path")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("path", "new")]
