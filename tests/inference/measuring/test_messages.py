"""What a completion says: neither harm nor a verdict, and values that are what they were there."""

from __future__ import annotations

import json
import os

import pytest

from inference.measuring.inside.worker import (
    LINE_BYTES,
    ReportError,
    _Reports,
    verdict_of,
)
from inference.measuring.sandbox import Program, reply_of
from tests.inference.measuring.hostile_messages import HOSTILE_MESSAGES
from tests.inference.measuring.hostile_verdicts import CHECKS, GIVEN, RIGHT, WRONG
from tests.inference.measuring.test_sandbox import DUE, batched, obstacle
from tests.inference.measuring.users import USERS, run_as

needs_sandbox = [
    pytest.mark.skipif(bool(obstacle()), reason=obstacle() or "none"),
    pytest.mark.slow(seconds=25),
]

CLOSE = """
import math
def check(candidate):
    assert math.isclose(candidate(1), 2)
    assert math.isclose(candidate(7), 14)
"""


def sandboxed(test):
    for mark in needs_sandbox:
        test = mark(test)
    return test


@sandboxed
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("checks", [CHECKS, CLOSE], ids=["equal", "close"])
def test_no_message_of_a_completion_makes_its_verdict(user, checks):
    jobs = [
        Program(given=GIVEN, answer=answer, checks=f"{checks}\ncheck(f)", entry_point="f")
        for forgery in HOSTILE_MESSAGES.values()
        for answer in (forgery, GIVEN + RIGHT, GIVEN + WRONG)
    ]
    results = run_as(user, jobs)
    for name, (forged, right, wrong) in zip(HOSTILE_MESSAGES, batched(results), strict=True):
        assert forged.outcome in DUE, (name, forged)
        assert right.outcome == "passed", (name, right)
        assert wrong.outcome == "failed", (name, wrong)


NOT_VERDICTS = [
    None,
    7,
    [1],
    {},
    {"state": "x"},
    {"outcome": "passed"},
    {"outcome": "broken", "error_head": "x"},
    {"outcome": "sandbox_error", "error_head": "x"},
    {"outcome": ["passed"], "error_head": "x"},
    {"outcome": "passed", "error_head": None},
    {"outcome": "passed", "error_head": "x" * 501},
    {"outcome": "passed", "error_head": "", "more": 1},
]


@pytest.mark.parametrize("said", NOT_VERDICTS)
def test_what_is_no_verdict_of_a_judge_is_a_failure(said):
    assert verdict_of(said)["outcome"] == "failed"
    assert verdict_of({"outcome": "passed", "error_head": ""})["outcome"] == "passed"


@pytest.mark.parametrize("said", [*NOT_VERDICTS[:6], {"outcome": "passed", "error_head": ""}])
@pytest.mark.parametrize("seconds", [None, "1", float("nan"), float("inf"), -1.0])
def test_what_is_no_reply_of_a_worker_is_a_failure(said, seconds):
    said = {**said, "wall_seconds": seconds} if isinstance(said, dict) else said
    assert reply_of(json.dumps(said).encode())["outcome"] == "failed"
    assert reply_of(b"x\n")["outcome"] == "failed"
    assert reply_of(b"[" * 60_000)["outcome"] == "failed"


@pytest.mark.parametrize("content", [b"x" * (LINE_BYTES + 1), b"x\n", b"[" * 60_000 + b"\n"])
def test_a_report_is_one_short_line_of_json(content):
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb") as pipe:
        os.set_blocking(writing, False)
        reports = _Reports(reading)
        with pytest.raises(TimeoutError):
            reports.next(0.01)
        os.write(writing, content[:LINE_BYTES])
        if len(content) > LINE_BYTES:
            with pytest.raises(TimeoutError):
                reports.next(0.01)
            os.write(writing, content[LINE_BYTES:])
        with pytest.raises(ReportError):
            reports.next(0.01)
        pipe.flush()


TASK = "def f(x):\n"

# Name: the task, its completion, what its check says.
FAITHFUL = {
    "an exception of its own by its base": (
        TASK,
        "    class E(ValueError): pass\n    raise E('no')\n",
        "try: c(1)\n    except ValueError as error: assert str(error) == 'no'\n    else: assert 0",
    ),
    "an exception that takes other values than its base": (
        TASK,
        "    class E(UnicodeDecodeError):\n        def __init__(self): self.args = (1,)\n"
        "    raise E\n",
        "try: c(1)\n    except ValueError as error: assert error.args == (1,)\n    else: assert 0",
    ),
    "an exception of a library": (
        f"import json\n{TASK}",
        "    return json.loads(x)\n",
        "try: c('{')\n    except ValueError: pass\n    else: assert 0",
    ),
    "an exception of its own": (
        TASK,
        "    class E(Exception): pass\n    raise E\n",
        "try: c(1)\n    except RuntimeError: assert 0\n    except Exception: pass\n"
        "    else: assert 0",
    ),
    "an argument by its name": (
        TASK,
        "    x.append(1)\n",
        "a = []\n    c(x=a)\n    assert a == [1]",
    ),
    "an argument changed before an exception": (
        TASK,
        "    x.append(1)\n    raise ValueError\n",
        "a = []\n    try: c(a)\n    except ValueError: pass\n    assert a == [1]",
    ),
    "an argument that is answered": (
        TASK,
        "    x.append(1)\n    return x\n",
        "a = []\n    assert c(a) is a\n    assert c(x=a) is a\n    assert a == [1, 1]",
    ),
    "a type that is answered": (TASK, "    return x\n", "assert c(int) is int"),
    "a deque that is changed": (
        f"from collections import deque\n{TASK}",
        "    x.append(1)\n",
        "a = deque()\n    c(a)\n    assert a == deque([1])",
    ),
    "a tuple with a changed list": (
        TASK,
        "    x[0].append(1)\n    return x\n",
        "assert c(([],)) == ([1],)",
    ),
    "a task that ends at its first line": (
        "import math\ndef helper(x):\n    return math.floor(x)\ndef f(x):\n",
        "    return helper(x)\n",
        "assert c(1.5) == helper(1.5) == math.floor(1.5)",
    ),
    "surrogates that follow each other": (
        TASK,
        "    return '\\ud83d' + '\\ude00'\n",
        "assert len(c(1)) == 2",
    ),
    "a counter": (
        TASK,
        "    import collections\n    return collections.Counter(x)\n",
        "assert c('aab').most_common(1) == [('a', 2)]\n    assert c('aab')['z'] == 0",
    ),
    "a dictionary in order": (
        TASK,
        "    import collections\n    return collections.OrderedDict(x)\n",
        "assert c([(1, 2), (3, 4)]).popitem(last=False) == (1, 2)",
    ),
    "a dictionary with a default": (
        TASK,
        "    import collections\n    d = collections.defaultdict(list)\n    d[x].append(1)\n"
        "    return d\n",
        "assert c(2) == {2: [1]}",
    ),
    "a named tuple": (
        TASK,
        "    import collections\n    return collections.namedtuple('P', 'a b')(x, 2)\n",
        "assert c(1) == (1, 2) and c(1).b == 2 and c(c(1)).a.b == 2",
    ),
    "values of more kinds": (
        TASK,
        "    import datetime\n    return [slice(1, x, None), ..., datetime.time(1, 2)]\n",
        "import datetime\n    assert c(3) == [slice(1, 3, None), ..., datetime.time(1, 2)]",
    ),
    "many numbers": (
        TASK,
        "    return [list(range(x)), [0.5, -0.0] * x, [2 ** 64] * x, [True] * x, [1, 1.0] * x]\n",
        "assert repr(c(9)) == repr([list(range(9)), [0.5, -0.0] * 9, [2 ** 64] * 9, [True] * 9,"
        " [1, 1.0] * 9])",
    ),
    "lists in lists": (
        TASK,
        "    r = []\n    for _ in range(x): r = [r]\n    return r\n",
        "r, n = c(400), 0\n    while r: r, n = r[0], n + 1\n    assert n == 400",
    ),
    "the null device": (
        TASK,
        "    with open('/dev/null', 'w') as file: file.write('x')\n"
        "    return open('/dev/null').read()\n",
        "assert c(1) == ''",
    ),
    "no packages but the standard library": (
        TASK,
        "    import os\n"
        "    names = [n for n in os.listdir(os.path.dirname(os.__file__)) if 'packages' in n]\n"
        "    return [os.listdir(os.path.join(os.path.dirname(os.__file__), n)) for n in names]\n",
        "assert not any(c(1))",
    ),
}


@sandboxed
@pytest.mark.parametrize("user", USERS)
def test_checks_find_what_they_would_in_the_same_process(user):
    jobs = [
        Program(
            given=given,
            answer=f"{given}{answer}\n\n",
            checks=f"def check(c):\n    {checks}\ncheck(f)",
            entry_point="f",
        )
        for given, answer, checks in FAITHFUL.values()
    ]
    found = dict(zip(FAITHFUL, run_as(user, jobs), strict=True))
    assert {name: one for name, one in found.items() if one.outcome != "passed"} == {}
