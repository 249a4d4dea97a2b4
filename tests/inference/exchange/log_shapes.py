"""Logs of every shape: what the reader of another harness's files may meet, made by hypothesis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

TIME = "2026-11-23T22-06-38.045707"

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", " ", "\x00", "\u0085", "\u2028", "'", '"', "null", "[]", "😀", " a", "0"]),
)

numbers = st.one_of(
    st.floats(),
    st.integers(),
    st.booleans(),
    st.sampled_from([0, 1, 0.5, -1.5, 1e308, 5e-324, 2**63]),
)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)
        ),
        max_leaves=5,
    )


values = nested(st.one_of(st.none(), numbers, texts))
"""What JSON can say."""

damage = nested(
    st.one_of(st.none(), numbers, texts, st.sampled_from(["\ud800", "a\udfffb", 10**400]))
)
"""And what only Python's reader of it takes for a value."""

targets = st.one_of(
    texts,
    st.integers(-1, 5).map(str),
    st.lists(texts, max_size=3).map(str),
    st.sampled_from(["['\\ud800']", "[{[]: 1}]", "[" * 200, "[1, 2]", "9" * 5000, "٣"]),
    numbers,
)

log_likelihoods = st.one_of(
    st.floats(max_value=0, allow_nan=False).map(str),
    st.floats(max_value=0, allow_nan=False),
    st.sampled_from(["-inf", "nan", "inf", "-0.0", "0.00001", None, 0, -1, "-1e999"]),
)

FILTERS = ["none", "strict-match", "flexible/extract", "é"]

METRICS = ["acc", "exact_match", "bleu", "é"]


@st.composite
def documents(draw: st.DrawFn, form: str) -> dict[str, Any]:
    """What is the same in the lines of all filters."""
    common = {"doc": draw(st.dictionaries(texts, values, max_size=2)), "target": draw(targets)}
    if form == "generation":
        options = draw(st.dictionaries(st.sampled_from(["until", "temperature"]), values))
        completions = draw(st.lists(st.one_of(texts, st.none()), min_size=1, max_size=3))
        arguments, responses = [[draw(texts), options]], [completions]
    else:
        counts = st.just(1) if form == "single" else st.integers(2, 4)
        options = draw(counts.flatmap(lambda count: st.lists(texts, min_size=count, max_size=4)))
        options = options[:1] if form == "single" else options
        rest = draw(texts)
        pairs = [[rest, option] for option in options]
        if form == "contexts":
            pairs = [[option, rest] for option in options]
        if form == "choices" and draw(st.booleans()):
            pairs += [["", option] for option in options]
        arguments, responses = pairs, [[[draw(log_likelihoods), "False"]] for _ in pairs]
    if draw(st.booleans()):
        arguments = {
            f"gen_args_{i}": {f"arg_{k}": value for k, value in enumerate(argument)}
            for i, argument in enumerate(arguments)
        }
    return common | {"arguments": arguments, "resps": responses}


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[dict[str, Any]], Any]:
    """Lines of a log, one of which may be damaged, and what its results say: null for no file."""
    form = draw(st.sampled_from(["generation", "generation", "choices", "contexts", "single"]))
    filters = draw(st.lists(st.sampled_from(FILTERS), min_size=1, max_size=2, unique=True))
    metrics = draw(st.lists(st.sampled_from(METRICS), max_size=3, unique=True))
    asked = draw(st.lists(documents(form), min_size=1, max_size=3))
    lines = [
        document
        | {"doc_id": index, "filter": name, "metrics": metrics}
        | {"filtered_resps": draw(st.one_of(st.lists(texts, max_size=2), texts))}
        | {metric: draw(st.one_of(numbers, st.none(), st.just([0.5, 1]))) for metric in metrics}
        for name in filters
        for index, document in enumerate(asked)
    ]
    if draw(st.integers(0, 3)) == 0:
        line = draw(st.sampled_from(lines))
        key = draw(st.sampled_from([*line, "resps", "arguments"]))
        if draw(st.booleans()):
            line[key] = draw(damage)
        else:
            del line[key]
    results = draw(
        st.one_of(
            st.none(),
            st.just({"model_name": "example/model", "versions": {"task": 1.0}}),
            st.dictionaries(
                st.sampled_from(["model_name", "config", "configs", "versions", "lm_eval_version"]),
                values,
            ),
            damage,
        )
    )
    return lines, results


def write_log(folder: Path, lines: list[Any], results: Any) -> Path:
    folder.mkdir(parents=True)
    path = folder / f"samples_task_{TIME}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if results is not None:
        (folder / f"results_{TIME}.json").write_text(json.dumps(results), encoding="utf-8")
    return path
