"""Scores of runs on benchmarks whose metric is no mean over items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.estimation.corpus import corpus_bleu, median_of_resampled_means

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from models.estimation.corpus import CorpusScore

COLUMNS = {
    "piece_id": "string",
    "score": "float64",
    "standard_error": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
}


COUNT_COLUMNS = {
    **{f"match_{n}": f"match_counts[{n}]" for n in range(1, 5)},
    **{f"ngram_{n}": f"ngram_counts[{n}]" for n in range(1, 5)},
    "candidate_length": "candidate_length",
    "reference_length": "reference_length",
}
"""Columns of counts, in the order of `corpus_bleu`, and the SQL that makes them: numbers come out
of DuckDB at once, lists one by one."""


def scores_of(samples: pd.DataFrame, aggregation: str) -> pd.DataFrame:
    """Score of each piece in `samples`, whose unscored samples are left out.

    `samples` has piece_id and score; for corpus_bleu also COUNT_COLUMNS.
    """
    rows = [
        {"piece_id": piece_id, **_score(group, aggregation)._asdict()}
        for piece_id, group in samples.dropna(subset=["score"]).groupby("piece_id")
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _score(samples: pd.DataFrame, aggregation: str) -> CorpusScore:
    if aggregation == "median_of_resampled_means":
        return median_of_resampled_means(samples["score"].to_numpy(np.float64))
    counts = samples[list(COUNT_COLUMNS)].to_numpy(np.int64)
    return corpus_bleu(counts)


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """Scores of runs with a corpus metric, of the pieces that are not held as they are."""
    # Its way of being built and what it forgets are said in _scores.yml.
    pieces = dbt.ref("int_run_pieces").filter("aggregation != 'mean'")
    wanted: pd.DataFrame = pieces.project("piece_id, content_key, run_id").df()
    if dbt.is_incremental:
        held: pd.DataFrame = session.table(str(dbt.this)).project("piece_id, content_key").df()
        wanted = wanted.merge(held, how="left", indicator=True).query("_merge == 'left_only'")
        wanted = wanted.drop(columns="_merge")
    # Items in a fixed order: a resampling with a seed is of rows by their place.
    order = "piece_id, item_hash, sample_index"
    keys = f"{order}, score"
    counts = ", ".join(f"{sql} as {name}" for name, sql in COUNT_COLUMNS.items())
    session.register("wanted", wanted[["piece_id"]])
    is_wanted = "piece_id in (select piece_id from wanted)"
    translation_scores = dbt.ref("int_translation_scores").filter(is_wanted)
    translations: pd.DataFrame = translation_scores.project(f"{keys}, {counts}").order(order).df()
    summary_scores = dbt.ref("int_summary_scores").filter(is_wanted)
    summaries: pd.DataFrame = summary_scores.project(keys).order(order).df()
    session.unregister("wanted")
    scores = pd.concat(
        [
            scores_of(translations, "corpus_bleu"),
            scores_of(summaries, "median_of_resampled_means"),
        ]
    )
    return wanted.astype("string").merge(scores, on="piece_id")
