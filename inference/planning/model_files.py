"""Model files: the small files beside a model's weights, from its folder or from the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.errors import TokenizerError

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_model_file(place: str, name: str, revision: str | None = None) -> bytes | None:
    """The file `name` of a model folder or of a repository of the hub; null where it has none.

    `place` may also be the path of a tokenizer.json; the file beside it is read then.

    Raises:
        TokenizerError: the hub cannot be asked.
    """
    folder = Path(place)
    if folder.is_dir() or folder.name == "tokenizer.json":
        path = (folder if folder.is_dir() else folder.parent) / name
        return path.read_bytes() if path.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(place, name, revision=revision)).read_bytes()
    except (OSError, ValueError) as error:
        is_told = isinstance(error, EntryNotFoundError)
        if is_told and not isinstance(error, LocalEntryNotFoundError):
            return None
        raise TokenizerError(
            f"{name} of {place!r} cannot be had from the hub: {error}; name a folder that has the"
            " model's tokenizer.json, tokenizer_config.json and config.json with --tokenizer"
        ) from error


def read_model_json(place: str, name: str, revision: str | None = None) -> Mapping[str, Any] | None:
    """The JSON object in the file `name` of a model; null where it has no such file.

    Raises:
        TokenizerError: the hub cannot be asked, or the file holds something else.
    """
    content = read_model_file(place, name, revision)
    if content is None:
        return None
    try:
        found = json.loads(content)
    except ValueError as error:
        raise TokenizerError(f"{name} of {place} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise TokenizerError(f"{name} of {place} is no JSON object but {found!r}")
    return found


def read_model_type(place: str, revision: str | None = None) -> str | None:
    """The architecture by the model's config.json (`llama`, `gemma2`); null where nothing tells.

    Raises:
        TokenizerError: the hub cannot be asked, or the file is none.
    """
    config = read_model_json(place, "config.json", revision)
    return (config or {}).get("model_type") or None
