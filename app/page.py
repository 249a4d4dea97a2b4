"""Page: what all pages have in common: their head, the panel, and the state of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import marts
from app.glossary import meaning
from app.snapshot import NoSnapshotError, Snapshot, SourceState, open_snapshot
from app.wording import as_markdown, set_aside
from warehouse.outside_text import visible

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def open_page(title: str, explanation: str) -> Snapshot:
    """Write the head of a page and return the snapshot it is about.

    Where there is no complete build yet, the page says what to do and ends here.
    """
    st.title(title)
    st.markdown(explanation)
    try:
        snapshot = open_snapshot()
    except NoSnapshotError as error:
        st.info(as_markdown(str(error)), icon=":material/hourglass_empty:")
        st.stop()
    st.caption(_state_of_data(snapshot))
    if sentence := set_aside(len(marts.set_aside_results(snapshot))):
        st.caption(sentence)
    return snapshot


def choose_panel(snapshot: Snapshot) -> str:
    """The panel chosen in the sidebar, which stays chosen on other pages.

    It is written into the address too, so that a copied address opens the same panel.
    """
    panels = marts.panels(snapshot).set_index("panel_id")
    panel_ids = list(panels.index)
    # A box is forgotten with its page, and the address is emptied by the links between pages.
    chosen_before = st.session_state.get("chosen_panel", st.query_params.get("panel"))
    with st.sidebar:
        panel_id: str = st.selectbox(
            "Panel",
            panel_ids,
            index=panel_ids.index(chosen_before) if chosen_before in panel_ids else 0,
            format_func=visible,
            key="panel",
            help=meaning("panel"),
        )
        st.session_state["chosen_panel"] = panel_id
        st.query_params["panel"] = panel_id
        panel = panels.loc[panel_id]
        missing = (
            f", {panel['missing_cell_count']} scores missing" if panel["missing_cell_count"] else ""
        )
        st.caption(
            f"{panel['model_count']} models of {panel['lineage_count']} lineages, "
            f"{panel['benchmark_count']} benchmarks{missing}. "
            f"{as_markdown(str(panel['description']))}"
        )
    return panel_id


def show_number(
    box: DeltaGenerator, label: str, value: str, note: str, *, explanation: str | None = None
) -> None:
    """A number in large print with a note below it, which is no change of the number."""
    box.metric(label, value, note, delta_color="off", delta_arrow="off", help=explanation)


def _state_of_data(snapshot: Snapshot) -> str:
    """One line of Markdown: which build is shown, and why not a newer one."""
    built_at = f"Data: build of {snapshot.built_at:%Y-%m-%d %H:%M} UTC."
    if snapshot.source_state is SourceState.CURRENT:
        return built_at
    return f":orange[:material/history: {built_at} The last complete build is shown.] " + (
        as_markdown(snapshot.source_detail)
    )
