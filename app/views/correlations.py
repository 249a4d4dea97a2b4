"""Correlations: which benchmarks rise and fall together over the models of a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import marts
from app.charts.correlations import correlation_heatmap, pair_scatter
from app.glossary import meaning
from app.page import choose_panel, open_page
from app.wording import interval, intervals, number, probability

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
    return dict(zip(rows["benchmark_id"], rows["benchmark_name"], strict=True))


def open_picked_pair() -> None:
    """Put the benchmarks of the picked cell into the boxes of the pair."""
    for cell in st.session_state["heatmap"]["selection"]["pair"]:
        st.session_state["across"] = cell["benchmark_id_1"]
        st.session_state["upright"] = cell["benchmark_id_2"]


def equals(value: float) -> str:
    """A p- or q-value with the sign that belongs before it."""
    text = probability(value)
    return text if text.startswith("<") else f"= {text}"


def show_pair(
    snapshot: Snapshot, panel_id: str, correlations: pd.DataFrame, names: dict[str, str]
) -> None:
    """One pair of benchmarks: its correlations, and the models behind them."""
    st.subheader("One pair of benchmarks")
    left, right = st.columns(2)
    across = left.selectbox(
        "Across", list(names), format_func=names.__getitem__, key="across", bind="query-params"
    )
    upright = right.selectbox(
        "Upwards",
        list(names),
        index=1,
        format_func=names.__getitem__,
        key="upright",
        bind="query-params",
    )
    row = correlations[
        (correlations["benchmark_id_1"] == across) & (correlations["benchmark_id_2"] == upright)
    ].iloc[0]
    if across == upright:
        st.write("Choose two different benchmarks.")
        return
    pearson, lineage, spearman = st.columns(3)
    pearson.metric(
        "Pearson r, 95% interval by models",
        number(row["pearson"]),
        interval(row["pearson_ci_low"], row["pearson_ci_high"]),
        delta_color="off",
        delta_arrow="off",
        help="This interval takes all models as independent, which they are not.",
    )
    lineage.metric(
        "Pearson r, 95% interval by lineages",
        number(row["pearson"]),
        interval(row["pearson_lineage_ci_low"], row["pearson_lineage_ci_high"]),
        delta_color="off",
        delta_arrow="off",
        help=f"{meaning('lineage')} This interval takes whole lineages, not models, as "
        "independent. It is the one to trust.",
    )
    spearman.metric(
        "Spearman, 95% interval by models",
        number(row["spearman"]),
        interval(row["spearman_ci_low"], row["spearman_ci_high"]),
        delta_color="off",
        delta_arrow="off",
        help="Correlation of the ranks of the models instead of their scores.",
    )
    st.markdown(
        f"{row['model_count']} models of {row['lineage_count']} lineages. Chance alone would do "
        f"this with p {equals(row['p_value'])} (Pearson, models taken as independent), or "
        f"q {equals(row['q_value'])} after allowing for all pairs of the panel."
    )
    pairs = marts.pair_scores(snapshot, panel_id, across, upright)
    if pairs.empty:
        st.write("No model of the panel has both scores.")
        return
    st.altair_chart(pair_scatter(pairs, names[across], names[upright]))
    st.caption(
        "Each point is a model; bars are the 95% intervals of its scores over items, where they "
        "are known. A name is left out where it would cover another; point at the model."
    )


def show_cross_lingual_pairs(snapshot: Snapshot, panel_id: str) -> None:
    """The table of Japanese and English benchmarks that go together most."""
    st.subheader("Strongest pairs across languages")
    pairs = marts.cross_lingual_pairs(snapshot, panel_id)
    for method in ("pearson", "pearson_lineage", "spearman"):
        pairs[f"{method}_interval"] = intervals(
            pairs[f"{method}_ci_low"], pairs[f"{method}_ci_high"]
        )
    pairs["q"] = [probability(value) for value in pairs["q_value"]]
    st.dataframe(
        pairs,
        hide_index=True,
        placeholder="unknown",
        height=385,
        column_order=[
            "japanese_benchmark",
            "english_benchmark",
            "is_counterpart",
            "pearson",
            "pearson_interval",
            "pearson_lineage_interval",
            "spearman",
            "spearman_interval",
            "q",
            "model_count",
        ],
        column_config={
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
    )


snapshot = open_page(
    "Correlations",
    "Two benchmarks that rise and fall together over many models seem to ask for the same "
    "ability, even if they are in different languages. Orange cells go together, blue ones run "
    "against each other, and grey numbers could as well be zero.",
)
panel_id = choose_panel(snapshot)
method_box, order_box = st.columns(2)
method = method_box.segmented_control(
    "Correlation",
    list(METHODS),
    default="pearson",
    required=True,
    format_func=lambda key: METHODS[key],
    key="correlation",
)
order = order_box.segmented_control(
    "Benchmarks in the order of",
    list(ORDERS),
    default="component",
    required=True,
    format_func=lambda key: ORDERS[key],
    key="order",
)
names = benchmarks_in_order(snapshot, panel_id, str(order))
correlations = marts.correlations(snapshot, panel_id)
st.altair_chart(
    correlation_heatmap(correlations, list(names.values()), str(method)),
    key="heatmap",
    on_select=open_picked_pair,
)
show_pair(snapshot, panel_id, correlations, names)
show_cross_lingual_pairs(snapshot, panel_id)
