"""Warehouse: the app's only door to data, open on the last complete build and never on another.

DuckDB lets one process write a file, or many read it. A page that kept the warehouse open would
stop `dbt build`, and a page that opened it in the middle of a build would find nothing or half of
it. So pages read a private copy, a *snapshot*. `open_snapshot` looks whether the warehouse file
has changed and, if its newest build is complete, copies the file while holding it open for
reading (so that no build can start under the copy), which is the only time the app touches it.
Otherwise it goes on serving the snapshot it has and says why in `Snapshot.source_state`.

Snapshots are kept in `.app/` beside the warehouse file rather than in the system's temporary
directory: that is the disk meant for data of this size (a temporary directory is often memory),
nothing tidies it away while the newest build is a failed one, and it goes when the data go. The
two newest are kept, because a page in another process may still be reading the older one.

Every function below the line of dashes is one question to the marts. It takes the snapshot it is
about and returns a new data frame whose columns are those of its `select`; nulls come back as
NaN, NaT or None. Answers are remembered by snapshot: the file under a path never changes.
"""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from warehouse.connection import connect_read_only, warehouse_path
from warehouse.errors import WarehouseBusyError, WarehouseError
from warehouse.whole_files import whole_file

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

READ_MARTS = (
    "dim_benchmarks",
    "dim_models",
    "dim_panel_models",
    "dim_panels",
    "fct_benchmark_correlations",
    "fct_benchmark_scores",
    "fct_component_loadings",
    "fct_component_variances",
    "fct_model_abilities",
    "fct_panel_scores",
    "fct_run_scores",
    "fct_scaling_curves",
    "fct_scaling_fits",
    "fct_scaling_points",
    "fct_token_budgets",
)
"""The tables the app reads. A warehouse that lacks one of them is not adopted."""

KEPT_SNAPSHOT_COUNT = 2
ABANDONED_COPY_SECONDS = 3600
"""A copy not finished after this long was left behind by a process that died."""


class SourceState(StrEnum):
    """How the warehouse file stands to the snapshot that is served."""

    CURRENT = "current"
    """The snapshot is a copy of it."""
    BUILDING = "building"
    """Another process is writing it."""
    FAILED = "failed"
    """A step of its newest build failed."""
    INTERRUPTED = "interrupted"
    """Its newest build was stopped before it finished."""
    INCOMPLETE = "incomplete"
    """It lacks a table the app reads, or the record of builds."""
    MISSING = "missing"
    """There is no such file."""
    UNREADABLE = "unreadable"
    """It cannot be opened or copied."""


class NoSnapshotError(WarehouseError):
    """There is no complete build to show yet. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a warehouse that one complete build has left."""

    path: Path
    """The copy. Its content never changes, so the path identifies what is read."""
    source: Path
    """The warehouse file it was copied from."""
    built_at: datetime
    """When the build it holds was finished, UTC without a zone."""
    source_state: SourceState
    source_detail: str
    """Why the warehouse file is not served, as a sentence; empty if the snapshot is current."""


class _Signature(NamedTuple):
    """What tells one state of a file from another without reading it."""

    modified_ns: int
    size: int
    log_modified_ns: int | None
    """Of the write-ahead log beside the file; None without one."""

    @property
    def file_name(self) -> str:
        """Name of the snapshot of a file in this state."""
        return f"{self.modified_ns}-{self.size}.duckdb"


class _Refusal(NamedTuple):
    """Why a warehouse file was not adopted."""

    state: SourceState
    detail: str


_adoption_lock = threading.Lock()
"""One copy at a time: closing any handle of a file drops the locks a process has on it (POSIX)."""

_refusals: dict[tuple[Path, _Signature], _Refusal] = {}
"""Files already looked at and refused, so that they are opened once and not at every click."""


def open_snapshot(source: Path | None = None) -> Snapshot:
    """The last complete build of the warehouse at `source`, adopting a new one if there is one.

    `source` is `warehouse_path()` unless given. Raises `NoSnapshotError` if no complete build was
    ever seen.
    """
    source = (warehouse_path() if source is None else source).resolve()
    folder = source.parent / ".app" / source.name
    with _adoption_lock:
        adopted = _adopt(source, folder)
    if isinstance(adopted, Path):
        return Snapshot(adopted, source, _built_at(adopted), SourceState.CURRENT, "")
    earlier = _by_age(folder)
    if not earlier:
        raise NoSnapshotError(
            f"There is no complete build to show yet. {adopted.detail} "
            "Run `make run` (or `dbt build`) in the root of the project, then look again."
        )
    return Snapshot(earlier[-1], source, _built_at(earlier[-1]), adopted.state, adopted.detail)


def _signature(path: Path) -> _Signature:
    stat = path.stat()
    try:
        log_modified_ns = path.with_name(path.name + ".wal").stat().st_mtime_ns
    except FileNotFoundError:
        log_modified_ns = None
    return _Signature(stat.st_mtime_ns, stat.st_size, log_modified_ns)


def _by_age(folder: Path) -> list[Path]:
    """The snapshots in the folder, the one adopted last at the end."""
    return sorted(folder.glob("*.duckdb"), key=lambda path: path.stat().st_mtime_ns)


def _adopt(source: Path, folder: Path) -> Path | _Refusal:
    """The snapshot of the source as it stands, copied now if need be, or why there is none."""
    try:
        signature = _signature(source)
    except OSError:
        return _Refusal(SourceState.MISSING, f"There is no file {source}.")
    # A file with a log is being written, or was when its writer died.
    if signature.log_modified_ns is None and (folder / signature.file_name).exists():
        return folder / signature.file_name
    if (source, signature) in _refusals:
        return _refusals[source, signature]
    try:
        with connect_read_only(source) as connection:
            # From here on nobody can write the file, so this is the state that gets copied.
            signature = _signature(source)
            refusal = _reason_to_refuse(source, signature, connection)
            if refusal is None:
                return _copy(source, folder, signature)
    except WarehouseBusyError:
        # Not remembered: the writer may finish without changing size or time once more.
        return _Refusal(SourceState.BUILDING, f"A build is writing {source} now.")
    except OSError as error:
        return _Refusal(
            SourceState.UNREADABLE,
            f"{source} cannot be copied into {folder}: {error}.",
        )
    except (WarehouseError, duckdb.Error) as error:
        return _Refusal(SourceState.UNREADABLE, f"{source} cannot be read: {error}")
    _refusals[source, signature] = refusal
    return refusal


def _reason_to_refuse(
    source: Path, signature: _Signature, connection: duckdb.DuckDBPyConnection
) -> _Refusal | None:
    """Why the warehouse is not a complete build, or None if it is one."""
    # A writer that ends in an orderly way folds its write-ahead log into the file. A log without
    # a writer is what a killed build leaves, which has no chance to record that it failed.
    if signature.log_modified_ns is not None:
        return _Refusal(
            SourceState.INTERRUPTED, f"The last build of {source} was stopped before it finished."
        )
    tables = {
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables "
            "where table_schema = 'marts' or (table_schema = 'meta' and table_name = 'builds')"
        ).fetchall()
    }
    missing = sorted({*READ_MARTS, "builds"} - tables)
    if missing:
        return _Refusal(
            SourceState.INCOMPLETE,
            f"{source} has no {', '.join(missing)}: no build of it has been completed.",
        )
    # A build of a selection leaves the rest as it was: it can spoil a warehouse, not complete it.
    builds_since_full = connection.execute(
        """
        select is_success, started_at, finished_at, failed_count, node_count
        from meta.builds
        where started_at >= (select max(started_at) from meta.builds where is_full)
        order by started_at desc
        """
    ).fetchall()
    if not builds_since_full:
        return _Refusal(SourceState.INCOMPLETE, f"No build of {source} has been completed.")
    for is_success, started_at, finished_at, failed_count, node_count in builds_since_full:
        if finished_at is None:
            return _Refusal(
                SourceState.INTERRUPTED,
                f"The build started at {started_at:%Y-%m-%d %H:%M} UTC was stopped before it "
                "finished.",
            )
        if not is_success:
            return _Refusal(
                SourceState.FAILED,
                f"The build started at {started_at:%Y-%m-%d %H:%M} UTC did not succeed: "
                f"{failed_count} of {node_count} steps failed or were skipped.",
            )
    return None


def _copy(source: Path, folder: Path, signature: _Signature) -> Path:
    """Copy the source into the folder, so that a snapshot is either there whole or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshot = folder / signature.file_name
    with whole_file(snapshot) as unfinished:
        # Not copy2: the time of the copy says which snapshot was adopted last.
        shutil.copyfile(source, unfinished)
    for old in _by_age(folder)[:-KEPT_SNAPSHOT_COUNT]:
        old.unlink(missing_ok=True)
    for abandoned in folder.glob(".*.tmp"):
        if time.time() - abandoned.stat().st_mtime > ABANDONED_COPY_SECONDS:
            abandoned.unlink(missing_ok=True)
    return snapshot


def _built_at(path: Path) -> datetime:
    finished_at: datetime = _answer(
        path, "select finished_at from meta.builds order by started_at desc limit 1"
    )["finished_at"].iloc[0]
    return finished_at


# functools rather than st.cache_data, which does the same inside a Streamlit server but warns
# outside of one, where the terminal report reads through this module.
@lru_cache(maxsize=256)
def _answer(path: Path, query: str, *parameters: str | int) -> pd.DataFrame:
    """The answer of the snapshot at `path`. It is shared between callers: never change it."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query, parameters).df()


def _select(snapshot: Snapshot, query: str, *parameters: str | int) -> pd.DataFrame:
    """A copy of the answer, which the caller may change."""
    return _answer(snapshot.path, query, *parameters).copy()


# --------------------------------------------------------------------------------------------


def builds(snapshot: Snapshot) -> pd.DataFrame:
    """The builds the snapshot remembers, newest first. Times are UTC without a zone.

    `is_full` is false for a build of a selection.
    """
    return _select(
        snapshot,
        """
        select started_at, finished_at, is_full, is_success, node_count, failed_count,
            invocation_id
        from meta.builds
        order by started_at desc
        """,
    )


def counts(snapshot: Snapshot) -> pd.DataFrame:
    """One row: how many models, benchmarks, scores and sources the scores are about."""
    return _select(
        snapshot,
        """
        select
            count(distinct scores.model_id) as model_count,
            count(distinct scores.model_id) filter (where models.is_base) as base_model_count,
            count(distinct scores.benchmark_id) as benchmark_count,
            count(*) as score_count,
            count(*) filter (where scores.is_preferred) as preferred_score_count,
            count(*) filter (where scores.score_source = 'measured') as measured_score_count,
            count(distinct (scores.score_source, scores.source_ref)) as source_count
        from marts.fct_benchmark_scores as scores
        inner join marts.dim_models as models on scores.model_id = models.model_id
        """,
    )


def run_scores(snapshot: Snapshot, panel_id: str) -> pd.DataFrame:
    """Scores of every run, beside the median of the panel's published ones.

    One row per run and benchmark of the study; the median is null where the panel has none.
    """
    return _select(
        snapshot,
        """
        with panel as (
            select benchmark_id, median(score) as panel_median
            from marts.fct_panel_scores
            where panel_id = ?
            group by benchmark_id
        )
        select runs.run_id, runs.model_id, runs.item_set, runs.is_complete, runs.benchmark_id,
            benchmarks.benchmark_name, runs.score, runs.ci_low, runs.ci_high, runs.item_count,
            runs.unscored_count, panel.panel_median
        from marts.fct_run_scores as runs
        inner join marts.dim_benchmarks as benchmarks
            on runs.benchmark_id = benchmarks.benchmark_id
        left join panel on runs.benchmark_id = panel.benchmark_id
        order by runs.item_set, runs.run_id, benchmarks.benchmark_name
        """,
        panel_id,
    )


def panels(snapshot: Snapshot) -> pd.DataFrame:
    """Panels with what they hold, the study's first and then by size."""
    return _select(
        snapshot,
        """
        select panel_id, description, model_count, lineage_count, benchmark_count,
            missing_cell_count
        from marts.dim_panels
        order by model_count, panel_id
        """,
    )


def benchmarks(snapshot: Snapshot) -> pd.DataFrame:
    """Benchmarks by language (ja, ja-en, en), skill and name.

    `chance_score` is null where guessing has no expected score, `counterpart_name` where no
    benchmark is the same test in another language.
    """
    return _select(
        snapshot,
        """
        select
            benchmarks.benchmark_id, benchmarks.benchmark_name, benchmarks.language,
            benchmarks.skill, benchmarks.metric, benchmarks.few_shot_count,
            benchmarks.item_count, benchmarks.chance_score,
            counterparts.benchmark_name as counterpart_name
        from marts.dim_benchmarks as benchmarks
        left join marts.dim_benchmarks as counterparts
            on benchmarks.counterpart_benchmark_id = counterparts.benchmark_id
        order by
            case benchmarks.language when 'ja' then 1 when 'ja-en' then 2 else 3 end,
            benchmarks.skill, benchmarks.benchmark_name
        """,
    )


def preferred_scores(snapshot: Snapshot) -> pd.DataFrame:
    """The score to use for each model and benchmark, with what is known of both.

    `score`, `ci_low` and `ci_high` are between 0 and 1. `standard_error` and the interval are
    null where a published score does not tell them; `family`, `developer` and `parameter_count`
    where they are not registered. `is_comparable` is false where the source used another metric
    than the protocol's.
    """
    return _select(
        snapshot,
        """
        select
            scores.model_id, models.model_name, models.family, models.developer,
            models.parameter_count, models.training_type, models.is_base,
            scores.benchmark_id, benchmarks.benchmark_name, benchmarks.language,
            benchmarks.skill, scores.score, scores.standard_error, scores.ci_low,
            scores.ci_high, scores.is_comparable, scores.score_source, scores.source_repo,
            scores.source_date, scores.licence, scores.attribution
        from marts.fct_benchmark_scores as scores
        inner join marts.dim_models as models on scores.model_id = models.model_id
        inner join marts.dim_benchmarks as benchmarks
            on scores.benchmark_id = benchmarks.benchmark_id
        where scores.is_preferred
        order by models.model_name, scores.model_id, benchmarks.benchmark_name
        """,
    )


def score_sources(snapshot: Snapshot, model_id: str, benchmark_id: str) -> pd.DataFrame:
    """Every source of one model's score on one benchmark, the preferred one first.

    Nulls as in `preferred_scores`; `unscored_count` is null where the source does not say.
    """
    return _select(
        snapshot,
        """
        select is_preferred, score, standard_error, standard_error_method, ci_low, ci_high,
            metric, is_comparable, item_count, unscored_count, score_source, source_repo,
            source_file, source_ref, source_date, licence, attribution, note
        from marts.fct_benchmark_scores
        where model_id = ? and benchmark_id = ?
        order by is_preferred desc, source_date desc, source_ref
        """,
        model_id,
        benchmark_id,
    )


def panel_models(snapshot: Snapshot, panel_id: str) -> pd.DataFrame:
    """The models of a panel, by name; nulls as in `preferred_scores`."""
    return _select(
        snapshot,
        """
        select models.model_id, models.model_name, models.family, models.training_type
        from marts.dim_panel_models as members
        inner join marts.dim_models as models on members.model_id = models.model_id
        where members.panel_id = ?
        order by models.model_name, models.model_id
        """,
        panel_id,
    )


def correlations(snapshot: Snapshot, panel_id: str) -> pd.DataFrame:
    """Correlations of every ordered pair of benchmarks of a panel, the diagonal included.

    Correlations and their 95% intervals are between -1 and 1. The lineage interval takes whole
    lineages, not models, as independent. Intervals, p and q are null on the diagonal, and
    everything that needs more models than there are is null too.
    """
    return _select(
        snapshot,
        """
        select
            correlations.benchmark_id_1, first.benchmark_name as benchmark_name_1,
            first.language as language_1,
            correlations.benchmark_id_2, second.benchmark_name as benchmark_name_2,
            second.language as language_2,
            correlations.model_count, correlations.lineage_count,
            correlations.pearson, correlations.pearson_ci_low, correlations.pearson_ci_high,
            correlations.pearson_lineage_ci_low, correlations.pearson_lineage_ci_high,
            correlations.spearman, correlations.spearman_ci_low, correlations.spearman_ci_high,
            correlations.p_value, correlations.q_value
        from marts.fct_benchmark_correlations as correlations
        inner join marts.dim_benchmarks as first
            on correlations.benchmark_id_1 = first.benchmark_id
        inner join marts.dim_benchmarks as second
            on correlations.benchmark_id_2 = second.benchmark_id
        where correlations.panel_id = ?
        """,
        panel_id,
    )


def cross_lingual_pairs(snapshot: Snapshot, panel_id: str) -> pd.DataFrame:
    """Correlations of each Japanese with each English benchmark, the largest first.

    `is_counterpart` says that the two are the same test in both languages. Nulls as in
    `correlations`.
    """
    return _select(
        snapshot,
        """
        select
            japanese.benchmark_name as japanese_benchmark, japanese.skill as japanese_skill,
            english.benchmark_name as english_benchmark, english.skill as english_skill,
            japanese.counterpart_benchmark_id is not distinct from english.benchmark_id
                as is_counterpart,
            correlations.pearson, correlations.pearson_ci_low, correlations.pearson_ci_high,
            correlations.pearson_lineage_ci_low, correlations.pearson_lineage_ci_high,
            correlations.spearman, correlations.spearman_ci_low, correlations.spearman_ci_high,
            correlations.p_value, correlations.q_value,
            correlations.model_count, correlations.lineage_count
        from marts.fct_benchmark_correlations as correlations
        inner join marts.dim_benchmarks as japanese
            on correlations.benchmark_id_1 = japanese.benchmark_id
        inner join marts.dim_benchmarks as english
            on correlations.benchmark_id_2 = english.benchmark_id
        where correlations.panel_id = ? and japanese.language = 'ja' and english.language = 'en'
        order by correlations.pearson desc nulls last
        """,
        panel_id,
    )


def pair_scores(
    snapshot: Snapshot, panel_id: str, benchmark_id_1: str, benchmark_id_2: str
) -> pd.DataFrame:
    """Scores of the panel's models on two benchmarks, for the models that have both.

    Scores are between 0 and 1. An interval is null where the source does not tell it.
    """
    return _select(
        snapshot,
        """
        select
            first.model_id, models.model_name, models.family, models.training_type,
            first.score as score_1, first_detail.ci_low as ci_low_1,
            first_detail.ci_high as ci_high_1,
            second.score as score_2, second_detail.ci_low as ci_low_2,
            second_detail.ci_high as ci_high_2
        from marts.fct_panel_scores as first
        inner join marts.fct_panel_scores as second
            on first.panel_id = second.panel_id and first.model_id = second.model_id
        inner join marts.dim_models as models on first.model_id = models.model_id
        left join marts.fct_benchmark_scores as first_detail
            on first.model_id = first_detail.model_id
            and first.benchmark_id = first_detail.benchmark_id
            and first.score_source = first_detail.score_source
            and first.source_ref = first_detail.source_ref
        left join marts.fct_benchmark_scores as second_detail
            on second.model_id = second_detail.model_id
            and second.benchmark_id = second_detail.benchmark_id
            and second.score_source = second_detail.score_source
            and second.source_ref = second_detail.source_ref
        where first.panel_id = ? and first.benchmark_id = ? and second.benchmark_id = ?
        order by models.model_name, first.model_id
        """,
        panel_id,
        benchmark_id_1,
        benchmark_id_2,
    )


def component_variances(snapshot: Snapshot, panel_id: str) -> pd.DataFrame:
    """Share of the variance each component explains (0 to 1), with its 95% interval.

    The interval is null where it cannot be computed.
    """
    return _select(
        snapshot,
        """
        select component_index, eigenvalue, explained_variance_ratio, cumulative_ratio,
            ratio_ci_low, ratio_ci_high
        from marts.fct_component_variances
        where panel_id = ?
        order by component_index
        """,
        panel_id,
    )


def component_loadings(snapshot: Snapshot, panel_id: str, component_index: int) -> pd.DataFrame:
    """Loadings of one component (correlations of benchmark and component), the largest first.

    The 95% interval is null where it cannot be computed.
    """
    return _select(
        snapshot,
        """
        select
            loadings.benchmark_id, benchmarks.benchmark_name, benchmarks.language,
            benchmarks.skill, loadings.loading, loadings.loading_ci_low, loadings.loading_ci_high
        from marts.fct_component_loadings as loadings
        inner join marts.dim_benchmarks as benchmarks
            on loadings.benchmark_id = benchmarks.benchmark_id
        where loadings.panel_id = ? and loadings.component_index = ?
        order by loadings.loading desc
        """,
        panel_id,
        component_index,
    )


def model_abilities(snapshot: Snapshot, panel_id: str, component_index: int) -> pd.DataFrame:
    """Abilities of the panel's models on one component, the largest first.

    An ability is in standard deviations of the benchmarks; its standard error is null where it
    cannot be computed. `missing_standard_error` is 0 for a model with a score on every benchmark.
    """
    return _select(
        snapshot,
        """
        select
            abilities.model_id, models.model_name, models.family, models.developer,
            models.training_type, models.parameter_count,
            abilities.ability, abilities.ability_standard_error,
            abilities.estimation_standard_error, abilities.item_standard_error,
            abilities.missing_standard_error
        from marts.fct_model_abilities as abilities
        inner join marts.dim_models as models on abilities.model_id = models.model_id
        where abilities.panel_id = ? and abilities.component_index = ?
        order by abilities.ability desc, abilities.model_id
        """,
        panel_id,
        component_index,
    )


def scaling_fits(snapshot: Snapshot, panel_id: str) -> pd.DataFrame:
    """Slopes of every target on every language's compute, one row for both methods together.

    A slope is the change of the value per tenfold compute. `ols` takes models as independent,
    `lineage` whole lineages. Estimates are null where models or lineages are too few.
    """
    return _select(
        snapshot,
        """
        select
            ols.target_kind, ols.target, ols.budget_language,
            ols.model_count, ols.lineage_count, ols.slope,
            ols.slope_ci_low as ols_ci_low, ols.slope_ci_high as ols_ci_high,
            ols.p_value as ols_p_value, ols.q_value as ols_q_value,
            jackknife.slope_ci_low as lineage_ci_low, jackknife.slope_ci_high as lineage_ci_high,
            jackknife.p_value as lineage_p_value, jackknife.q_value as lineage_q_value,
            ols.pearson, ols.r_squared, ols.residual_standard_deviation
        from marts.fct_scaling_fits as ols
        left join marts.fct_scaling_fits as jackknife
            on ols.panel_id = jackknife.panel_id
            and ols.target_kind = jackknife.target_kind
            and ols.target = jackknife.target
            and ols.budget_language = jackknife.budget_language
            and jackknife.method = 'ols_lineage_jackknife'
        where ols.panel_id = ? and ols.method = 'ols'
        order by ols.target_kind desc, ols.target, ols.budget_language
        """,
        panel_id,
    )


def scaling_points(
    snapshot: Snapshot, panel_id: str, target: str, budget_language: str
) -> pd.DataFrame:
    """The models a scaling line is fitted to, with the bounds of their compute.

    `train_flop` and its bounds are counts of floating-point operations; a bound is null where it
    is unknown. `value` is an ability (in standard deviations) or a score (0 to 1).
    """
    return _select(
        snapshot,
        """
        select
            points.model_id, models.model_name, models.family, models.training_type,
            points.log10_train_flop, budgets.train_flop, budgets.train_flop_low,
            budgets.train_flop_high, budgets.token_count, points.certainty,
            budgets.weakest_evidence, points.value, points.value_standard_error,
            budgets.source
        from marts.fct_scaling_points as points
        inner join marts.dim_models as models on points.model_id = models.model_id
        left join marts.fct_token_budgets as budgets
            on points.model_id = budgets.model_id and points.budget_language = budgets.language
        where points.panel_id = ? and points.target = ? and points.budget_language = ?
        order by points.log10_train_flop, points.model_id
        """,
        panel_id,
        target,
        budget_language,
    )


def scaling_curve(
    snapshot: Snapshot, panel_id: str, target: str, budget_language: str
) -> pd.DataFrame:
    """The fitted line of a target over the range of its data, with the 95% band of the line."""
    return _select(
        snapshot,
        """
        select log10_train_flop, fitted, band_low, band_high
        from marts.fct_scaling_curves
        where panel_id = ? and target = ? and budget_language = ?
        order by log10_train_flop
        """,
        panel_id,
        target,
        budget_language,
    )


def sources(snapshot: Snapshot) -> pd.DataFrame:
    """Where scores come from, with licence and whom to name, the largest source first.

    Repository, licence and attribution are null for scores measured here.
    """
    return _select(
        snapshot,
        """
        select score_source, source_repo, source_file, source_ref, source_date, licence,
            attribution, count(*) as score_count,
            count(*) filter (where is_preferred) as preferred_score_count
        from marts.fct_benchmark_scores
        group by score_source, source_repo, source_file, source_ref, source_date, licence,
            attribution
        order by score_count desc, source_ref
        """,
    )
