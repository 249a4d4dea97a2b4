"""What the tests of the app share: the app as Streamlit runs it, on the warehouse of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VIEWS = sorted(path.name for path in (REPOSITORY / "app" / "views").glob("*.py"))


@pytest.fixture
def open_app(built_warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AppTest]:
    """A function that opens the app at a view, given as the name of its file."""
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))

    def open_at(view: str) -> AppTest:
        app = AppTest.from_file(str(REPOSITORY / "app" / "main.py"), default_timeout=60)
        return app.switch_page(f"views/{view}").run()

    return open_at
