"""What is kept of lm-eval results: named fields, of how the harness was called and declares a task.

Whoever calls the harness may give it keys, tokens and addresses with passwords, as arguments of the
model, of a data set or of a completion; results have all of them. What is not named here is not
kept.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from inference.credentials import LONGEST_ARGUMENT, hide, shown
from inference.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

INVOCATION = frozenset(
    {
        "model",
        "model_num_parameters",
        "model_dtype",
        "model_revision",
        "model_sha",
        "batch_size",
        "batch_sizes",
        "device",
        "limit",
        "bootstrap_iters",
        "random_seed",
        "numpy_seed",
        "torch_seed",
        "fewshot_seed",
    }
)
"""Fields of `config` with a plain value or a list of some."""

MODEL_ARGUMENTS = frozenset(
    {
        "pretrained",
        "model",
        "revision",
        "subfolder",
        "tokenizer",
        "tokenizer_backend",
        "tokenized_requests",
        "peft",
        "delta",
        "gguf_file",
        "backend",
        "dtype",
        "quantization",
        "load_in_4bit",
        "load_in_8bit",
        "trust_remote_code",
        "add_bos_token",
        "prefix_token_id",
        "truncation",
        "max_length",
        "max_model_len",
        "max_gen_toks",
        "batch_size",
        "max_batch_size",
        "num_concurrent",
        "device",
        "parallelize",
        "attn_implementation",
        "tensor_parallel_size",
        "data_parallel_size",
        "pipeline_parallel_size",
        "tp_size",
        "dp_size",
        "gpu_memory_utilization",
        "mem_fraction_static",
        "seed",
        "enable_thinking",
        "think_end_token",
    }
)
"""Arguments of models, over the kinds of models that the harness has."""

ADDRESS = "base_url"
"""The argument of a model that says where it is served."""

DECODING = frozenset(
    {
        "until",
        "do_sample",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "max_gen_toks",
        "max_new_tokens",
        "max_tokens",
        "num_beams",
        "repetition_penalty",
        "seed",
    }
)
"""Arguments of completions (`gen_kwargs`, and `generation_kwargs` of a task)."""

TASK = frozenset(
    {
        "task",
        "dataset_path",
        "dataset_name",
        "training_split",
        "validation_split",
        "test_split",
        "fewshot_split",
        "description",
        "doc_to_text",
        "doc_to_target",
        "doc_to_choice",
        "target_delimiter",
        "fewshot_delimiter",
        "num_fewshot",
        "output_type",
        "repeats",
        "should_decontaminate",
    }
)
"""Fields of a task's configuration with a plain value or a list of some."""

METRIC = frozenset(
    {"metric", "aggregation", "higher_is_better", "ignore_case", "ignore_punctuation"}
)
"""Fields of an element of `metric_list`."""

_QUERY = re.compile(r"(://[^\s?#]*)[?#]\S*")
"""An address with what follows its path, which may be a signature."""


def kept_invocation(config: Any) -> dict[str, Any]:
    """Of `config`, what says how answers came about."""
    if not isinstance(config, dict):
        return {}
    kept = _named(config, INVOCATION)
    arguments = as_pairs(config.get("model_args"))
    found = _named(arguments, MODEL_ARGUMENTS)
    if isinstance(address := arguments.get(ADDRESS), str):
        # Of what is no address of a server, nobody knows what is in it.
        with suppress(RunError):
            found[ADDRESS] = shown(address)
    if found:
        kept["model_args"] = found
    if decoding := _named(as_pairs(config.get("gen_kwargs")), DECODING):
        kept["gen_kwargs"] = decoding
    return kept


def kept_task(configuration: Any) -> dict[str, Any]:
    """Of what `configs` says of a task, what says how it asks and scores."""
    if not isinstance(configuration, dict):
        return {}
    kept = _named(configuration, TASK)
    if decoding := _named(as_pairs(configuration.get("generation_kwargs")), DECODING):
        kept["generation_kwargs"] = decoding
    metrics = configuration.get("metric_list")
    if isinstance(metrics, list):
        kept["metric_list"] = [_named(one, METRIC) for one in metrics if isinstance(one, dict)]
    # The harness adds the arguments of the model to it.
    if version := _named(as_pairs(configuration.get("metadata")), frozenset({"version"})):
        kept["metadata"] = version
    return kept


def as_pairs(arguments: Any) -> dict[str, Any]:
    """Arguments by name; early versions write them as they were typed: pretrained=a/b,dtype=x."""
    if isinstance(arguments, str):
        pairs = (part.split("=", 1) for part in arguments.split(",") if "=" in part)
        return {name.strip(): value for name, value in pairs}
    return arguments if isinstance(arguments, dict) else {}


def without_credentials(text: str) -> str:
    """The text; of addresses in it without user, password and what follows the path."""
    return _QUERY.sub(r"\1", hide(text, ()))


def _named(values: dict[str, Any], names: AbstractSet[str]) -> dict[str, Any]:
    """The plain values with these names, and lists of some."""
    found: dict[str, Any] = {}
    for name in sorted(names & values.keys()):
        value = values[name]
        if isinstance(value, list):
            found[name] = [_short(one) for one in value if _is_plain(one)]
        elif _is_plain(value):
            found[name] = _short(value)
    return found


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _short(value: Any) -> Any:
    return without_credentials(value)[:LONGEST_ARGUMENT] if isinstance(value, str) else value
