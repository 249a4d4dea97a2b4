"""Completions that are wrong and want to pass: each answers the task "double a number".

By the frames, threads, memory and descriptors of the process that checks, by what the interpreter
looks up while it does, or by ending as if all were done.
"""

from __future__ import annotations

GIVEN = 'def f(x):\n    """The double of a number."""\n'

CHECKS = """
def check(candidate):
    assert candidate(1) == 2
    assert candidate(7) == 14
    assert candidate(-3) == -6
"""

RIGHT = "    return 2 * x\n"
WRONG = "    return None\n"

# Ends each forgery that does its work before it is called.
NOTHING = "def f(x):\n    return None\n"

FRAMES = """
import sys
def frames():
    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back
"""

FORGERIES: dict[str, str] = {
    # The five that were found first.
    "a tracer that jumps over the checks": (
        "import sys\n"
        "def jump(frame, event, argument):\n"
        "    if event == 'line' and frame.f_code.co_name == 'check':\n"
        "        last = max(line for _, _, line in frame.f_code.co_lines() if line)\n"
        "        try: frame.f_lineno = last\n"
        "        except ValueError: pass\n"
        "    return jump\n"
        "sys.settrace(jump)\n" + NOTHING
    ),
    "a tracer set on the caller's frame": (
        "import sys\n"
        "def f(x):\n"
        "    def jump(frame, event, argument):\n"
        "        if event == 'line':\n"
        "            last = max(line for _, _, line in frame.f_code.co_lines() if line)\n"
        "            try: frame.f_lineno = last\n"
        "            except ValueError: pass\n"
        "        return jump\n"
        "    sys._getframe(1).f_trace = jump\n"
        "    sys.settrace(lambda *_: jump)\n"
        "    return 2 if x == 1 else None\n"
    ),
    "a thread that swaps check": (
        "import threading\n"
        "names = globals()\n"
        "def swap():\n"
        "    while True:\n"
        "        names['check'] = lambda candidate: None\n"
        "threading.Thread(target=swap, daemon=True).start()\n" + NOTHING
    ),
    "small integers rewritten": (
        "import ctypes\n"
        "def f(x):\n"
        "    at = 24\n"
        "    for n in (2, 14, -6):\n"
        "        if -5 <= n <= 256:\n"
        "            ctypes.memmove(id(n) + at, id(1) + at, 4)\n"
        "    return 1\n"
    ),
    "locals written to the caller's frame": (
        "import ctypes, sys\n"
        "class Any:\n"
        "    def __call__(self, x): return self\n"
        "    def __eq__(self, other): return True\n"
        "def f(x):\n"
        "    frame = sys._getframe(1)\n"
        "    frame.f_locals['candidate'] = Any()\n"
        "    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))\n"
        "    return 2\n"
    ),
    "a copied descriptor and the token of a frame": (
        FRAMES + "import os\n"
        "copies = []\n"
        "for n in range(3, 20):\n"
        "    try: copies.append(os.dup(n))\n"
        "    except OSError: pass\n"
        "def f(x):\n"
        "    for frame in frames():\n"
        "        token = frame.f_locals.get('token')\n"
        "        if token:\n"
        "            for n in copies: os.write(n, f'{token}passed\\n'.encode())\n"
        "            os._exit(0)\n"
        '    for n in copies: os.write(n, b\'{"outcome": "passed", "error_head": ""}\\n\')\n'
        "    os._exit(0)\n"
    ),
    # Ends.
    "an end before the checks": "import os\nos._exit(0)\n" + NOTHING,
    "an end when called": "import os\ndef f(x):\n    os._exit(0)\n",
    "a polite end when called": "def f(x):\n    raise SystemExit(0)\n",
    "an end at exit": "import atexit, os\natexit.register(os._exit, 0)\n" + NOTHING,
    "an end by a signal": (
        "import os, signal\nsignal.signal(signal.SIGALRM, lambda *_: os._exit(0))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.01)\ndef f(x):\n    while True: pass\n"
    ),
    "an end by an exception that is none": (
        "class Quiet(BaseException): pass\ndef f(x):\n    raise Quiet\n"
    ),
    "an end of a generator": "def f(x):\n    raise GeneratorExit\n",
    "an end of an iteration": "def f(x):\n    raise StopIteration\n",
    "an end of a thread": "import _thread\ndef f(x):\n    _thread.exit()\n",
    "an end of the main thread": (
        "import _thread\ndef f(x):\n    _thread.interrupt_main()\n    return None\n"
    ),
    # Another in its place.
    "another interpreter": (
        "import os, sys\ndef f(x):\n    os.execv('/python/bin/python', ['python', '-c', ''])\n"
    ),
    "a subinterpreter": (
        "def f(x):\n"
        "    import _xxsubinterpreters as other\n"
        "    other.run_string(other.create(), 'import os; os._exit(0)')\n"
    ),
    "a child that goes on": (
        "import os\ndef f(x):\n    if os.fork(): os._exit(0)\n    return None\n"
    ),
    "a child that answers, too": ("import os\nos.fork()\ndef f(x):\n    return 2 * x + 1\n"),
    # What is looked up while checks run.
    "assertions that are no error": (
        "import builtins\nbuiltins.AssertionError = type('Quiet', (Warning,), {})\n" + NOTHING
    ),
    "no built-in names": (
        "import builtins\nfor name in ('AssertionError', 'BaseException', 'Exception', 'compile',"
        " 'exec', 'type'):\n    setattr(builtins, name, lambda *_, **__: None)\n" + NOTHING
    ),
    "check in its place": "check = lambda candidate: None\n" + NOTHING,
    "check as a built-in": ("import builtins\nbuiltins.check = lambda candidate: None\n" + NOTHING),
    "names that keep check": (
        "class Names(dict):\n"
        "    def __setitem__(self, name, value):\n"
        "        dict.__setitem__(self, name, (lambda c: None) if name == 'check' else value)\n"
        "import sys\nsys.modules['__main__'].__dict__.update(check=lambda c: None)\n" + NOTHING
    ),
    "other ways to write and end": (
        "import os, sys, traceback\n"
        "os.write = lambda n, text: len(text)\nos._exit = lambda status: None\n"
        "sys.exc_info = lambda: (None, None, None)\n"
        "traceback.format_exception_only = lambda *_: ['']\n"
        "sys.excepthook = lambda *_: None\n" + NOTHING
    ),
    "other messages": (
        FRAMES + "import pickle, sys\n"
        "for name, module in list(sys.modules.items()):\n"
        "    for one in ('send', 'pickled', 'error_text', 'leave'):\n"
        "        if hasattr(module, one) and 'inside' in name:\n"
        "            setattr(module, one, lambda *_, **__: pickle.dumps(('value', 2, ())))\n"
        + NOTHING
    ),
    "other values in the frames above": (
        FRAMES + "def f(x):\n"
        "    for frame in frames():\n"
        "        for name in list(frame.f_locals):\n"
        "            if name in ('is_over', 'passed'): frame.f_locals[name] = True\n"
        "        frame.f_globals['is_over'] = True\n"
        "    return None\n"
    ),
    "the checks' code by the collector": (
        "import gc, types\n"
        "for one in gc.get_objects():\n"
        "    if isinstance(one, types.FunctionType) and one.__name__ in ('check', '_verdict'):\n"
        "        one.__code__ = (lambda *_: {'outcome': 'passed', 'error_head': ''}).__code__\n"
        + NOTHING
    ),
    "the expected values by the collector": (
        "import gc, re\n"
        "def f(x):\n"
        "    for one in gc.get_objects():\n"
        "        for text in (one.values() if isinstance(one, dict) else ()):\n"
        "            if isinstance(text, str):\n"
        "                found = re.search(rf'candidate\\({x}\\) == (-?[0-9]+)\\n', text)\n"
        "                if found: return int(found[1])\n"
    ),
    "the expected values by the frames": (
        FRAMES + "import re\n"
        "def f(x):\n"
        "    for frame in frames():\n"
        "        for text in map(str, frame.f_locals.values()):\n"
        "            found = re.search(rf'candidate.{x}. == (-?[0-9]+)', text)\n"
        "            if found: return int(found[1])\n"
    ),
    "the expected values by the constants above": (
        FRAMES + "def f(x):\n"
        "    for frame in frames():\n"
        "        if frame.f_code.co_name == 'check':\n"
        "            constants = [c for c in frame.f_code.co_consts if isinstance(c, int)]\n"
        "            return constants[constants.index(x) + 1]\n"
    ),
    "the expected values in memory": (
        "import ctypes, re\n"
        "def f(x):\n"
        "    # The pages around what this process can name.\n"
        "    base = id(f) & ~0xFFFFF\n"
        "    text = ctypes.string_at(base, 1 << 18)\n"
        "    found = re.search(rb'candidate.%d. == (-?[0-9]+)' % x, text)\n"
        "    return int(found[1]) if found else None\n"
    ),
    "an import hook": (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, *_): return None\n"
        "sys.meta_path.insert(0, Finder())\nsys.path.insert(0, '/tmp')\n"
        "open('/tmp/math.py', 'w').write('raise SystemExit(0)')\nsys.modules.clear()\n" + NOTHING
    ),
    "a profiler": (
        "import os, sys\nsys.setprofile(lambda *_: None)\n"
        "def f(x):\n    sys.setprofile(lambda frame, event, value: os._exit(0))\n    return None\n"
    ),
    "an audit hook": "import os, sys\nsys.addaudithook(lambda *_: None)\n" + NOTHING,
    "a monitor of faults": "import faulthandler\nfaulthandler._sigsegv()\n" + NOTHING,
    "a destructor": (
        "import os\nclass A:\n    def __del__(self): os._exit(0)\n"
        "def f(x):\n    A()\n    return None\n"
    ),
    # What it answers.
    "a value that equals everything": (
        "class Any:\n    def __eq__(self, other): return True\ndef f(x):\n    return Any()\n"
    ),
    "a number that equals everything": (
        "class Any(int):\n    def __eq__(self, other): return True\n"
        "    __hash__ = int.__hash__\ndef f(x):\n    return Any(0)\n"
    ),
    "a list that equals everything": (
        "class Any(list):\n    def __eq__(self, other): return True\ndef f(x):\n    return Any()\n"
    ),
    "a class that equals everything": (
        "class Meta(type):\n    def __eq__(self, other): return True\n"
        "    __hash__ = type.__hash__\n"
        "class Any(metaclass=Meta): pass\ndef f(x):\n    return Any\n"
    ),
    "an exception that equals everything": (
        "class Any(Exception):\n    def __eq__(self, other): return True\ndef f(x):\n"
        "    return Any()\n"
    ),
    "a value that pickles as a call": (
        "import os\nclass Any:\n    def __reduce__(self): return os._exit, (0,)\n"
        "    def __reduce_ex__(self, n): return os._exit, (0,)\ndef f(x):\n    return Any()\n"
    ),
    "a message that calls": (
        "import os, pickle\n"
        "class Any:\n    def __reduce__(self): return os._exit, (0,)\n"
        "content = pickle.dumps(('value', Any(), ()))\n"
        "os.write(4, bytes(8) + len(content).to_bytes(8, 'big') + content)\n" + NOTHING
    ),
    "a message that changes the reader": (
        "import os\n"
        "content = (b'\\x80\\x04cinference.measuring.inside.messages\\nrestored\\n'\n"
        "           b'N}(\\x8c\\x08__call__cbuiltins\\nprint\\nu\\x86b.')\n"
        "os.write(4, bytes(8) + len(content).to_bytes(8, 'big') + content)\n" + NOTHING
    ),
    "a message of a verdict": (
        "import os\nfor n in range(3, 64):\n"
        '    try: os.write(n, b\'{"outcome": "passed", "error_head": ""}\\n\')\n'
        "    except OSError: pass\n" + NOTHING
    ),
    "a message without end": (
        "import os\nos.write(4, b'\\xff' * 16)\nos.write(4, b'x' * 65000)\n" + NOTHING
    ),
    "a message that is long": (
        "import os\nos.write(4, bytes(8) + (200 << 20).to_bytes(8, 'big'))\n"
        "while True: os.write(4, b'x' * 65536)\n" + NOTHING
    ),
    "messages ahead": (
        "import os, pickle\n"
        "for n in (None, 2, 14, -6, 2, 14, -6, None):\n"
        "    content = pickle.dumps(('value', n, (0,)))\n"
        "    os.write(4, bytes(8) + len(content).to_bytes(8, 'big') + content)\n" + NOTHING
    ),
    "an answer twice": (
        FRAMES + "import os, pickle\n"
        "def f(x):\n"
        "    for frame in frames():\n"
        "        number = frame.f_locals.get('number')\n"
        "        if number:\n"
        "            content = pickle.dumps(('value', 2, (1,)))\n"
        "            content = number + len(content).to_bytes(8, 'big') + content\n"
        "            os.write(4, content * 3)\n"
    ),
    "an answer of nan": "def f(x):\n    return float('nan')\n",
    # The text.
    "checks swallowed by a string": "def f(x):\n    return None\nx = '''\n",
    "checks swallowed by a line that goes on": "def f(x):\n    return None\nx = 1 + \\\n",
    "checks swallowed by a decorator": (
        "def f(x):\n    return None\nclass Quiet:\n"
        "    def __call__(self, candidate): return self\n@lambda check: Quiet()\n"
    ),
    "checks swallowed by a branch": "def f(x):\n    return None\nif False:\n",
    "checks behind an end": "def f(x):\n    return None\nraise SystemExit(0)\n",
    "a coding line": "# -*- coding: utf-7 -*-\ndef f(x):\n    return None\n",
    "another future": ("from __future__ import annotations\ndef f(x):\n    return None\n"),
}
