"""Standard errors and intervals of measured scores hold on simulated data."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tests.warehouse.rules import rendered
from warehouse.functions import Plugin

TRIALS = 2000


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        Plugin(name="functions", plugin_config={}).configure_connection(connection)
        yield connection


def estimates(connection, trial: np.ndarray, cluster: np.ndarray, score: np.ndarray):
    """Mean, standard error and interval per trial, by the formulae of fct_run_scores."""
    connection.register("items", pa.table({"trial": trial, "cluster": cluster, "score": score}))
    error = rendered("clustered_standard_error('squared', 'variance', 'clusters', 'items')")
    count = rendered("effective_count('mean', 'error', 'clusters', 'items')")
    low, high = (rendered(f"wilson_bound('mean', 'effective', '{side}')") for side in "-+")
    return connection.execute(
        f"""
        with means as (
            select trial, avg(score) as mean, var_samp(score) as variance, count(*) as items
            from items group by trial
        ), sums as (
            select trial, cluster, sum(score - mean) as deviation
            from items inner join means using (trial) group by trial, cluster
        ), squares as (
            select trial, sum(deviation ** 2) as squared, count(*) as clusters
            from sums group by trial
        ), errors as (
            select *, {error} as error from means inner join squares using (trial)
        ), counted as (select *, {count} as effective from errors)
        select mean, error, {low} as low, {high} as high from counted order by trial"""
    ).df()


@pytest.mark.parametrize(
    ("cluster_count", "cluster_size", "spread", "mean"),
    [(200, 1, 0.0, 0.3), (40, 25, 1.0, 0.5), (57, 20, 0.5, 0.8), (10, 10, 1.0, 0.5)],
    ids=["independent", "alike in subjects", "like MMLU", "few clusters"],
)
def test_intervals_hold_the_truth(connection, cluster_count, cluster_size, spread, mean):
    """Right or wrong items whose chance differs between clusters, on the logit scale."""
    generator = np.random.default_rng(cluster_count)
    shift = np.log(mean / (1 - mean))
    logits = shift + spread * generator.standard_normal((TRIALS, cluster_count))
    chances = 1 / (1 + np.exp(-logits))
    draws = generator.random((TRIALS, cluster_count, cluster_size)) < chances[..., None]
    trial, cluster, _ = np.indices(draws.shape)
    found = estimates(connection, trial.ravel(), cluster.ravel(), draws.ravel().astype(np.float64))
    many = shift + spread * generator.standard_normal(2_000_000)
    truth = (1 / (1 + np.exp(-many))).mean()
    held = ((found["low"] <= truth) & (truth <= found["high"])).mean()
    # Three standard deviations of a share of 2,000 trials are 1.5 points; few clusters and the
    # lower bound of the standard error make intervals somewhat too wide, never too narrow.
    assert 0.93 <= held <= 0.985, held
    assert np.sqrt((found["error"] ** 2).mean()) == pytest.approx(found["mean"].std(), rel=0.12)


def test_intervals_do_not_collapse_where_all_items_agree(connection):
    trial = np.repeat([0, 1], 50)
    cluster = np.tile(np.arange(50), 2)
    found = estimates(connection, trial, cluster, np.repeat([0.0, 1.0], 50))
    assert found["error"].tolist() == [0, 0]
    assert found["low"][0] == pytest.approx(0, abs=1e-12)
    assert 0.05 < found["high"][0] < 0.1
    assert found["low"][1] == pytest.approx(1 - found["high"][0])


def test_one_cluster_tells_no_error(connection):
    found = estimates(
        connection, np.zeros(4, dtype=int), np.zeros(4, dtype=int), np.array([0.0, 1, 1, 0])
    )
    assert found["error"].isna().all()
    assert found["low"].isna().all()
