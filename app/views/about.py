"""About the data: sources and licences, benchmarks, words, and the builds behind the pages."""

from __future__ import annotations

import streamlit as st

from app import marts
from app.glossary import glossary
from app.page import choose_panel, open_page
from app.wording import LANGUAGE_NAMES

snapshot = open_page(
    "About the data",
    "Every number in this app is read from one DuckDB file, which `dbt build` makes from published "
    "and measured scores. This page says whose data they are, what the words mean, and which "
    "build is shown.",
)

choose_panel(snapshot)
counts = marts.counts(snapshot).iloc[0]
models, benchmark_count, scores, source_count = st.columns(4)
models.metric(
    "Models",
    f"{counts['model_count']}",
    f"{counts['base_model_count']} base models",
    delta_color="off",
    delta_arrow="off",
)
benchmark_count.metric("Benchmarks", f"{counts['benchmark_count']}")
scores.metric(
    "Scores",
    f"{counts['score_count']:,}",
    f"{counts['preferred_score_count']:,} preferred",
    delta_color="off",
    delta_arrow="off",
)
source_count.metric(
    "Sources",
    f"{counts['source_count']}",
    f"{counts['measured_score_count']:,} scores measured here",
    delta_color="off",
    delta_arrow="off",
)

st.subheader("Sources and licences")
st.markdown(
    "Published scores are by the **Swallow LLM team** "
    "([swallow-llm/evaluation](https://github.com/swallow-llm/evaluation), MIT; "
    "[swallow-llm/leaderboard](https://github.com/swallow-llm/leaderboard), "
    "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)), read at the commits below and "
    "changed only in form. Name them when you use these numbers. The questions are those of "
    "[Why We Build Local Large Language Models](https://arxiv.org/abs/2412.14471)."
)
st.dataframe(
    marts.sources(snapshot),
    hide_index=True,
    placeholder="none",
    column_order=[
        "source_repo",
        "source_date",
        "licence",
        "attribution",
        "score_count",
        "preferred_score_count",
        "score_source",
        "source_file",
        "source_ref",
    ],
    column_config={
        "source_repo": "Repository",
        "source_date": st.column_config.DateColumn("Date"),
        "licence": "Licence",
        "attribution": "Attribution",
        "score_count": st.column_config.NumberColumn("Scores", format="localized"),
        "preferred_score_count": st.column_config.NumberColumn(
            "of which preferred", format="localized"
        ),
        "score_source": "Kind",
        "source_file": "File",
        "source_ref": "Commit or run",
    },
)

st.subheader("Benchmarks")
benchmarks = marts.benchmarks(snapshot)
benchmarks["language"] = benchmarks["language"].map(LANGUAGE_NAMES)
st.dataframe(
    benchmarks,
    hide_index=True,
    height="content",
    placeholder="none",
    column_order=[
        "benchmark_name",
        "language",
        "skill",
        "metric",
        "few_shot_count",
        "item_count",
        "chance_score",
        "counterpart_name",
    ],
    column_config={
        "benchmark_name": "Benchmark",
        "language": "Language",
        "skill": "Skill",
        "metric": "Metric",
        "few_shot_count": "Worked examples",
        "item_count": st.column_config.NumberColumn("Items", format="localized"),
        "chance_score": st.column_config.NumberColumn("Score of guessing", format="%.2f"),
        "counterpart_name": "Same test in the other language",
    },
)

st.subheader("Words")
words = glossary().values()
st.markdown(
    "\n".join(
        [
            "| word | meaning | elsewhere |",
            "|---|---|---|",
            *(f"| **{word.word}** | {word.meaning} | {word.elsewhere} |" for word in words),
        ]
    )
)

st.subheader("Builds")
st.markdown(f"The pages read a copy of `{snapshot.source}`, taken when its build was complete.")
st.dataframe(
    marts.builds(snapshot),
    hide_index=True,
    column_config={
        "started_at": st.column_config.DatetimeColumn("Started (UTC)"),
        "finished_at": st.column_config.DatetimeColumn("Finished (UTC)"),
        "is_full": st.column_config.CheckboxColumn(
            "Full", help="Whether everything was built, not a selection."
        ),
        "is_success": st.column_config.CheckboxColumn("Succeeded"),
        "node_count": "Steps",
        "failed_count": "Failed or skipped",
        "invocation_id": "Invocation",
    },
)
