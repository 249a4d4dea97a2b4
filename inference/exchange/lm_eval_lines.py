"""lm-eval lines: what one line of logged samples says, in whichever version's shape.

Everything but the document itself is text in it. Written since version 0.4; the shapes were taken
from files that 0.4.9.2 and 0.4.13 wrote, and early versions have lists for the later objects.
"""

from __future__ import annotations

import json
import math
from typing import Any

from inference.exchange.logged_samples import NO_FILTER, Form, LoggedRequest, LoggedSample
from warehouse.records import HIGHEST_LOG_LIKELIHOOD

KNOWN_KEYS = {
    "doc_id",
    "doc",
    "target",
    "arguments",
    "resps",
    "filtered_resps",
    "filter",
    "metrics",
    "doc_hash",
    "prompt_hash",
    "target_hash",
}
"""Keys of a line that are no metric; early versions do not list the metrics."""

_Asked = tuple[Form, tuple[str, ...], tuple[LoggedRequest, ...]]
"""Form, choices and requests of a line."""


def logged_sample(values: Any, line_number: int) -> LoggedSample:
    """The sample of a line that was read from JSON.

    Raises:
        KeyError: a key is missing.
        ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError: something
            in it is not what the harness writes, or is of a kind that cannot be imported.
    """
    arguments = _arguments(values["arguments"])
    responses = values["resps"]
    if len(arguments) != len(responses) or not arguments:
        raise ValueError(f"{len(arguments)} arguments have {len(responses)} responses")
    seconds: list[Any] = [argument[1] if len(argument) > 1 else None for argument in arguments]
    is_generation = isinstance(seconds[0], dict)
    if not is_generation and not all(isinstance(second, str) for second in seconds):
        raise ValueError(
            "neither a text to complete nor continuations to weigh (rolling log-likelihoods, of"
            " which perplexities are made, cannot be imported)"
        )
    form, choices, requests = (_generated if is_generation else _weighed)(arguments, responses)
    return LoggedSample(
        line_number=line_number,
        doc_id=_doc_id(values["doc_id"]),
        doc=_json(values["doc"]),
        target=str(values["target"]),
        form=form,
        choices=choices,
        requests=requests,
        filter=_text(values.get("filter") or NO_FILTER, "filter"),
        answer=_first(values["filtered_resps"]) if is_generation else None,
        scores={
            _text(name, "metric"): _number(values[name])
            for name in values.get("metrics") or [key for key in values if key not in KNOWN_KEYS]
        },
    )


def _doc_id(value: Any) -> str:
    """The place of a document in its file, or its name, as text."""
    if isinstance(value, str) or (type(value) is int and value >= 0):
        return str(value)
    raise ValueError(f"doc_id is {value!r:.80}, which is neither a number from 0 nor a text")


def _arguments(values: Any) -> list[list[Any]]:
    """Arguments as lists: files have {"gen_args_0": {"arg_0": ..., "arg_1": ...}, ...}."""
    return [_listed(argument, "arg_") for argument in _listed(values, "gen_args_")]


def _listed(values: Any, prefix: str) -> list[Any]:
    if isinstance(values, dict):
        return [values[f"{prefix}{index}"] for index in range(len(values))]
    if not isinstance(values, list):
        raise TypeError(f"arguments are {values!r:.80}, which is no list")
    return values


def _generated(arguments: list[list[Any]], responses: list[Any]) -> _Asked:
    if len(arguments) > 1:
        raise ValueError("several texts to complete for one document")
    ((context, decoding, *_),) = arguments
    (completions,) = responses
    if not isinstance(completions, list) or not completions:
        raise ValueError(f"completions are {completions!r:.80}, which is no list of some")
    # A chat is a list of messages.
    prompt = context if isinstance(context, str) else _json(context)
    requests = (
        LoggedRequest(
            prompt=prompt,
            decoding=_json(decoding),
            sample_index=index,
            completion=None if completion is None else _text(completion, "completion"),
        )
        for index, completion in enumerate(completions)
    )
    return "generation", (), tuple(requests)


def _weighed(arguments: list[list[Any]], responses: list[Any]) -> _Asked:
    contexts = [_text(argument[0], "context") for argument in arguments]
    continuations: list[str] = [argument[1] for argument in arguments]
    values = [_log_likelihood(response[0][0]) for response in responses]
    # For acc_mutual_info the choices are weighed a second time, after nothing.
    half = len(contexts) // 2
    is_doubled = (
        half > 0
        and continuations[:half] == continuations[half:]
        and not any(contexts[half:])
        and any(contexts[:half])
    )
    count = half if is_doubled else len(contexts)
    form: Form = "single"
    if count > 1:
        form = "choices" if len(set(contexts[:count])) == 1 else "contexts"
        if form == "contexts" and len(set(continuations[:count])) > 1:
            raise ValueError("both the contexts and the continuations differ")
    # What is asked at once: all choices of a context, or the continuation after each context.
    size = count if form == "choices" else 1
    requests = [
        LoggedRequest(
            prompt=contexts[start],
            continuations=tuple(continuations[start : start + size]),
            variant_index=start // size,
            log_likelihoods=tuple(values[start : start + size]),
        )
        for start in range(0, count, size)
    ]
    if is_doubled:
        requests.append(
            LoggedRequest(
                prompt="",
                continuations=tuple(continuations[count:]),
                purpose="unconditional",
                log_likelihoods=tuple(values[count:]),
            )
        )
    texts = contexts if form == "contexts" else [text.removeprefix(" ") for text in continuations]
    return form, tuple(texts[:count]), tuple(requests)


def _log_likelihood(value: Any) -> float:
    """A log-likelihood, which is text in most files; not a number where none was logged."""
    if isinstance(value, bool):
        raise ValueError(f"a log-likelihood is {value}, which is no number")
    number = math.nan if value is None else float(value)
    if HIGHEST_LOG_LIKELIHOOD < number < math.inf:
        raise ValueError(f"a log-likelihood is {number}, which is more than 0")
    return number


def _first(filtered: Any) -> str | None:
    while isinstance(filtered, list) and filtered:
        filtered = filtered[0]
    return None if filtered is None else str(filtered)


def _number(value: Any) -> float | None:
    if not isinstance(value, bool | int | float) or math.isnan(value):
        return None
    return float(value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r:.80}, which is no text")
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
