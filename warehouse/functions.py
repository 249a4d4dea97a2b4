"""SQL functions: what dbt models need that DuckDB's SQL does not offer."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb.func import FunctionNullHandling, PythonUDFType
from duckdb.sqltypes import DOUBLE, INTEGER, VARCHAR
from scipy.special import stdtr, stdtrit

from warehouse.text_functions import full_lower, nfkc, squad_form, token_sort_ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType


def student_t_two_sided_p(
    t_statistic: pa.ChunkedArray, degrees_of_freedom: pa.ChunkedArray
) -> pa.Array:
    """Two-sided p-value of Student t statistics, row by row.

    Both arguments are double arrays of the same length without nulls (DuckDB answers null
    for a row with a null argument and does not call this function for it). The result is
    between 0 and 1; it is NaN where the degrees of freedom are not positive.
    """
    t_values = abs(t_statistic.to_numpy())
    degrees = degrees_of_freedom.to_numpy()
    return pa.array(2.0 * stdtr(degrees, -t_values), type=pa.float64())


def student_t_quantile(
    probability: pa.ChunkedArray, degrees_of_freedom: pa.ChunkedArray
) -> pa.Array:
    """Quantile of Student's t distribution at `probability` (0-1), row by row.

    Nulls as in `student_t_two_sided_p`; NaN where the degrees of freedom are not positive.
    """
    probabilities = probability.to_numpy()
    degrees = degrees_of_freedom.to_numpy()
    return pa.array(stdtrit(degrees, probabilities), type=pa.float64())


FUNCTIONS: tuple[tuple[Callable[..., Any], list[DuckDBPyType], DuckDBPyType], ...] = (
    (student_t_two_sided_p, [DOUBLE, DOUBLE], DOUBLE),
    (student_t_quantile, [DOUBLE, DOUBLE], DOUBLE),
    (nfkc, [VARCHAR], VARCHAR),
    (full_lower, [VARCHAR], VARCHAR),
    (squad_form, [VARCHAR], VARCHAR),
    (token_sort_ratio, [VARCHAR, VARCHAR], INTEGER),
)
"""Every function with the types of its arguments and of its result."""


class Plugin(BasePlugin):
    """The dbt-duckdb plugin that registers the functions of this module for `dbt build`.

    They exist in dbt's own connection only. Everything that uses them is stored as a table,
    so a reader of the warehouse file never needs them.
    """

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Register each function on dbt's connection."""
        # The project that dbt has read stays until it ends: the collector need not go through its
        # hundreds of thousands of objects again at every few nodes.
        gc.freeze()
        for function, argument_types, result_type in FUNCTIONS:
            conn.create_function(
                function.__name__,
                function,
                list(argument_types),
                result_type,
                type=PythonUDFType.ARROW,
                null_handling=FunctionNullHandling.DEFAULT,
            )
