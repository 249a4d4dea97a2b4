"""Components: the few directions in which models really differ, and where each model stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import marts
from app.charts import components as charts
from app.page import choose_panel, open_page, show_number
from app.tables import decimal, show_rows
from app.wording import TRAINING_TYPE_NAMES, is_unknown

if TYPE_CHECKING:
    import pandas as pd

    from app.snapshot import Snapshot


def choose_component(variances: pd.DataFrame) -> int:
    """The component to look at, with its share of the variance beside the choice."""
    box, share, cumulative = st.columns([2, 1, 1])
    chosen = box.selectbox(
        "Component",
        list(variances["component_index"]),
        format_func=name_of,
        key="component",
        bind="query-params",
    )
    row = variances[variances["component_index"] == chosen].iloc[0]
    ends = (
        "interval unknown"
        if is_unknown(row["ratio_ci_low"])
        else f"{row['ratio_ci_low']:.1%} to {row['ratio_ci_high']:.1%}"
    )
    show_number(
        share,
        "Share of the variance, 95% interval",
        f"{row['explained_variance_ratio']:.1%}",
        ends,
    )
    cumulative.metric("With all components before it", f"{row['cumulative_ratio']:.1%}")
    return int(chosen)


def show_map(snapshot: Snapshot, panel_id: str, component_count: int) -> None:
    """Models on the plane of two components."""
    st.subheader("Map of the models")
    left, right = st.columns(2)
    indexes = list(range(1, component_count + 1))
    first = left.selectbox("Across", indexes, format_func=name_of, key="map_across")
    second = right.selectbox("Upwards", indexes, index=1, format_func=name_of, key="map_upright")
    st.altair_chart(
        charts.ability_map(
            marts.model_abilities(snapshot, panel_id, first),
            marts.model_abilities(snapshot, panel_id, second),
            (name_of(first), name_of(second)),
        )
    )
    st.caption(
        "Bars are one standard error to each side. A name is left out where it would cover "
        "another; point at the model."
    )


def name_of(component_index: int) -> str:
    """A component as it is called on axes."""
    return f"Component {component_index}"


def show_abilities(abilities: pd.DataFrame, component_index: int) -> None:
    """Where the models stand on one component, as a chart and as a table."""
    st.subheader(f"Where the models stand on component {component_index}")
    st.altair_chart(charts.abilities(abilities, component_index))
    with st.expander("The same as a table"):
        abilities["training"] = abilities["training_type"].map(TRAINING_TYPE_NAMES)
        show_rows(
            abilities,
            {
                "model_name": "Model",
                "family": "Family",
                "training": "Training",
                "ability": decimal("Ability"),
                "ability_standard_error": decimal("Standard error"),
                "estimation_standard_error": decimal("of that, estimation"),
                "item_standard_error": decimal("finitely many items"),
                "missing_standard_error": decimal("missing scores"),
            },
        )


snapshot = open_page(
    "Components",
    "Principal component analysis sums up 19 scores per model in a few numbers, its abilities: "
    "component 1 is the direction in which models differ most, component 2 the next, and so on. "
    "A benchmark with a loading near 1 or −1 is almost entirely about that component.",
)
panel_id = choose_panel(snapshot)
variances = marts.component_variances(snapshot, panel_id)
component_index = choose_component(variances)
shares, makeup = st.columns(2)
shares.altair_chart(charts.explained_variance(variances, component_index))
makeup.altair_chart(
    charts.loadings(marts.component_loadings(snapshot, panel_id, component_index), component_index)
)
st.caption(
    "Thin lines are 95% intervals (jackknife over lineages); a component that turns into another "
    "without one lineage has none. The sign of a component is a convention: on component 1 more "
    "is better, on later ones it only tells two ends apart."
)
show_map(snapshot, panel_id, len(variances))
show_abilities(marts.model_abilities(snapshot, panel_id, component_index), component_index)
