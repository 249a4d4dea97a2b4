"""Marts: the questions that pages and the terminal report ask.

Every function is one question. It takes the snapshot it is about and returns a new data frame
whose columns are those of its `select`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


class Answering(Protocol):
    """What a question is put to: a snapshot, or what looks whether one could answer."""

    def answer(self, query: str, *parameters: str | int) -> pd.DataFrame:
        """The rows of the query."""
        ...


def builds(snapshot: Answering) -> pd.DataFrame:
    """The builds the snapshot remembers, newest first. Times are UTC without a zone.

    `is_full` is false for a build of a selection.
    """
    return snapshot.answer(
        """
        select build_number, command, started_at, finished_at, is_full, is_success, node_count,
            failed_count, invocation_id
        from meta.builds
        order by build_number desc
        """,
    )


def counts(snapshot: Answering) -> pd.DataFrame:
    """One row: how many models, benchmarks, scores and sources the scores are about."""
    return snapshot.answer(
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


def set_aside_results(snapshot: Answering) -> pd.DataFrame:
    """Results of runs on benchmarks that are set aside, as something is wrong with them.

    A run that is set aside as a whole stands once, and so do rows that belong to no run.
    """
    return snapshot.answer(
        """
        select distinct run_id, benchmark_id, protocol_version
        from marts.fct_set_aside
        """,
    )


def run_scores(snapshot: Answering, panel_id: str) -> pd.DataFrame:
    """Scores of every run, beside the median of the panel's published ones.

    One row per run and benchmark of the study; the median is null where the panel has none.
    """
    return snapshot.answer(
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


def panels(snapshot: Answering) -> pd.DataFrame:
    """Panels with what they hold, the study's first and then by size."""
    return snapshot.answer(
        """
        select panel_id, description, model_count, lineage_count, benchmark_count,
            missing_cell_count, suspect_cell_count
        from marts.dim_panels
        order by model_count, panel_id
        """,
    )


def claims(snapshot: Answering) -> pd.DataFrame:
    """The claims in their order, with the verdict of each panel, the smallest panel first.

    `doubts` names the required methods that do not vote for the claim; null if all do.
    """
    return snapshot.answer(
        """
        select claims.claim_id, claims.claim, claims.source, claims.counterpart_claim_id,
            claims.panel_id, claims.verdict, claims.doubts
        from marts.fct_claims as claims
        inner join marts.dim_panels as panels on claims.panel_id = panels.panel_id
        order by claims.claim_order, panels.model_count, panels.panel_id
        """,
    )


def decisive_units(snapshot: Answering) -> pd.DataFrame:
    """What the verdict on a claim over pairs hangs on: without each of them it is another one."""
    return snapshot.answer(
        """
        select influences.claim_id, influences.left_out_kind,
            coalesce(models.model_name, influences.left_out_id) as left_out
        from marts.fct_claim_influences as influences
        left join marts.dim_models as models on influences.left_out_id = models.model_id
        where influences.is_decisive and influences.claim_id in (
            select counterpart_claim_id from marts.fct_claims
            where counterpart_claim_id is not null
        )
        order by influences.claim_id, influences.left_out_kind, left_out
        """
    )


def claim_evidence(snapshot: Answering, panel_id: str) -> pd.DataFrame:
    """What each method says of each part of each claim on one panel, the primary ones first."""
    return snapshot.answer(
        """
        select evidence.claim_id, evidence.part_index, evidence.method, evidence.target,
            evidence.on_what, evidence.estimate, evidence.ci_low, evidence.ci_high,
            evidence.lineage_count::double as lineage_count, evidence.effective_lineage_count,
            evidence.is_required,
            evidence.is_primary, evidence.vote
        from marts.fct_claim_evidence as evidence
        inner join marts.fct_claims as claims
            on evidence.claim_id = claims.claim_id and evidence.panel_id = claims.panel_id
        where evidence.panel_id = ?
        order by claims.claim_order, evidence.part_index, evidence.is_primary desc,
            evidence.is_required desc, evidence.method desc
        """,
        panel_id,
    )


def benchmarks(snapshot: Answering) -> pd.DataFrame:
    """Benchmarks by language (ja, ja-en, en), skill and name.

    `chance_score` is null where guessing has no expected score, `counterpart_name` where no
    benchmark is the same test in another language.
    """
    return snapshot.answer(
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


def preferred_scores(snapshot: Answering) -> pd.DataFrame:
    """The score to use for each model and benchmark, with what is known of both.

    `score`, `ci_low` and `ci_high` are between 0 and 1. `standard_error` and the interval are
    null where a published score does not tell them; `family`, `developer` and `parameter_count`
    where they are not registered. `is_comparable` is false where the source used another metric
    than the protocol's.
    """
    return snapshot.answer(
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


def score_sources(snapshot: Answering, model_id: str, benchmark_id: str) -> pd.DataFrame:
    """Every source of one model's score on one benchmark, the preferred one first.

    None is preferred where all are suspect; `suspect_reason` is null for one that is not. Other
    nulls as in `preferred_scores`; `unscored_count` is null where the source does not say.
    """
    return snapshot.answer(
        """
        select is_preferred, score, standard_error, standard_error_method, ci_low, ci_high,
            is_suspect, suspect_reason, metric, is_comparable, item_count, unscored_count,
            score_source, source_repo, source_file, source_ref, source_date, licence,
            attribution, note
        from marts.fct_benchmark_scores
        where model_id = ? and benchmark_id = ?
        order by is_preferred desc, source_date desc, source_ref
        """,
        model_id,
        benchmark_id,
    )


def panel_models(snapshot: Answering, panel_id: str) -> pd.DataFrame:
    """The models of a panel, by name; nulls as in `preferred_scores`."""
    return snapshot.answer(
        """
        select models.model_id, models.model_name, models.family, models.training_type
        from marts.dim_panel_models as members
        inner join marts.dim_models as models on members.model_id = models.model_id
        where members.panel_id = ?
        order by models.model_name, models.model_id
        """,
        panel_id,
    )


def correlations(snapshot: Answering, panel_id: str) -> pd.DataFrame:
    """Correlations of every ordered pair of benchmarks of a panel, the diagonal included.

    Correlations and their 95% intervals are between -1 and 1. The lineage interval takes whole
    lineages, not models, as independent. Intervals, p and q are null on the diagonal, and
    everything that needs more models than there are is null too.
    """
    return snapshot.answer(
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


def cross_lingual_pairs(snapshot: Answering, panel_id: str) -> pd.DataFrame:
    """Correlations of each Japanese with each English benchmark, the largest first.

    `is_counterpart` says that the two are the same test in both languages. Nulls as in
    `correlations`.
    """
    return snapshot.answer(
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
    snapshot: Answering, panel_id: str, benchmark_id_1: str, benchmark_id_2: str
) -> pd.DataFrame:
    """Scores of the panel's models on two benchmarks, for the models that have both.

    Scores are between 0 and 1. An interval is null where the source does not tell it.
    """
    return snapshot.answer(
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


def component_variances(snapshot: Answering, panel_id: str) -> pd.DataFrame:
    """Share of the variance each component explains (0 to 1), with its 95% interval.

    The interval is null where it cannot be computed or the component is not stable.
    """
    return snapshot.answer(
        """
        select component_index, eigenvalue, explained_variance_ratio, cumulative_ratio,
            ratio_ci_low, ratio_ci_high
        from marts.fct_component_variances
        where panel_id = ?
        order by component_index
        """,
        panel_id,
    )


def component_loadings(snapshot: Answering, panel_id: str, component_index: int) -> pd.DataFrame:
    """Loadings of one component (correlations of benchmark and component), the largest first.

    The 95% interval is null where it cannot be computed or the component is not stable.
    """
    return snapshot.answer(
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


def model_abilities(snapshot: Answering, panel_id: str, component_index: int) -> pd.DataFrame:
    """Abilities of the panel's models on one component, the largest first.

    An ability is in standardised score units; its standard error is null where it cannot be
    computed or the component is not stable. `missing_standard_error` is 0 for a model with a score
    on every benchmark.
    """
    return snapshot.answer(
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


def scaling_fits(snapshot: Answering, panel_id: str) -> pd.DataFrame:
    """Slopes of every target on every language's compute, by least squares.

    A slope is the change of the value per tenfold compute. `ols` takes models as independent,
    `lineage` whole lineages. Estimates are null where models or lineages are too few.
    """
    return snapshot.answer(
        """
        select
            ols.target_kind, ols.target, ols.budget_language,
            ols.model_count, ols.lineage_count, ols.slope,
            ols.slope_ci_low as ols_ci_low, ols.slope_ci_high as ols_ci_high,
            ols.p_value as ols_p_value, ols.q_value as ols_q_value,
            jackknife.slope_ci_low as lineage_ci_low, jackknife.slope_ci_high as lineage_ci_high,
            jackknife.p_value as lineage_p_value, jackknife.q_value as lineage_q_value,
            ols.effective_lineage_count, ols.pearson, ols.r_squared,
            ols.residual_standard_deviation
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


def scaling_methods(
    snapshot: Answering, panel_id: str, target: str, budget_language: str
) -> pd.DataFrame:
    """The slope of one line by every method, a row each.

    `effective_lineage_count` says how many equal lineages would tell the slope as well.
    """
    return snapshot.answer(
        """
        select
            method, slope, slope_ci_low, slope_ci_high, p_value, q_value, degrees_of_freedom,
            model_count, lineage_count, effective_lineage_count, largest_lineage_leverage,
            intra_lineage_correlation
        from marts.fct_scaling_fits
        where panel_id = ? and target = ? and budget_language = ?
        order by method
        """,
        panel_id,
        target,
        budget_language,
    )


def scaling_points(
    snapshot: Answering, panel_id: str, target: str, budget_language: str
) -> pd.DataFrame:
    """The models a scaling line is fitted to, with the bounds of their compute.

    `train_flop` and its bounds are counts of floating-point operations; a bound is null where it
    is unknown. `value` is an ability on the panel's own component (in standardised score units), an
    anchored one (in standard deviations over the reference panel) or a score (0 to 1).
    """
    return snapshot.answer(
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
    snapshot: Answering, panel_id: str, target: str, budget_language: str
) -> pd.DataFrame:
    """The fitted line of a target over the range of its data, with the 95% band of the line."""
    return snapshot.answer(
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


def sources(snapshot: Answering) -> pd.DataFrame:
    """Where scores come from, with licence and whom to name, the largest source first.

    Repository, licence and attribution are null for scores measured here.
    """
    return snapshot.answer(
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
