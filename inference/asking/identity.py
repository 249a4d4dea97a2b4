"""Identity: which model a server serves, so that a change is noticed before an answer counts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from inference.errors import EndpointError
from inference.planning.files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable

Said = TypeVar("Said", bound=msgspec.Struct)

_Length = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


class ModelInfo(msgspec.Struct, frozen=True):
    """What is read of `/model_info`."""

    model_path: str
    served_model_name: str | None = None
    tokenizer_path: str | None = None
    model_type: str | None = None
    is_generation: bool = True
    weight_version: str | None = None


class ServerInfo(msgspec.Struct, frozen=True):
    """What is read of `/server_info`."""

    max_req_input_len: _Length
    revision: str | None = None
    version: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    enable_deterministic_inference: bool | None = None


class ModelCard(msgspec.Struct, frozen=True):
    """What is read of an element of `/v1/models`; LoRA adapters have no length."""

    max_model_len: _Length


class ModelList(msgspec.Struct, frozen=True):
    """What is read of `/v1/models`."""

    data: Annotated[tuple[ModelCard, ...], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Identity:
    """What has to stay as it is while a run is under way, or its answers are another model's."""

    model_path: str
    served_model_name: str | None
    tokenizer_path: str | None
    revision: str | None
    weight_version: str | None
    """Goes up when weights are replaced in a server that is running."""
    dtype: str | None
    quantization: str | None
    context_length: int
    weights: str | None
    """Fingerprint of the folder that the model was read from; null where it is not here."""

    def changes_to(self, other: Identity) -> str:
        """What differs in `other`, in words; empty if nothing does."""
        return ", ".join(
            f"{one.name} {getattr(self, one.name)!r} is now {getattr(other, one.name)!r}"
            for one in fields(self)
            if getattr(self, one.name) != getattr(other, one.name)
        )


def read_as(kind: type[Said], said: dict[str, Any], url: str) -> Said:
    """What a server said of itself, with the types that it must have.

    Raises:
        EndpointError: it said something else; the field is named, what else was said is not shown.
    """
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        raise EndpointError(f"{url} is no SGLang server that generates: {error}") from error


def identity_of(
    model: ModelInfo, info: ServerInfo, served: ModelList, weights: str | None
) -> Identity:
    """The identity, of what a server says and the fingerprint of its model's folder."""
    return Identity(
        model.model_path,
        model.served_model_name,
        model.tokenizer_path,
        info.revision,
        model.weight_version,
        info.dtype,
        info.quantization,
        served.data[0].max_model_len,
        weights,
    )


class ModelFolder:
    """The folder that a model was read from, if it is on this machine; read only when touched."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._touched: list[tuple[str, int, int]] = []
        self._fingerprint: str | None = None

    def fingerprint(self) -> str | None:
        """`weights_fingerprint` of the folder; null where there is none.

        Sizes and times of the files say whether it has to be computed anew.

        Raises:
            EndpointError: the folder was there and is gone, or cannot be read.
        """
        try:
            if not self._path.is_dir():
                if self._fingerprint is None:
                    return None
                raise EndpointError(f"the model's folder {self._path} is gone")
            touched = [
                (path.name, path.stat().st_size, path.stat().st_mtime_ns)
                for path in weight_files(self._path)
            ]
            if self._fingerprint is None or touched != self._touched:
                self._fingerprint = weights_fingerprint(self._path)
                self._touched = touched
        except OSError as error:
            raise EndpointError(f"the model's folder cannot be read: {error}") from error
        return self._fingerprint


def weight_files(folder: Path) -> Iterable[Path]:
    """Files of the folder that make the model what it is, by name."""
    config = folder / "config.json"
    weights = (".safetensors", ".bin", ".pt", ".gguf")
    yield from (path for path in sorted(folder.iterdir()) if path.suffix in weights)
    if config.is_file():
        yield config


def weights_fingerprint(folder: Path) -> str:
    """A name for the weights in `folder`: of the files' sizes, their first and last megabyte.

    The first megabyte of a safetensors file holds its header and the beginning of its weights;
    reading all of a large model would take minutes.
    """
    digest = hashlib.sha256()
    for path in weight_files(folder):
        if path.name == "config.json":
            digest.update(sha256_of(path).encode())
            continue
        with path.open("rb") as file:
            head = file.read(1 << 20)
            # Training changes the last layers too, where the first may be frozen.
            file.seek(max(0, path.stat().st_size - (1 << 20)))
            tail = file.read()
        digest.update(f"{path.name} {path.stat().st_size}".encode() + head + tail)
    return f"weights-{digest.hexdigest()[:16]}"
