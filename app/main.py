"""Navigation: the pages of the app. Start it with `streamlit run app/main.py`."""

from __future__ import annotations

import streamlit as st

st.set_page_config(page_title="evalwh", layout="wide")
st.navigation(
    [
        st.Page("views/scores.py", title="Scores", default=True),
        st.Page("views/correlations.py", title="Correlations"),
        st.Page("views/components.py", title="Components"),
        st.Page("views/scaling.py", title="Scaling"),
        st.Page("views/about.py", title="About the data"),
    ]
).run()
