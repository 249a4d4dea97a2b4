"""Scores: the table of models and benchmarks, and every source of one of its cells."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from app import marts
from app.page import choose_panel, open_page
from app.tables import WHERE, WHOSE, count, decimal, show_rows
from app.wording import (
    LANGUAGE_NAMES,
    TRAINING_TYPE_NAMES,
    as_markdown,
    as_shown,
    interval,
    intervals,
    is_unknown,
    number,
    unique_names,
)
from warehouse.outside_text import visible

if TYPE_CHECKING:
    import pandas as pd


SOURCE_COLUMNS = {
    "is_preferred": st.column_config.CheckboxColumn("Preferred"),
    "score": decimal("Score", 4),
    "interval": st.column_config.TextColumn("95% interval"),
    "standard_error": decimal("Standard error", 4),
    **WHOSE,
    "is_suspect": st.column_config.CheckboxColumn(
        "Suspect",
        help="Zero or below chance, where another score clearly says otherwise: never preferred.",
    ),
    "suspect_reason": "Why suspect",
    "metric": "Metric",
    "is_comparable": st.column_config.CheckboxColumn(
        "Comparable", help="Whether the source used the protocol's metric."
    ),
    "item_count": count("Items"),
    "unscored_count": count("Not scored"),
    "standard_error_method": st.column_config.TextColumn(
        "Error by",
        help="binomial: mean of 0/1; bounded_mean: an upper bound for means in [0, 1].",
    ),
    **WHERE,
    "note": "Note",
}


def choose_rows(scores: pd.DataFrame, panel_members: pd.Series[str]) -> pd.DataFrame:
    """The scores that pass the filters above the table. An empty filter lets all pass."""
    search, families, developers, trainings = st.columns(4)
    languages, skills, everyone = st.columns([1, 2, 1])
    listed = everyone.segmented_control(
        "Models",
        ["panel", "all"],
        default="panel",
        required=True,
        format_func={"panel": "of the panel", "all": "all"}.__getitem__,
        help="All models include those that belong to no panel, such as post-trained ones.",
    )
    if listed == "panel":
        scores = scores[scores["model_id"].isin(panel_members)]
    text = search.text_input("Model name contains", placeholder="Swallow, llm-jp, Llama, …")
    chosen = {
        "family": families.multiselect("Family", options(scores["family"]), format_func=visible),
        "developer": developers.multiselect(
            "Developer", options(scores["developer"]), format_func=visible
        ),
        "training_type": trainings.multiselect(
            "Training",
            [key for key in TRAINING_TYPE_NAMES if (scores["training_type"] == key).any()],
            format_func=lambda key: TRAINING_TYPE_NAMES[key],
        ),
        "language": languages.multiselect(
            "Language of the benchmark",
            list(LANGUAGE_NAMES),
            format_func=lambda key: LANGUAGE_NAMES[key],
        ),
        "skill": skills.multiselect(
            "Skill of the benchmark", options(scores["skill"]), format_func=visible
        ),
    }
    for column, values in chosen.items():
        if values:
            scores = scores[scores[column].isin(values)]
    if text:
        is_in_name = scores["model_name"].str.contains(text, case=False, regex=False)
        is_in_id = scores["model_id"].str.contains(text, case=False, regex=False)
        scores = scores[is_in_name | is_in_id]
    return scores


def options(values: pd.Series[str]) -> list[str]:
    """The distinct known values, sorted without regard to case."""
    return sorted(values.dropna().unique(), key=str.casefold)


def cell_text(row: pd.Series[float]) -> str:
    """A score as it stands in the table: with its standard error, starred if not comparable."""
    error = row["standard_error"]
    text = number(row["score"], 3) + ("" if is_unknown(error) else f" ± {number(error, 3)}")
    return text if row["is_comparable"] else f"{text} *"


def show_table(scores: pd.DataFrame, benchmarks: pd.DataFrame) -> None:
    """The table of models and benchmarks. Picking a cell opens its sources further down."""
    shown = benchmarks[benchmarks["benchmark_id"].isin(scores["benchmark_id"])]
    models = scores.drop_duplicates("model_id").set_index("model_id")
    names = unique_names(models.reset_index()).set_axis(models.index)
    table = (
        scores.assign(text=scores.apply(cell_text, axis=1))
        .pivot(index="model_id", columns="benchmark_id", values="text")
        .reindex(columns=shown["benchmark_id"], index=models.index)
    )
    table.insert(0, "model", names)
    # The column stays in sight, so it is as wide as its names, within reason.
    name_width = min(320, 30 + 7 * int(names.str.len().max()))
    table["training"] = models["training_type"].map(TRAINING_TYPE_NAMES)
    columns = {
        "model": st.column_config.TextColumn("Model", pinned=True, width=name_width),
        "training": st.column_config.TextColumn("Training", width="medium"),
    } | {
        row["benchmark_id"]: st.column_config.TextColumn(
            visible(row["benchmark_name"]),
            help=(
                f"{LANGUAGE_NAMES[row['language']]}, {as_markdown(row['skill'])}; "
                f"{as_markdown(row['metric'])}, "
                f"{row['few_shot_count']} worked examples, {row['item_count']:,} items"
            ),
            width=max(114, 9 * len(row["benchmark_name"])),
        )
        for _, row in shown.iterrows()
    }
    st.dataframe(
        table,
        key="scores_table",
        hide_index=True,
        column_config=columns,
        height=420,
        placeholder="",
        on_select=partial(open_picked_cell, list(table.index)),
        selection_mode="single-cell",
    )


def open_picked_cell(model_ids: list[str]) -> None:
    """Put the model and the benchmark of the picked cell into the boxes below the table."""
    for row, column in st.session_state["scores_table"]["selection"]["cells"]:
        st.session_state["model"] = model_ids[row]
        if column not in ("model", "training"):
            st.session_state["benchmark"] = column


def choose_cell(scores: pd.DataFrame, benchmarks: pd.DataFrame) -> tuple[str, str, str]:
    """The model and the benchmark whose sources are shown, and both by name in Markdown."""
    models = scores.drop_duplicates("model_id")
    names = dict(zip(models["model_id"], unique_names(models), strict=True))
    shown = benchmarks["benchmark_name"].map(visible)
    titles = dict(zip(benchmarks["benchmark_id"], shown, strict=True))
    left, right = st.columns(2)
    model_id = left.selectbox("Model", list(names), key="model", format_func=names.__getitem__)
    benchmark_id = right.selectbox(
        "Benchmark", list(titles), key="benchmark", format_func=titles.__getitem__
    )
    name = f"**{as_markdown(names[model_id])}** on **{as_markdown(titles[benchmark_id])}**"
    return model_id, benchmark_id, name


def shown_score(row: pd.Series[float]) -> str:
    """A score with its interval, in words."""
    return f"{number(row['score'], 4)}, 95% interval {interval(row['ci_low'], row['ci_high'], 3)}"


def show_sources(sources: pd.DataFrame, name: str) -> None:
    """All sources of one model's score on one benchmark; `name` says which."""
    if sources.empty:
        st.markdown(f"{name}: no score.")
        return
    preferred = sources[sources["is_preferred"]]
    score = "only suspect scores" if preferred.empty else shown_score(preferred.iloc[0])
    st.markdown(f"{name}: {score}; {len(sources)} source{'s' if len(sources) > 1 else ''}.")
    show_rows(
        sources.assign(interval=intervals(sources["ci_low"], sources["ci_high"], 3)),
        SOURCE_COLUMNS,
        key="sources_table",
    )


snapshot = open_page(
    "Scores",
    "How well each language model does on each benchmark, between 0 (nothing right) and 1 "
    "(everything right). Where several sources give a score, the table shows the preferred one; "
    "pick a cell to see them all.",
)
panel_id = choose_panel(snapshot)
all_scores = marts.preferred_scores(snapshot)
all_benchmarks = marts.benchmarks(snapshot)
members = marts.panel_models(snapshot, panel_id)["model_id"]
chosen_scores = choose_rows(all_scores, members)
if chosen_scores.empty:
    st.write("No score passes these filters.")
    st.stop()
show_table(chosen_scores, all_benchmarks)
note, download = st.columns([3, 1], vertical_alignment="top")
note.caption(
    f"{chosen_scores['model_id'].nunique()} models, {len(chosen_scores)} scores. "
    "± is one standard error over the items of the benchmark; it is unknown for BLEU, and for "
    "scores of exactly 0 or 1. An empty cell is unknown, not zero. \\* marks a score on another "
    "metric than the protocol's, which no panel uses."
)
download.download_button(
    "Download as CSV",
    as_shown(chosen_scores)
    .assign(model_id=chosen_scores["model_id"].map(visible))
    .to_csv(index=False)
    .encode(),
    file_name="scores.csv",
    mime="text/csv",
    icon=":material/download:",
    width="stretch",
)
st.subheader("Where one score comes from")
model_id, benchmark_id, name = choose_cell(chosen_scores, all_benchmarks)
show_sources(marts.score_sources(snapshot, model_id, benchmark_id), name)
