"""Programs that mean harm, or want to pass without being right; every one ends in a wrong check.

`SECRET` and `OUTSIDE` stand for a file of this machine that no program may read, and a folder that
none may write to.
"""

from __future__ import annotations

WRONG = "\nassert 1 + 1 == 3\n"

HOSTILE: dict[str, str] = {
    "fork bomb": "import os\nwhile True:\n try: os.fork()\n except OSError: pass",
    "thread bomb": (
        "import threading, time\nwhile True:\n"
        " try: threading.Thread(target=time.sleep, args=(99,)).start()\n except RuntimeError: pass"
    ),
    "memory hog": "kept = []\nwhile True: kept.append(bytearray(1 << 24))",
    "memory hog in many processes": (
        "import os, time\nfor _ in range(12):\n if os.fork() == 0: break\n"
        "kept = []\nwhile True:\n try: kept.append(bytearray(1 << 22))\n"
        " except MemoryError: time.sleep(9)"
    ),
    "one huge object": "x = 'x' * (1 << 40)",
    "endless output": "while True: print('x' * 65536)",
    "endless errors": "import os\nwhile True: os.write(2, b'x' * 65536)",
    "a TCP connection": (
        "import socket\nsocket.create_connection(('127.0.0.1', PORT), timeout=1)\n"
        "raise SystemExit('REACHED')"
    ),
    "a UDP packet": (
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'x', ('192.0.2.1', 53))\nraise SystemExit('REACHED')"
    ),
    "a name looked up": (
        "import socket\nsocket.gethostbyname('example.org')\nraise SystemExit('REACHED')"
    ),
    "a socket of this machine": (
        "import socket\nsocket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')\n"
        "raise SystemExit('REACHED')"
    ),
    "reading users": "raise SystemExit('REACHED' + open('/etc/passwd').read())",
    "reading a secret": "raise SystemExit('REACHED' + open('SECRET').read())",
    "reading the home folder": "import os\nraise SystemExit('REACHED' + str(os.listdir('/root')))",
    "reading the environment": (
        "import os\nif 'EVALWH_TEST_SECRET' in os.environ: raise SystemExit('REACHED')"
    ),
    "reading the first process": "raise SystemExit('REACHED' + open('/proc/1/environ').read())",
    "the root of a process": (
        "import os\nraise SystemExit('REACHED' + str(os.listdir('/proc/self/root')))"
    ),
    "the memory of the parent": (
        "import os\nopen(f'/proc/{os.getppid()}/mem', 'r+b')\nraise SystemExit('REACHED')"
    ),
    "tracing the parent": (
        "import ctypes, os\nif ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0:"
        " raise SystemExit('REACHED')"
    ),
    "writing outside": "open('OUTSIDE/planted', 'w').write('x')\nraise SystemExit('REACHED')",
    "writing to the root": "open('/planted', 'w').write('x')\nraise SystemExit('REACHED')",
    "writing to the interpreter": (
        "import os\nopen(os.__file__, 'a').write('x')\nraise SystemExit('REACHED')"
    ),
    "filling the scratch folder": (
        "for i in range(10**6): open(f'/tmp/{i}', 'wb').write(b'x' * (1 << 20))"
    ),
    "a symbolic link out": (
        "import os\nos.symlink('SECRET', '/tmp/link')\n"
        "raise SystemExit('REACHED' + open('/tmp/link').read())"
    ),
    "a folder that cannot be removed": (
        "import os\nos.makedirs('/tmp/a/b/c')\nopen('/tmp/a/b/c/d', 'w')\nos.chmod('/tmp/a/b', 0)"
    ),
    "killing the parent": "import os\nos.kill(os.getppid(), 9)",
    "killing everything": "import os\nos.kill(-1, 9)",
    "killing the first process": "import os\nos.kill(1, 9)",
    "signals ignored": (
        "import signal\nfor n in range(1, 32):\n"
        " try: signal.signal(n, signal.SIG_IGN)\n except (OSError, ValueError): pass\n"
        "while True: pass"
    ),
    "sleeping past the limit": "import time\ntime.sleep(99)",
    "a child that outlives": ("import os, time\nif os.fork() == 0:\n time.sleep(30)\n os._exit(0)"),
    "a daemon": (
        "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
        "  time.sleep(2)\n  open('/tmp/late', 'w')\n os._exit(0)"
    ),
    "leaving before the checks": "import os\nos._exit(0)",
    "leaving politely": "import sys\nsys.exit(0)",
    "leaving at the end": "import atexit, os\natexit.register(os._exit, 0)",
    "success printed everywhere": (
        "import os\nfor n in range(256):\n"
        ' for text in (b\'passed\\n\', b\'{"outcome": "passed", "error_head": ""}\\n\'):\n'
        "  try: os.write(n, text)\n  except OSError: pass"
    ),
    "everything closed": "import os\nos.closerange(0, 256)",
    "other functions in place": (
        "import builtins, os, sys\n"
        "os.write = lambda n, text: len(text)\nos._exit = lambda status: None\n"
        "sys.excepthook = lambda *_: os._exit(0)\nbuiltins.exec = lambda *_: None\n"
        "sys.exit = lambda *_: None"
    ),
    "other exceptions in place": (
        "import builtins\nclass Quiet(BaseException): pass\n"
        "builtins.AssertionError = Quiet\nbuiltins.BaseException = ValueError"
    ),
    "no builtins left": "import builtins\nfor name in list(vars(builtins)):\n"
    " if name not in ('delattr', 'list', 'vars', 'AssertionError'): delattr(builtins, name)",
    "a tracer that jumps": (
        "import sys\ndef trace(frame, event, argument):\n"
        " if event == 'exception': raise SystemExit(0)\n return trace\nsys.settrace(trace)\n"
        "def f(): assert False\nf()"
    ),
    "a destructor that raises": (
        "class A:\n def __del__(self): raise SystemExit(0)\na = A()\ndel a"
    ),
    "an exception without a text": (
        "class E(Exception):\n def __str__(self): return E.__str__(self)\nraise E()"
    ),
    "an exception with a long text": "raise ValueError('x' * (1 << 24))",
    "a broken pointer": "import ctypes\nctypes.string_at(0)",
    "limits raised": (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n"
        "raise SystemExit('REACHED')"
    ),
    "a mount": (
        "import ctypes\nif ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0:"
        " raise SystemExit('REACHED')"
    ),
    "a device": (
        "import os\nos.mknod('/tmp/disk', 0o60600, os.makedev(254, 0))\nraise SystemExit('REACHED')"
    ),
    "another root": "import os\nos.chroot('/tmp')\nraise SystemExit('REACHED')",
    "another user": "import os\nos.setuid(0)\nraise SystemExit('REACHED')",
}
