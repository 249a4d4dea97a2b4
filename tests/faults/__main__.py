"""The fault campaign: `python -m tests.faults [--only KIND] [--count N] [--seed S]`."""

from __future__ import annotations

from tests.faults.campaign import main

if __name__ == "__main__":
    main()
