"""Runs programs in the sandbox as the user that started this, for tests that are another user.

Reads {"wall_seconds", "worker_count", "programs": texts or parts}, writes the results, as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from inference.measuring.sandbox import Limits, Program, Sandbox


def main() -> None:
    job = json.load(sys.stdin)
    programs = [Program(**one) if isinstance(one, dict) else one for one in job["programs"]]
    limits = Limits(wall_seconds=job["wall_seconds"])
    with Sandbox(limits, worker_count=job["worker_count"]) as sandbox:
        json.dump([asdict(result) for result in sandbox.run_all(programs)], sys.stdout)


if __name__ == "__main__":
    main()
