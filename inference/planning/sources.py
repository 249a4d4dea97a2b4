"""Sources: where a benchmark's files come from, and by what they are known.

Every source has an address that parses: a repository of GitHub or a dataset of the Hugging Face
hub, a commit and a path in it. What has no commit says why.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

import msgspec
from msgspec import Meta

FileFormat = Literal["json", "csv", "tsv", "quoted_tsv", "lines", "text", "parquet", "arrow", "xml"]

UNPINNED = "unpinned"
"""In place of a sha256 that nobody here could compute: the file is taken on its upstream's word."""

Text = Annotated[str, Meta(min_length=1)]
Words = Annotated[str, Meta(pattern=r"\S")]
"""Text that says something: more than spaces."""
# `$` would also stand before a line break at the end, so all end with `\Z`.
Name = Annotated[str, Meta(pattern=r"^[a-z_]+\Z")]
Repository = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\Z")]
"""Owner and name."""
Place = Annotated[str, Meta(pattern=r"^(?!.*\.\.)[^/{}\s?#]([^{}\s?#]|\{name\})*\Z")]
"""A relative path; `{name}` stands for the name of a file."""
FileName = Annotated[str, Meta(pattern=r"^\w[\w.-]*\Z")]
Sha256 = Annotated[str, Meta(pattern=rf"^([0-9a-f]{{64}}|{UNPINNED})\Z")]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a declaration."""


class StandIn(Table, frozen=True):
    """A file that takes the place of an upstream one where that cannot be had."""

    path: Place
    format: FileFormat
    sha256: Sha256
    departure: str = ""
    """How the items or shots differ from upstream's; empty where they are the same."""


class Source(Table, frozen=True, kw_only=True):
    """Upstream files of one role: one file, or one per name (subject, subtask).

    One of `github` (a repository), `hub` (a dataset) and `url` says where. A repository takes
    a commit as its `revision` and a `file` in it; a `url` has no versions.
    """

    role: Name
    """Name of the view by which `items.sql` reads the files: `test`, `pool`, ..."""
    path: Place
    """Place below the cache and below a mirror."""
    format: FileFormat
    sha256: Sha256 | Annotated[dict[FileName, Sha256], Meta(min_length=1)]
    """Of the file as upstream has it, or of one file per name, in the order of reading."""
    licence: Words
    github: Repository | None = None
    hub: Repository | None = None
    """Dataset repository."""
    url: Annotated[str, Meta(pattern=r"^https?://[^/\s]+/\S+\Z")] | None = None
    revision: Text | None = None
    """Commit of the repository."""
    file: Place | None = None
    """Path within the repository."""
    moving: str = ""
    """Why there is no commit, and the content is held by its sha256 only, if by anything."""
    differs: str = ""
    """How upstream's file is another form of what the protocol names; empty where it is that."""
    is_seen: bool = True
    """Whether anybody here has had the file in hand; if not, its address is upstream's word."""
    stand_in: StandIn | None = None

    def __post_init__(self) -> None:
        """Refuse what is no address."""
        given = [name for name in ("github", "hub", "url") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"{self.role} needs one of github, hub and url; it has {given}")
        if self.url is None and not (self.revision and self.file):
            raise ValueError(f"{self.role} needs revision and file within its repository")
        if self.url is not None and (self.revision or self.file):
            raise ValueError(f"{self.role} has a url, which takes neither revision nor file")
        has_commit = self.revision is not None and is_commit(self.revision)
        if has_commit == bool(self.moving):
            raise ValueError(
                f"{self.role} has the revision {self.revision!r} and moving = {self.moving!r};"
                " it needs a commit of 40 hexadecimal digits, or `moving` says why it has none"
            )
        for key in ("path", "file", "url"):
            place = getattr(self, key)
            if place is None:
                continue
            if len(self.hashes) > 1 and "{name}" not in place:
                raise ValueError(f"{self.role} has several files, and no {{name}} in its {key}")
            if isinstance(self.sha256, str) and "{name}" in place:
                raise ValueError(
                    f"{self.role} has a {{name}} in its {key}, and no table of sha256 by name"
                )

    @property
    def hashes(self) -> dict[str, str]:
        """Name to sha256; the only file of a source without names is called ''."""
        return {"": self.sha256} if isinstance(self.sha256, str) else self.sha256

    def address(self, name: str = "{name}") -> str:
        """Where upstream has the file of that name."""
        if self.url is not None:
            return self.url.replace("{name}", name)
        file = quote((self.file or "").replace("{name}", name), safe="/{}")
        if self.github is not None:
            return f"https://raw.githubusercontent.com/{self.github}/{self.revision}/{file}"
        revision = quote(self.revision or "", safe="")
        return f"https://huggingface.co/datasets/{self.hub}/resolve/{revision}/{file}"


def is_commit(revision: str) -> bool:
    """Whether `revision` names a commit, whose content is the same for ever."""
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")
