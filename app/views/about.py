"""About the data: sources and licences, benchmarks, words, and the builds behind the pages."""

from __future__ import annotations

import streamlit as st

from app import marts
from app.glossary import glossary
from app.page import choose_panel, open_page, show_number
from app.tables import WHERE, WHOSE, count, decimal, show_rows
from app.wording import LANGUAGE_NAMES, as_markdown

snapshot = open_page(
    "About the data",
    "Every number in this app is read from one DuckDB file, which `dbt build` makes from published "
    "and measured scores. This page says whose data they are, which build is shown, and "
    "what the words mean.",
)

choose_panel(snapshot)
counts = marts.counts(snapshot).iloc[0]
models, benchmark_count, scores, source_count = st.columns(4)
show_number(
    models, "Models", f"{counts['model_count']}", f"{counts['base_model_count']} base models"
)
benchmark_count.metric("Benchmarks", f"{counts['benchmark_count']}")
show_number(
    scores, "Scores", f"{counts['score_count']:,}", f"{counts['preferred_score_count']:,} preferred"
)
show_number(
    source_count,
    "Sources",
    f"{counts['source_count']}",
    f"{counts['measured_score_count']:,} scores measured here",
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
show_rows(
    marts.sources(snapshot),
    {
        **WHOSE,
        "score_count": count("Scores"),
        "preferred_score_count": count("of which preferred"),
        **WHERE,
    },
    unknown="none",
)

st.subheader("Benchmarks")
benchmarks = marts.benchmarks(snapshot)
benchmarks["language"] = benchmarks["language"].map(LANGUAGE_NAMES)
show_rows(
    benchmarks,
    {
        "benchmark_name": "Benchmark",
        "language": "Language",
        "skill": "Skill",
        "metric": "Metric",
        "few_shot_count": "Worked examples",
        "item_count": count("Items"),
        "chance_score": decimal("Score of guessing"),
        "counterpart_name": "Same test as",
    },
    unknown="none",
    height="content",
)

st.subheader("Builds")
source = as_markdown(str(snapshot.source))
st.markdown(f"The pages read {source}, which a build takes the place of when it is complete.")
show_rows(
    marts.builds(snapshot),
    {
        "build_number": "Build",
        "command": "Command",
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

st.subheader("Words")
words = glossary().values()
st.markdown(
    "\n".join(
        [
            "| Word | Meaning | Elsewhere |",
            "|---|---|---|",
            *(f"| **{word.word}** | {word.meaning} | {word.elsewhere} |" for word in words),
        ]
    )
)
