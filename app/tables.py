"""Tables: rows of marts under names that people can read, each column named once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from app.wording import as_shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    import pandas as pd
    from streamlit.elements.lib.column_types import ColumnConfig


def decimal(label: str, digits: int = 2) -> ColumnConfig:
    """A column of numbers with a fixed count of decimals."""
    return st.column_config.NumberColumn(label, format=f"%.{digits}f")


def count(label: str) -> ColumnConfig:
    """A column of whole numbers, grouped in thousands."""
    return st.column_config.NumberColumn(label, format="localized")


WHOSE: Final[Mapping[str, str | ColumnConfig]] = {
    "source_repo": "Repository",
    "source_date": st.column_config.DateColumn("Date"),
    "licence": "Licence",
    "attribution": "Attribution",
}
"""Columns that say whom a score is from."""

WHERE: Final[Mapping[str, str | ColumnConfig]] = {
    "score_source": "Kind",
    "source_file": "File",
    "source_ref": "Commit or run",
}
"""Columns that say where exactly a score was read, or which run measured it."""


def show_rows(
    rows: pd.DataFrame,
    columns: Mapping[str, str | ColumnConfig],
    *,
    unknown: str = "unknown",
    height: int | Literal["auto", "content"] = "auto",
    key: str | None = None,
) -> None:
    """The rows as a table of the given columns, in their order; `unknown` stands for nulls."""
    st.dataframe(
        as_shown(rows),
        hide_index=True,
        column_order=list(columns),
        column_config=dict(columns),
        placeholder=unknown,
        height=height,
        key=key,
    )
