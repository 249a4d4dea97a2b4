from __future__ import annotations

import re

from app.snapshot import READ_MARTS
from tests.dbt_project import REPOSITORY


def test_a_snapshot_has_every_table_that_is_asked():
    questions = (REPOSITORY / "app" / "marts.py").read_text(encoding="utf-8")
    assert set(re.findall(r"\bmarts\.((?:dim|fct)_\w+)", questions)) == set(READ_MARTS)
