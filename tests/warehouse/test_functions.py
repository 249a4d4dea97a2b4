"""The dbt plugin's SQL functions give scipy's numbers."""

from __future__ import annotations

import duckdb
import pytest
from scipy import stats

from warehouse.functions import Plugin


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        Plugin(name="functions", plugin_config={}).configure_connection(connection)
        yield connection


def test_p_values_are_two_sided(connection):
    rows = connection.execute(
        "select t, df, student_t_two_sided_p(t, df) from (values (0e0, 5e0), (2e0, 10e0),"
        " (-2e0, 10e0), (40e0, 33e0), (1e0, 0e0), (null, 3e0)) as v (t, df)"
    ).fetchall()
    for t, degrees, p_value in rows[:4]:
        assert p_value == pytest.approx(2 * stats.t.sf(abs(t), degrees), rel=1e-12)
    assert rows[0][2] == 1
    assert rows[1][2] == rows[2][2]
    assert rows[4][2] != rows[4][2]
    assert rows[5][2] is None


def test_quantiles_are_those_of_student(connection):
    (quantile,) = connection.execute("select student_t_quantile(0.975, 10.0)").fetchone()
    assert quantile == pytest.approx(2.2281388519649385, rel=1e-9)
    assert connection.execute("select student_t_quantile(null, 10.0)").fetchone() == (None,)


def test_functions_take_more_rows_than_a_vector_holds(connection):
    (count,) = connection.execute(
        "select count(*) from range(10000) as r (i)"
        " where student_t_two_sided_p(i / 1000, 5.0) between 0 and 1"
    ).fetchone()
    assert count == 10_000
