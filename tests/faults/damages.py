"""Damages: what can happen to a file on the disk, whatever is in it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Damage:
    """A way to damage a file."""

    name: str
    do: Callable[[Path, random.Random], None]


def _flip(path: Path, generator: random.Random, low: float, high: float) -> None:
    """Flip one bit, in that part of the file."""
    content = bytearray(path.read_bytes())
    place = int(generator.uniform(low, high) * (len(content) - 1))
    content[place] ^= 1 << generator.randrange(8)
    path.write_bytes(content)


def _cut(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))


def _zeros(path: Path, generator: random.Random) -> None:
    """Zeros where a page of data was, as after a crash of the machine."""
    size = path.stat().st_size
    start = generator.randrange(max(1, size - 4096))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(min(4096, size - start)))


def _all_zeros(path: Path, _: random.Random) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _longer(path: Path, generator: random.Random) -> None:
    with path.open("ab") as file:
        file.write(generator.randbytes(100))


def _text(path: Path, _: random.Random) -> None:
    path.write_text("<html>503 Service Unavailable</html>\n", encoding="utf-8")


def _image(path: Path, _: random.Random) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))


def _empty(path: Path, _: random.Random) -> None:
    path.write_bytes(b"")


def _folder(path: Path, _: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _dangling(path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _pipe(path: Path, _: random.Random) -> None:
    """Whoever opens it waits for a writer, who never comes."""
    path.unlink()
    os.mkfifo(path)


def _forbidden(path: Path, _: random.Random) -> None:
    path.chmod(0)


DAMAGES = (
    Damage("a bit flipped at its beginning", lambda path, one: _flip(path, one, 0, 0.01)),
    Damage("a bit flipped", lambda path, one: _flip(path, one, 0, 1)),
    Damage("a bit flipped at its end", lambda path, one: _flip(path, one, 0.99, 1)),
    Damage("cut to a tenth", lambda path, _: _cut(path, 0.1)),
    Damage("cut in half", lambda path, _: _cut(path, 0.5)),
    Damage("cut at its end", lambda path, _: _cut(path, 0.999)),
    Damage("zeros in it", _zeros),
    Damage("all zeros", _all_zeros),
    Damage("longer than it was", _longer),
    Damage("text in its place", _text),
    Damage("an image in its place", _image),
    Damage("empty", _empty),
    Damage("a folder in its place", _folder),
    Damage("a link to itself", _loop),
    Damage("a link to nothing", _dangling),
    Damage("a pipe in its place", _pipe),
    Damage("not to be read", _forbidden),
)
"""Damages of one file."""


def put_back(original: Path, path: Path) -> None:
    """Put the undamaged file in the place of the damaged one."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        path.rmdir()
    shutil.copy(original, path)
