"""The statistics' own test: `python -m tests.statistics [--only PART] [--repetitions N]`."""

from __future__ import annotations

from tests.statistics.campaign import main

if __name__ == "__main__":
    main()
