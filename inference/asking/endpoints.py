"""Endpoints: what a server says of itself, before it is asked anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from inference.credentials import LONGEST_ARGUMENT, hide
from inference.errors import EndpointError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    """How it was started, as far as it is kept."""
    weights: str | None = None
    """Fingerprint of the model's folder; null where it is not on this machine."""


KEPT_ARGUMENTS = frozenset(
    {
        "model_path",
        "tokenizer_path",
        "served_model_name",
        "revision",
        "load_format",
        "model_impl",
        "tokenizer_mode",
        "skip_tokenizer_init",
        "trust_remote_code",
        "context_length",
        "dtype",
        "quantization",
        "kv_cache_dtype",
        "enable_fp32_lm_head",
        "device",
        "nnodes",
        "tp_size",
        "pp_size",
        "dp_size",
        "ep_size",
        "enable_dp_attention",
        "attention_backend",
        "prefill_attention_backend",
        "decode_attention_backend",
        "sampling_backend",
        "grammar_backend",
        "mem_fraction_static",
        "max_running_requests",
        "max_total_tokens",
        "max_prefill_tokens",
        "chunked_prefill_size",
        "schedule_policy",
        "schedule_conservativeness",
        "page_size",
        "random_seed",
        "disable_radix_cache",
        "disable_overlap_schedule",
        "disable_cuda_graph",
        "cuda_graph_max_bs",
        "enable_torch_compile",
        "enable_deterministic_inference",
        "enable_mixed_chunk",
        "speculative_algorithm",
        "speculative_draft_model_path",
        "speculative_num_steps",
        "speculative_eagle_topk",
        "speculative_num_draft_tokens",
        "weight_version",
        "allow_auto_truncate",
        "max_req_input_len",
        "max_total_num_tokens",
        "version",
    }
)
"""What is kept of how a server was started: names that say how answers come about.

A server also says its keys, passwords, certificates and addresses (SGLang 0.5.23 sends `api_key`
in `/server_info`), and a later one may say more: what is not named here is not kept."""


async def describe(client: Client, endpoint: Endpoint) -> Server:
    """What the server at `endpoint` serves; from here on the client holds it to that.

    Raises:
        EndpointError: it cannot be reached, or is no SGLang server that generates.
    """
    await client.check_health(endpoint)
    model, info, served, all_info = await client.look(endpoint)
    if not model.is_generation:
        raise EndpointError(f"{endpoint.url} is no SGLang server that generates")
    path = endpoint.words(model.model_path)
    return Server(
        url=endpoint.url,
        model_path=path,
        served_model_name=endpoint.words(model.served_model_name or path),
        model_type=model.model_type or "",
        tokenizer_path=endpoint.words(model.tokenizer_path or path),
        revision=endpoint.words(info.revision) if info.revision else None,
        context_length=served.data[0].max_model_len,
        # SGLang 0.5.23 refuses a prompt of that very length, too (managers/utils.py,
        # validate_input_length).
        input_limit=info.max_req_input_len - 1,
        version=info.version,
        honours_seeds=bool(info.enable_deterministic_inference),
        arguments=kept_arguments(all_info, endpoint.secrets),
        weights=endpoint.identity.weights if endpoint.identity else None,
    )


def kept_arguments(said: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """The plain values of what a server says of itself that are worth keeping."""
    found: dict[str, Any] = {}
    for name in sorted(KEPT_ARGUMENTS & said.keys()):
        value = said[name]
        if isinstance(value, str):
            found[name] = hide(value, secrets)[:LONGEST_ARGUMENT]
        elif value is None or isinstance(value, bool | int | float):
            found[name] = value
    return found


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
    if server.weights:
        return server.weights
    raise EndpointError(
        f"{server.url} does not say which revision of {server.model_path!r} it serves; name its"
        " commit with --revision"
    )


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
