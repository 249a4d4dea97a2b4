"""Scaling: abilities and scores against the compute spent on each language."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import marts
from app.charts.scaling import scaling
from app.glossary import meaning
from app.page import choose_panel, open_page
from app.tables import decimal, show_rows
from app.wording import (
    BUDGET_LANGUAGE_NAMES,
    METHOD_NAMES,
    TARGET_UNITS,
    TRAINING_TYPE_NAMES,
    UNKNOWN,
    as_markdown,
    interval,
    intervals,
    is_unknown,
    number,
    power_of_ten,
    probability,
    target_name,
)
from warehouse.outside_text import visible

if TYPE_CHECKING:
    import pandas as pd

    from app.snapshot import Snapshot

# Two points always lie on a line; a fit needs one more to say anything.
FEWEST_MODELS = 3
# As in fct_scaling_fits: below, no interval supports a claim.
FEWEST_EFFECTIVE_LINEAGES = 2


def capitalised(text: str) -> str:
    """A text that begins with a capital letter and keeps those of its names."""
    return text[:1].upper() + text[1:]


def choose_target(snapshot: Snapshot, fits: pd.DataFrame) -> tuple[str, str]:
    """The target to predict and its name: abilities first, then benchmarks as on other pages."""
    benchmarks = marts.benchmarks(snapshot)
    titles = benchmarks["benchmark_name"].map(visible)
    names = dict(zip(benchmarks["benchmark_id"], titles, strict=True))
    kinds = dict(zip(fits["target"], fits["target_kind"], strict=True))
    abilities = sorted(
        (target for target, kind in kinds.items() if kind != "benchmark"),
        key=lambda target: (kinds[target] == "anchored", int(target.rpartition("_")[2])),
    )
    targets = [*abilities, *(target for target in names if target in kinds)]
    target: str = st.selectbox(
        "What is predicted",
        targets,
        format_func=lambda key: capitalised(target_name(kinds[key], key, names)),
        key="target",
        bind="query-params",
    )
    return target, target_name(kinds[target], target, names)


def show_fit(fit: pd.Series[float]) -> None:
    """The slope of one line, with both intervals."""
    st.metric(
        "Slope per tenfold compute",
        number(fit["slope"]),
        help=f"{meaning('slope')} It is in {TARGET_UNITS[str(fit['target_kind'])]}.",
    )
    by_lineages = interval(fit["lineage_ci_low"], fit["lineage_ci_high"])
    st.markdown(f"95% interval by lineages:  \n**{by_lineages}**")
    st.markdown(
        f"95% interval by models:  \n{interval(fit['ols_ci_low'], fit['ols_ci_high'])}",
        help="This interval takes all models as independent, which they are not.",
    )
    if is_unknown(fit["lineage_ci_low"]):
        st.caption(
            "These are too few lineages for an interval that does not count related models as "
            "independent. Do not rely on this slope."
        )
    elif not fit["effective_lineage_count"] >= FEWEST_EFFECTIVE_LINEAGES:
        st.caption(
            "One or two lineages decide this slope: it hangs on no more of them than "
            f"{number(fit['effective_lineage_count'], 1)} equal ones. No interval of it supports "
            "a claim."
        )
    else:
        st.caption(
            "Models of one lineage share weights or data. The interval by lineages does not "
            "count them as independent."
        )
    count, lineages = st.columns(2)
    count.metric("Models", f"{fit['model_count']:.0f}")
    lineages.metric("Lineages", f"{fit['lineage_count']:.0f}")
    st.markdown(
        f"r {number(fit['pearson'])}, R² {number(fit['r_squared'])}  \n"
        f"by lineages: p {probability(fit['lineage_p_value'])}, "
        f"q {probability(fit['lineage_q_value'])}"
    )


def show_all_languages(fits: pd.DataFrame, name: str) -> None:
    """The slopes of one target on the compute of every language."""
    st.subheader(f"Slopes of {as_markdown(name)} on each kind of compute")
    table = fits.assign(
        compute=fits["budget_language"].map(BUDGET_LANGUAGE_NAMES),
        lineage=intervals(fits["lineage_ci_low"], fits["lineage_ci_high"]),
        ols=intervals(fits["ols_ci_low"], fits["ols_ci_high"]),
        p=fits["lineage_p_value"].map(probability),
        q=fits["lineage_q_value"].map(probability),
    )
    show_rows(
        table,
        {
            "compute": "Compute on",
            "slope": decimal("Slope per tenfold", 3),
            "lineage": "95% interval by lineages",
            "ols": "95% interval by models",
            "pearson": decimal("r"),
            "p": "p by lineages",
            "q": "q by lineages",
            "model_count": "Models",
            "lineage_count": "Lineages",
        },
        unknown=UNKNOWN,
    )


def show_all_methods(methods: pd.DataFrame, name: str, language: str) -> None:
    """The slope of one target on one kind of compute by every method."""
    st.subheader(
        f"Slope of {as_markdown(name)} on {BUDGET_LANGUAGE_NAMES[language]} by every method"
    )
    table = methods.set_index("method").reindex(list(METHOD_NAMES)).reset_index()
    show_rows(
        table.assign(
            name=table["method"].map(METHOD_NAMES),
            interval=intervals(table["slope_ci_low"], table["slope_ci_high"]),
            p=table["p_value"].map(probability),
            q=table["q_value"].map(probability),
        ),
        {
            "name": "Method",
            "slope": decimal("Slope per tenfold", 3),
            "interval": "95% interval",
            "p": "p",
            "q": "q",
            "degrees_of_freedom": decimal("Degrees of freedom", 1),
            "model_count": "Models",
            "lineage_count": "Lineages",
            "effective_lineage_count": decimal("Effective lineages", 1),
            "largest_lineage_leverage": decimal("Largest share of one"),
            "intra_lineage_correlation": decimal("Correlation of siblings"),
        },
        unknown=UNKNOWN,
    )


def show_points(points: pd.DataFrame) -> None:
    """The models behind the line, and how certain their compute is."""
    st.subheader("The models behind the line")
    table = points.assign(
        training=points["training_type"].map(TRAINING_TYPE_NAMES),
        tokens=points["token_count"].map(power_of_ten),
        flop=points["train_flop"].map(power_of_ten),
        at_least=points["train_flop_low"].map(power_of_ten),
        at_most=points["train_flop_high"].map(power_of_ten),
    )
    show_rows(
        table,
        {
            "model_name": st.column_config.TextColumn("Model", pinned=True),
            "training": "Training",
            "value": decimal("Value", 3),
            "value_standard_error": decimal("Standard error", 3),
            "flop": "Compute (operations)",
            "at_least": "at least",
            "at_most": "at most",
            "certainty": "Certainty",
            "weakest_evidence": "Weakest evidence",
            "tokens": "Tokens",
            "source": st.column_config.TextColumn("Source", width="large"),
        },
    )


snapshot = open_page(
    "Scaling",
    "How models differ that had ten times as much computing spent on training them on text of one "
    "language. Each point is a model, the line is the average trend over models, and the grey band "
    "is where that trend could lie (95%) if all models were independent, which they are not.",
)
panel_id = choose_panel(snapshot)
fits = marts.scaling_fits(snapshot, panel_id)
if fits.empty:
    st.write("This panel has no model whose training compute is known.")
    st.stop()
target_box, language_box = st.columns([2, 3])
with target_box:
    target, name = choose_target(snapshot, fits)
fits_of_target = fits[fits["target"] == target].set_index("budget_language", drop=False)
languages = [key for key in BUDGET_LANGUAGE_NAMES if key in fits_of_target.index]
language = str(
    language_box.segmented_control(
        "Compute spent on",
        languages,
        default=languages[0],
        required=True,
        format_func=lambda key: BUDGET_LANGUAGE_NAMES[key],
        key="compute",
        bind="query-params",
    )
)
points = marts.scaling_points(snapshot, panel_id, target, language)
fit = fits_of_target.loc[languages].iloc[languages.index(language)]
if len(points) < FEWEST_MODELS:
    st.warning(
        f"Only {len(points)} model{'' if len(points) == 1 else 's'} of this panel "
        f"{'has' if len(points) == 1 else 'have'} a known compute on "
        f"{BUDGET_LANGUAGE_NAMES[language]}: too few for a line (it takes {FEWEST_MODELS}).",
        icon=":material/warning:",
    )
else:
    figure, numbers = st.columns([3, 1])
    figure.altair_chart(
        scaling(
            points,
            marts.scaling_curve(snapshot, panel_id, target, language),
            value_title=f"{capitalised(name)} ({TARGET_UNITS[fit['target_kind']]})",
            compute_title=f"Training compute on {BUDGET_LANGUAGE_NAMES[language]}",
        )
    )
    figure.caption(
        "Full points have a compute reported by the developer, pale ones an estimated one. Bars "
        "are one standard error of the value, and the bounds of the compute where both are known. "
        "Models whose compute is unknown are not in the figure and not in the fit."
    )
    with numbers:
        show_fit(fit)
show_all_languages(fits_of_target.loc[languages], name)
show_all_methods(marts.scaling_methods(snapshot, panel_id, target, language), name, language)
show_points(points)
