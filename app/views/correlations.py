"""Correlations: which benchmarks rise and fall together over the models of a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import marts
from app.charts.correlations import correlation_heatmap, pair_scatter
from app.glossary import meaning
from app.page import choose_panel, open_page, show_number
from app.tables import show_rows
from app.wording import interval, intervals, number, probability
from warehouse.outside_text import visible

if TYPE_CHECKING:
    import pandas as pd

    from app.snapshot import Snapshot

METHODS = {"pearson": "Pearson", "spearman": "Spearman (ranks)"}
ORDERS = {"component": "loading on component 1", "language": "language and skill"}


def benchmarks_in_order(snapshot: Snapshot, panel_id: str, order: str) -> dict[str, str]:
    """Names of the benchmarks by id, in the order of the axes of the heatmap."""
    if order == "component":
        rows = marts.component_loadings(snapshot, panel_id, 1)
    else:
        rows = marts.benchmarks(snapshot)
    return dict(zip(rows["benchmark_id"], rows["benchmark_name"].map(visible), strict=True))


def open_picked_pair() -> None:
    """Put the benchmarks of the picked cell into the boxes of the pair."""
    for cell in st.session_state["heatmap"]["selection"]["pair"]:
        st.session_state["across"] = cell["benchmark_id_1"]
        st.session_state["upright"] = cell["benchmark_id_2"]


def equals(value: float) -> str:
    """A p- or q-value with the sign that belongs before it."""
    text = probability(value)
    return text if text.startswith("<") else f"= {text}"


def choose_one(label: str, choices: dict[str, str], *, key: str) -> str:
    """The key of the chosen one of a few choices, the first unless another is chosen."""
    return str(
        st.segmented_control(
            label,
            list(choices),
            default=next(iter(choices)),
            required=True,
            format_func=choices.__getitem__,
            key=key,
        )
    )


def choose_pair(names: dict[str, str]) -> tuple[str, str]:
    """The two benchmarks that are looked at more closely."""
    benchmark_ids, (left, right) = list(names), st.columns(2)
    across = left.selectbox(
        "Across", benchmark_ids, format_func=names.__getitem__, key="across", bind="query-params"
    )
    upright = right.selectbox(
        "Upwards",
        benchmark_ids,
        index=1,
        format_func=names.__getitem__,
        key="upright",
        bind="query-params",
    )
    return across, upright


def show_coefficients(pair: pd.Series[float]) -> None:
    """The correlations of one pair with their intervals, and what chance would do."""
    by_models, by_lineages, of_ranks = st.columns(3)
    for box, label, estimate, ends, explanation in (
        (
            by_models,
            "Pearson r, 95% interval by models",
            "pearson",
            "pearson",
            "This interval takes all models as independent, which they are not.",
        ),
        (
            by_lineages,
            "Pearson r, 95% interval by lineages",
            "pearson",
            "pearson_lineage",
            f"{meaning('lineage')} This interval takes whole lineages, not models, as independent.",
        ),
        (
            of_ranks,
            "Spearman, 95% interval by models",
            "spearman",
            "spearman",
            "Correlation of the ranks of the models instead of their scores.",
        ),
    ):
        show_number(
            box,
            label,
            number(pair[estimate]),
            interval(pair[f"{ends}_ci_low"], pair[f"{ends}_ci_high"]),
            explanation=explanation,
        )
    st.markdown(
        f"{pair['model_count']} models of {pair['lineage_count']} lineages. Chance alone would do "
        f"this with p {equals(pair['p_value'])} (Pearson, models taken as independent), or "
        f"q {equals(pair['q_value'])} after allowing for all pairs of the panel."
    )


def show_models(scores: pd.DataFrame, name_1: str, name_2: str) -> None:
    """The models behind the correlation of one pair."""
    if scores.empty:
        st.write("No model of the panel has both scores.")
        return
    st.altair_chart(pair_scatter(scores, name_1, name_2))
    st.caption(
        "Each point is a model; bars are the 95% intervals of its scores over items, where they "
        "are known. A name is left out where it would cover another; point at the model."
    )


def show_cross_lingual_pairs(pairs: pd.DataFrame) -> None:
    """The table of Japanese and English benchmarks that go together most."""
    for method in ("pearson", "pearson_lineage", "spearman"):
        pairs[f"{method}_interval"] = intervals(
            pairs[f"{method}_ci_low"], pairs[f"{method}_ci_high"]
        )
    pairs["q"] = pairs["q_value"].map(probability)
    show_rows(
        pairs,
        {
            "japanese_benchmark": "Japanese benchmark",
            "english_benchmark": "English benchmark",
            "is_counterpart": st.column_config.CheckboxColumn(
                "Same test", width="small", help="Whether one is the other in translation."
            ),
            "pearson": st.column_config.NumberColumn("Pearson r", width="small", format="%.2f"),
            "pearson_interval": st.column_config.TextColumn(
                "95% interval", help="Of Pearson r, models taken as independent."
            ),
            "pearson_lineage_interval": st.column_config.TextColumn(
                "by lineages",
                help="95% interval of Pearson r that takes whole lineages as independent.",
            ),
            "spearman": st.column_config.NumberColumn("Spearman", width="small", format="%.2f"),
            "spearman_interval": st.column_config.TextColumn(
                "its interval", help="95% interval of Spearman, models taken as independent."
            ),
            "q": st.column_config.TextColumn(
                "q", width="small", help="p of Pearson, adjusted for all pairs."
            ),
            "model_count": st.column_config.NumberColumn("Models", width="small"),
        },
        height=385,
    )


snapshot = open_page(
    "Correlations",
    "Two benchmarks that rise and fall together over many models seem to ask for the same "
    "ability, even if they are in different languages. Orange cells go together, blue ones run "
    "against each other, and grey numbers could as well be zero.",
)
panel_id = choose_panel(snapshot)
method_box, order_box = st.columns(2)
with method_box:
    method = choose_one("Correlation", METHODS, key="correlation")
with order_box:
    order = choose_one("Benchmarks in the order of", ORDERS, key="order")
names = benchmarks_in_order(snapshot, panel_id, order)
correlations = marts.correlations(snapshot, panel_id)
st.altair_chart(
    correlation_heatmap(correlations, list(names.values()), method),
    key="heatmap",
    on_select=open_picked_pair,
)
st.subheader("One pair of benchmarks")
across, upright = choose_pair(names)
if across == upright:
    st.write("Choose two different benchmarks.")
else:
    is_pair = (correlations["benchmark_id_1"] == across) & (
        correlations["benchmark_id_2"] == upright
    )
    show_coefficients(correlations[is_pair].iloc[0])
    show_models(
        marts.pair_scores(snapshot, panel_id, across, upright), names[across], names[upright]
    )
st.subheader("Strongest pairs across languages")
show_cross_lingual_pairs(marts.cross_lingual_pairs(snapshot, panel_id))
