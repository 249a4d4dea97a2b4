"""Visitor: a process that opens every page of the app, as Streamlit runs them.

    python -m tests.faults.visitor app/main.py

Exits with 1 if a page ends in an exception.
"""

from __future__ import annotations

import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest


def main() -> None:
    main_page = Path(sys.argv[1])
    failed = []
    for view in sorted((main_page.parent / "views").glob("*.py")):
        app = AppTest.from_file(str(main_page), default_timeout=90)
        app.switch_page(f"views/{view.name}").run()
        failed += [f"{view.stem}: {one.message}" for one in app.exception]
        failed += [f"{view.stem}: {one.value}" for one in app.info]
        print(f"{view.stem}: {len(app.main)} elements", flush=True)
    if failed:
        sys.exit("\n".join(["Error: pages failed", *failed]))


if __name__ == "__main__":
    main()
