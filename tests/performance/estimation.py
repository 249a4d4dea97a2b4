"""Speed of the estimators on panels far larger than today's.

Prints seconds, and ratios to named baselines in the same run (machines are noisy): for components
the same EM a row at a time, for one step; for fits one call of statsmodels without the jackknife
over lineages. Not a test.

    python -m tests.performance.estimation --models 5000 --benchmarks 100
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS

from models.estimation.component_analysis import analyse_components
from models.estimation.missing_data import estimate_moments
from models.intermediate.int_scaling_fits import scaling_fits

LANGUAGES = ("ja", "en", "code", "other", "total")
REPLICATE_KEY = ("panel_id", "target_kind", "target", "left_out_lineage_id", "model_id")


def panel(models: int, benchmarks: int, missing: float) -> np.ndarray:
    """Scores with ten latent abilities, some cells missing at random."""
    generator = np.random.default_rng(20241219)
    loadings = generator.standard_normal((10, benchmarks)) * np.linspace(3, 0.3, 10)[:, None]
    scores = generator.standard_normal((models, 10)) @ loadings
    scores += generator.standard_normal(scores.shape)
    scores[generator.random(scores.shape) < missing] = np.nan
    return scores


def one_step_by_rows(scores: np.ndarray) -> float:
    """Seconds that one EM step takes when it goes through the rows one at a time."""
    moments = estimate_moments(scores, tolerance=1e-3)
    start = time.perf_counter()
    second = np.zeros_like(moments.covariance)
    for row in scores:
        seen = ~np.isnan(row)
        filled, spread = row.copy(), np.zeros_like(second)
        if not seen.all():
            slope = np.linalg.solve(
                moments.covariance[np.ix_(seen, seen)], moments.covariance[np.ix_(seen, ~seen)]
            ).T
            filled[~seen] = moments.mean[~seen] + slope @ (row[seen] - moments.mean[seen])
            spread[np.ix_(~seen, ~seen)] = (
                moments.covariance[np.ix_(~seen, ~seen)]
                - slope @ moments.covariance[np.ix_(seen, ~seen)]
            )
        second += np.outer(filled, filled) + spread
    return time.perf_counter() - start


def time_components(models: int, benchmarks: int) -> None:
    """Components with their jackknife, without and with missing cells."""
    errors = np.full((models, benchmarks), 0.05)
    for missing in (0.0, 0.1):
        scores = panel(models, benchmarks, missing)
        start = time.perf_counter()
        analysis = analyse_components(scores, errors)
        seconds = time.perf_counter() - start
        print(
            f"components, {missing:.0%} of cells missing  {seconds:7.1f} s"
            f"  ({analysis.group_count} jackknife replicates)"
        )
    start = time.perf_counter()
    steps = estimate_moments(scores).iteration_count
    seconds = time.perf_counter() - start
    by_rows = one_step_by_rows(scores)
    print(f"  EM alone, {steps} steps               {seconds:7.1f} s")
    print(
        f"  baseline, EM a row at a time       {by_rows * steps:7.1f} s  (one step, times {steps})"
    )
    print(f"  ratio                              {seconds / (by_rows * steps):7.3f}")


def time_fits(models: int, targets: int) -> None:
    """Fits of all targets on five budgets, by every method."""
    generator = np.random.default_rng(20241219)
    count = targets * len(LANGUAGES)
    compute = generator.normal(22, 1, models)
    points = pd.DataFrame(
        {
            "panel_id": "generated",
            "target_kind": "benchmark",
            "target": np.repeat([f"b{i:03d}" for i in range(targets)], models * len(LANGUAGES)),
            "budget_language": np.tile(np.repeat(LANGUAGES, models), targets),
            "model_id": np.tile([f"m{i:05d}" for i in range(models)], count),
            "lineage_id": np.tile([f"l{i % 1500}" for i in range(models)], count),
            "log10_train_flop": np.tile(compute, count),
            "value": generator.standard_normal(models * count),
        }
    )
    replicates = pd.DataFrame(columns=[*REPLICATE_KEY, "value"])
    start = time.perf_counter()
    fits = scaling_fits(points, replicates)
    seconds = time.perf_counter() - start
    values = points["value"].to_numpy().reshape(count, models)
    design = np.column_stack([np.ones(models), compute])
    start = time.perf_counter()
    for row in values:
        OLS(row, design).fit().conf_int()
    baseline = time.perf_counter() - start
    print(f"scaling fits, {len(fits)} of {models} models  {seconds:7.1f} s")
    print(f"  baseline, statsmodels, no lineages {baseline:7.1f} s")
    print(f"  ratio                              {seconds / baseline:7.2f}")


def main() -> None:
    """Time everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=5_000)
    parser.add_argument("--benchmarks", type=int, default=100)
    options = parser.parse_args()
    print(f"{options.models} models x {options.benchmarks} benchmarks")
    time_components(options.models, options.benchmarks)
    time_fits(options.models, 2 * options.benchmarks)


if __name__ == "__main__":
    main()
