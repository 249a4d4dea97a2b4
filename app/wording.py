"""Wording: names people can read for the values in the marts, and numbers with their intervals."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from warehouse.outside_text import visible

if TYPE_CHECKING:
    import pandas as pd

LANGUAGE_NAMES: Final = {"ja": "Japanese", "ja-en": "translation", "en": "English"}
"""Languages of benchmarks, in the order in which they are listed."""

BUDGET_LANGUAGE_NAMES: Final = {
    "total": "all text",
    "ja": "Japanese text",
    "en": "English text",
    "code": "code",
    "other": "other languages",
}
"""What the training compute was spent on, in the order in which it is offered."""

TRAINING_TYPE_NAMES: Final = {
    "from_scratch_ja": "from scratch, Japanese",
    "from_scratch_en": "from scratch, English",
    "from_scratch_multi": "from scratch, multilingual",
    "continual_ja": "continued in Japanese",
    "continual_en": "continued in English",
    "pruned": "pruned",
    "upscaled": "upscaled",
    "distilled": "distilled",
    "post_trained": "post-trained",
}
"""How a model's weights came about."""

METHOD_NAMES: Final = {
    "ols": "least squares, by models",
    "ols_lineage_jackknife": "least squares, by lineages (jackknife)",
    "ols_lineage_cr2": "least squares, by lineages (CR2)",
    "lineage_fixed_effects": "within lineages",
    "lineage_random_intercepts": "lineages at random levels",
}
"""How a slope and its interval are estimated, in the order in which they are listed."""

TARGET_UNITS: Final = {
    "component": "standardised score units",
    "anchored": "standard deviations over the reference panel",
    "benchmark": "0–1",
}
"""The unit of what a scaling line predicts."""

UNKNOWN: Final = "–"
"""What is shown for a null."""


def is_unknown(value: float | None) -> bool:
    """Whether a number is null, in either of the ways a data frame says so."""
    return value is None or math.isnan(value)


def number(value: float | None, digits: int = 2) -> str:
    """A number with a fixed count of decimals and a true minus sign; a dash for null."""
    if value is None or math.isnan(value):
        return UNKNOWN
    text = f"{value:.{digits}f}"
    # "-0.00" would suggest a sign that the printed digits do not have.
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "\N{MINUS SIGN}")


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """An interval in brackets; a dash if either end is null."""
    if is_unknown(low) or is_unknown(high):
        return UNKNOWN
    return f"[{number(low, digits)}, {number(high, digits)}]"


def intervals(low: pd.Series[float], high: pd.Series[float], digits: int = 2) -> list[str]:
    """`interval` of each row."""
    return [interval(*ends, digits) for ends in zip(low, high, strict=True)]


def with_interval(
    value: float | None, low: float | None, high: float | None, digits: int = 2
) -> str:
    """A number followed by its interval; the number alone if the interval is null."""
    if is_unknown(low) or is_unknown(high):
        return number(value, digits)
    return f"{number(value, digits)} {interval(low, high, digits)}"


def probability(value: float | None) -> str:
    """A p- or q-value with three decimals, and no smaller than "< 0.001"; a dash for null."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def power_of_ten(value: float | None) -> str:
    """A large number as 3.2×10²¹; a dash for null or zero."""
    if value is None or math.isnan(value) or value <= 0:
        return UNKNOWN
    mantissa, exponent = f"{value:.1e}".split("e")
    digits = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa}×10{digits}"


IDS: Final = re.compile(r"_id(_\d)?$")

REWRITTEN: Final = re.compile(r":\S|[<>@=~^$`]|www\.|--", re.IGNORECASE)
"""What Streamlit's Markdown makes something of even behind a backslash: links, icons, arrows."""


def as_markdown(text: str) -> str:
    """Markdown that shows `text`, which may come from outside, and is nothing but text."""
    text = visible(text)
    if not REWRITTEN.search(text):
        return re.sub(r"[\\*_\[\]#!|&{}]", r"\\\g<0>", text)
    # In code nothing is rewritten. Its fence is longer than any in the text.
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def as_shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their texts visible, but for the columns of ids, by which rows are found."""
    texts = (
        column
        for column in rows.columns
        if rows[column].dtype.kind == "O" and not IDS.search(str(column))
    )
    return rows.assign(
        **{
            column: rows[column].map(lambda one: visible(one) if isinstance(one, str) else one)
            for column in texts
        }
    )


def target_name(target_kind: str, target: str, benchmark_names: dict[str, str]) -> str:
    """Name of what a scaling line predicts: "ability on component 1", "score on MMLU"."""
    if target_kind == "component":
        return f"ability on component {target.removeprefix('component_')}"
    if target_kind == "anchored":
        return f"ability on the reference's component {target.removeprefix('anchored_')}"
    return f"score on {benchmark_names.get(target, target)}"


def unique_names(models: pd.DataFrame) -> pd.Series[str]:
    """Names of the models, with the id added where two models share a name."""
    names: pd.Series[str] = models["model_name"]
    is_shared = names.duplicated(keep=False)
    return names.where(~is_shared, names + " (" + models["model_id"] + ")").map(visible)


def set_aside(count: int) -> str:
    """What is set aside, and where to read of it; empty for nothing."""
    if not count:
        return ""
    results = "1 measured result is" if count == 1 else f"{count:,} measured results are"
    return f"{results} set aside, as something is wrong with them: see marts.fct_set_aside."
