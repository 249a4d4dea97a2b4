"""Endpoints: what a server says of itself, before it is asked anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from inference.errors import EndpointError
from inference.planning.files import sha256_of

if TYPE_CHECKING:
    from inference.asking.client import Client, Endpoint


@dataclass(frozen=True, slots=True)
class Server:
    """A server, by its own words."""

    url: str
    model_path: str
    served_model_name: str
    model_type: str
    """Architecture in the words of its configuration (`llama`, `gemma3_text`); may be empty."""
    tokenizer_path: str
    revision: str | None
    """What it was started with; null where it was not told."""
    context_length: int
    """Tokens of prompt and completion together."""
    input_limit: int
    """Tokens of a prompt, which the server keeps somewhat shorter."""
    version: str | None
    honours_seeds: bool
    """Whether the same seed draws the same sample; SGLang ignores seeds without
    --enable-deterministic-inference."""
    arguments: dict[str, Any]
    """How it was started."""


ARGUMENT_TYPES = (str, int, float, bool, type(None))
"""Types of arguments that are worth keeping; live state is left out."""


async def describe(client: Client, endpoint: Endpoint) -> Server:
    """What the server at `endpoint` serves.

    Raises:
        EndpointError: it cannot be reached, or is no SGLang server that generates.
    """
    await client.check_health(endpoint)
    model = await client.get(endpoint, "/model_info")
    info = await client.get(endpoint, "/server_info")
    served = (await client.get(endpoint, "/v1/models")).get("data") or [{}]
    if "model_path" not in model or not model.get("is_generation", True):
        raise EndpointError(f"{endpoint.url} is no SGLang server that generates: {model}")
    endpoint.model_path = model["model_path"]
    limit = info.get("max_req_input_len")
    if not limit:
        raise EndpointError(f"{endpoint.url} does not say how long its prompts may be: {info}")
    length = served[0].get("max_model_len")
    if not length:
        raise EndpointError(f"{endpoint.url} does not say how long its context is: {served}")
    return Server(
        url=endpoint.url,
        model_path=model["model_path"],
        served_model_name=model.get("served_model_name") or model["model_path"],
        model_type=model.get("model_type") or "",
        tokenizer_path=model.get("tokenizer_path") or model["model_path"],
        revision=info.get("revision"),
        context_length=int(length),
        # SGLang 0.5.23 refuses a prompt of that very length, too (managers/utils.py,
        # validate_input_length).
        input_limit=int(limit) - 1,
        version=info.get("version"),
        honours_seeds=bool(info.get("enable_deterministic_inference")),
        arguments={
            name: value for name, value in info.items() if isinstance(value, ARGUMENT_TYPES)
        },
    )


def check_model(server: Server, model_id: str) -> None:
    """Return if the server serves the model; it would answer under any name.

    Raises:
        EndpointError: it serves something else.
    """
    if model_id not in (server.model_path, server.served_model_name):
        raise EndpointError(
            f"{server.url} serves {server.served_model_name!r} (from {server.model_path!r}), not"
            f" {model_id!r}; name that model, or start the server with"
            f" --served-model-name {model_id}"
        )


def model_revision(server: Server, given: str | None) -> str:
    """Which version of the model answers: as given, or as the server or its folder tell.

    A folder on this machine is named by its weights, so that a checkpoint that was trained
    further is another model; a snapshot in the hub's cache by its commit.

    Raises:
        EndpointError: nothing tells.
    """
    told = given or server.revision
    if told:
        return told
    path = Path(server.model_path)
    if path.parent.name == "snapshots":
        return path.name
    if path.is_dir():
        return weights_fingerprint(path)
    raise EndpointError(
        f"{server.url} does not say which revision of {server.model_path!r} it serves; name its"
        " commit with --revision"
    )


def weights_fingerprint(folder: Path) -> str:
    """A name for the weights in `folder`: of the files' sizes, and of their first megabyte.

    The first megabyte of a safetensors file holds its header and the beginning of its weights;
    reading all of a large model would take minutes.
    """
    import hashlib

    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".bin", ".pt", ".gguf"):
            with path.open("rb") as file:
                head = file.read(1 << 20)
                # Training changes the last layers too, where the first may be frozen.
                file.seek(max(0, path.stat().st_size - (1 << 20)))
                tail = file.read()
            digest.update(f"{path.name} {path.stat().st_size}".encode() + head + tail)
    config = folder / "config.json"
    if config.is_file():
        digest.update(sha256_of(config).encode())
    return f"weights-{digest.hexdigest()[:16]}"


def gpu_names(server: Server) -> list[str] | None:
    """Names of this machine's GPUs, when the server is on it; null where nobody can tell."""
    if urlparse(server.url).hostname not in ("127.0.0.1", "localhost", "::1"):
        return None
    if server.arguments.get("device") == "cpu":
        return []
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    result = subprocess.run(
        [program, "--query-gpu=name", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.split("\n")[:-1] if result.returncode == 0 else None


def arguments_json(servers: list[Server]) -> str:
    """How the servers were started, as JSON by address."""
    return json.dumps({server.url: server.arguments for server in servers}, sort_keys=True)
