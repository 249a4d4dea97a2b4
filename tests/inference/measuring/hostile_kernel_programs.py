"""Programs that ask the kernel for what a program must not have; every one ends in a wrong check.

A call that succeeds ends with REACHED; where a program may do harm and be none the wiser, the
programs after it show whether it did.
"""

from __future__ import annotations

KERNEL = """
import ctypes, os, platform, time
kernel = ctypes.CDLL(None, use_errno=True)
def call(x86_64, aarch64, *values):
    number = {'x86_64': x86_64, 'aarch64': aarch64}[platform.machine()]
    return kernel.syscall(ctypes.c_long(number), *[
        ctypes.c_long(value) if isinstance(value, int) else value for value in values])
def reached(is_reached):
    if is_reached: raise SystemExit('REACHED')
def tried(function, *values):
    try: function(*values)
    except (OSError, ValueError, OverflowError): return
    raise SystemExit('REACHED')
"""

EVERYONE = "list(range(1, 300)) + [-1, 0]"

CALLS: dict[str, str] = {
    # Limits, priorities and signals of others.
    "prlimit: the first process's memory": (
        "class Limit(ctypes.Structure): _fields_ = [('soft', ctypes.c_ulong)] * 1\n"
        "new = (ctypes.c_ulong * 2)(1 << 20, 1 << 20)\n"
        "reached(os.getpid() != 1 and call(302, 261, 1, 9, new, None) == 0)\n"
        "import resource\nresource.prlimit(os.getppid(), resource.RLIMIT_AS, (1, 1))"
    ),
    "prlimit: everyone's processor time": (
        "import resource\n"
        f"for n in {EVERYONE}:\n"
        " if n != os.getpid():\n"
        "  for which in (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE):\n"
        "   try: resource.prlimit(n, which, (0, 0))\n"
        "   except (OSError, ValueError): pass"
    ),
    "SIGINT to the first process": "import signal\nos.kill(1, signal.SIGINT)\ntime.sleep(0.1)",
    "SIGINT to the parent": "import signal\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(0.1)",
    "every signal to everyone": (
        f"for n in {EVERYONE}:\n"
        " for s in range(1, 65):\n"
        "  if n not in (os.getpid(),):\n"
        "   try: os.kill(n, s)\n   except OSError: pass"
    ),
    "every signal to its group": (
        "import signal\nfor s in range(1, 65):\n"
        " if s not in (9, 19):\n  try: signal.signal(s, signal.SIG_IGN)\n"
        "  except (OSError, ValueError): pass\n"
        " try: os.killpg(0, s)\n except OSError: pass"
    ),
    "stopping everyone": (
        f"import signal\nfor n in {EVERYONE}:\n"
        " if n != os.getpid():\n  try: os.kill(n, signal.SIGSTOP)\n  except OSError: pass"
    ),
    "stopping itself": "import signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "ending itself by a signal": "import signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "abort": "os.abort()",
    "a real-time priority": ("tried(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))"),
    "the idle priority for everyone": (
        f"for n in {EVERYONE}:\n"
        " try: os.sched_setscheduler(n, os.SCHED_IDLE, os.sched_param(0))\n"
        " except OSError: pass\n"
        " try: os.setpriority(os.PRIO_PROCESS, n, 19)\n except OSError: pass\n"
        " try: os.setpriority(os.PRIO_PGRP, 0, 19)\n except OSError: pass\n"
        " try: os.setpriority(os.PRIO_USER, os.getuid(), 19)\n except OSError: pass"
    ),
    "one processor for everyone": (
        f"for n in {EVERYONE}:\n try: os.sched_setaffinity(n, {{0}})\n except OSError: pass"
    ),
    "a higher priority": "tried(os.nice, -5)",
    "the clock": "tried(time.clock_settime, time.CLOCK_REALTIME, 0.0)",
    "the host's name": "tried(os.sethostname if hasattr(os, 'sethostname') else"
    " __import__('socket').sethostname, 'taken')",
    "timers without end": (
        "event = (ctypes.c_char * 64)()\ntimer = ctypes.c_int()\nn = 0\n"
        "while call(222, 107, 1, None, ctypes.byref(timer)) == 0: n += 1\n"
        "reached(n > 64)"
    ),
    "a signal when it is late": (
        "import signal\ndef late(*_): os._exit(0)\n"
        "signal.signal(signal.SIGALRM, late)\nsignal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "time.sleep(0.5)"
    ),
    # What would stay.
    "System V memory": ("n = call(29, 194, 0, 64 << 20, 0o1777)\nreached(n >= 0)"),
    "System V memory without a process": (
        "for _ in range(12):\n"
        " n = kernel.shmget(0, 64 << 20, 0o1777)\n"
        " kernel.shmat.restype = ctypes.c_void_p\n"
        " if n >= 0:\n  at = kernel.shmat(n, None, 0)\n"
        "  ctypes.memset(at, 1, 64 << 20)\n  kernel.shmdt(ctypes.c_void_p(at))\n"
        " reached(n >= 0)"
    ),
    "System V semaphores": "reached(kernel.semget(4711, 8, 0o1777) >= 0)",
    "System V messages": "reached(kernel.msgget(4711, 0o1777) >= 0)",
    "POSIX messages": "reached(call(240, 180, b'left', 0o102, 0o777, None) >= 0)",
    "POSIX shared memory": "tried(os.open, '/dev/shm/left', os.O_CREAT | os.O_RDWR)",
    "shared memory of multiprocessing": (
        "from multiprocessing import shared_memory\n"
        "tried(lambda: shared_memory.SharedMemory('left', create=True, size=1 << 20))"
    ),
    "a key in the user's keyring": "reached(call(248, 217, b'user', b'left', b'x', 1, -4) >= 0)",
    "a key in the session's keyring": "reached(call(248, 217, b'user', b'k', b'x', 1, -3) >= 0)",
    "reading the session's keyring": (
        "text = ctypes.create_string_buffer(4096)\n"
        "n = call(250, 219, 6, -3, text, 4096, 0)\nreached(n > 0 and text.raw[:n].strip(b'\\0'))"
    ),
    "the keys of everyone": "raise SystemExit('REACHED' + open('/proc/keys').read())",
    "asking for a key": "reached(call(249, 218, b'user', b'left', None, -3) >= 0)",
    # Memory outside of the limit.
    "a file in memory": "reached(call(319, 279, b'x', 0) >= 0)",
    "files in memory past the limit": (
        "held = [os.memfd_create('x') for _ in range(40)]\n"
        "for one in held:\n for _ in range(16): os.write(one, b'x' * (1 << 20))\n"
        "reached(True)"
    ),
    "secret memory": "reached(call(447, 447, 0) >= 0)",
    "locked memory": "reached(call(151, 230, 1) == 0)",
    "shared memory handed from process to process": (
        "import mmap\n"
        "for _ in range(10):\n"
        " m = mmap.mmap(-1, 300 << 20)\n"
        " for at in range(0, 300 << 20, 4096): m[at] = 1\n"
        " if os.fork(): time.sleep(9)\n"
        " m.close()\n"
    ),
    "memory by many processes": (
        "for _ in range(14):\n if os.fork() == 0: break\n"
        "kept = bytearray(300 << 20)\nfor at in range(0, len(kept), 4096): kept[at] = 1\n"
        "time.sleep(9)"
    ),
    "full pipes": (
        "import fcntl\nheld = []\nn = 0\n"
        "for _ in range(28):\n held.append(os.pipe())\n"
        " try: fcntl.fcntl(held[-1][1], 1031, 1 << 20)\n except OSError: continue\n"
        " n += 1\n"
        "reached(n > 20)"
    ),
    "splicing": "reached(call(278, 75, os.pipe()[1], None, 0, 0) == 0)",
    # Files.
    "all inodes": (
        "n = 0\ntry:\n while n < 10**6:\n  open(f'/tmp/{n}', 'w').close()\n  n += 1\n"
        "except OSError: pass\nreached(n > 2000)"
    ),
    "all inodes as folders": (
        "n = 0\ntry:\n while n < 10**6:\n  os.mkdir(f'/tmp/{n}')\n  n += 1\n"
        "except OSError: pass\nreached(n > 2000)"
    ),
    "all inodes as links": (
        "n = 0\nopen('/tmp/x', 'w').close()\ntry:\n while n < 10**6:\n"
        "  os.link('/tmp/x', f'/tmp/{n}')\n  n += 1\nexcept OSError: pass\nreached(n > 2000)"
    ),
    "folders within folders": (
        "os.chdir('/tmp')\ntry:\n for _ in range(10**5):\n  os.mkdir('d' * 200)\n"
        "  os.chdir('d' * 200)\nexcept OSError: pass"
    ),
    "its scratch folder closed to itself": "os.chmod('/tmp', 0)",
    "its scratch folder closed, with files": (
        "open('/tmp/left', 'w').write('x')\nos.chmod('/tmp/left', 0)\nos.chmod('/tmp', 0)"
    ),
    "a pipe with a name": "os.mkfifo('/tmp/left')\nos.open('/tmp/left', os.O_RDONLY)",
    "attributes of files": (
        "open('/tmp/x', 'w').close()\ntried(os.setxattr, '/tmp/x', 'user.a', b'x' * 4000)"
    ),
    "a file that belongs to another": (
        "open('/tmp/x', 'w').close()\ntried(os.chown, '/tmp/x', 0, 0)"
    ),
    "an executable of another user": (
        "import shutil, sys\nshutil.copy('/python/bin/python', '/tmp/p')\n"
        "os.chmod('/tmp/p', 0o6755)\nos.execv('/tmp/p', ['p', '-c', 'pass'])"
    ),
    "all descriptors": (
        "held = []\ntry:\n while len(held) < 10**5: held.append(os.open('/dev/null', 0))\n"
        "except OSError: pass\nreached(len(held) > 64)"
    ),
    "a sparse file of a terabyte": "tried(os.truncate, open('/tmp/x', 'w').name, 1 << 40)",
    "mounting over the scratch folder": (
        "reached(kernel.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0)"
    ),
    "what lies under its list of processes": (
        "reached(kernel.umount2(b'/proc', 2) == 0 or os.listdir('/proc'))"
    ),
    "a file system by descriptor": "reached(call(430, 430, b'tmpfs', 0) >= 0)",
    "a tree of mounts": "reached(call(428, 428, -100, b'/', 1) >= 0)",
    "a file by its handle": (
        "handle = (ctypes.c_char * 136)()\nreached(call(304, 265, -100, handle, 0) >= 0)"
    ),
    "watching files": "reached(call(294, 26, 0) >= 0)",
    "watching everyone's files": "reached(call(300, 262, 0, 0) >= 0)",
    "folders of other processes": (
        "for n in range(1, 99):\n"
        " for name in ('environ', 'mem', 'maps', 'root', 'cwd', 'fd', 'cmdline'):\n"
        "  reached(os.path.lexists(f'/proc/{n}/{name}'))"
    ),
    # Namespaces and capabilities.
    "a namespace of users": "reached(kernel.unshare(0x10000000) == 0)",
    "namespaces of every kind": (
        "for flag in (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000,"
        " 0x40000000):\n reached(kernel.unshare(flag) == 0)"
    ),
    "a child in a namespace of users": (
        "n = call(56, 220, 0x10000000 | 17, 0, 0, 0, 0)\nif n == 0: os._exit(0)\nreached(n > 0)"
    ),
    "a child by the newest call": (
        "values = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)\n"
        "n = call(435, 435, values, 88)\nif n == 0: os._exit(0)\nreached(n > 0)"
    ),
    "a sibling": (
        "n = call(56, 220, 0x8000 | 17, 0, 0, 0, 0)\nif n == 0: os._exit(0)\nreached(n > 0)"
    ),
    "another's namespace": (
        "reached(call(308, 268, call(434, 434, os.getppid() or 1, 0), 0x20000000) == 0)"
    ),
    "all capabilities": (
        "head = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
        "sets = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)\n"
        "reached(kernel.capset(head, sets) == 0)"
    ),
    "no more filter": "reached(kernel.prctl(22, 0, 0, 0, 0) == 0)",
    "readable for others": "reached(kernel.prctl(4, 1, 0, 0, 0) == 0)",
    "a user's number": "tried(os.setresuid, 0, 0, 0)\ntried(os.setgroups, [0])",
    # Others' memory and descriptors.
    "tracing everyone": (
        f"for n in {EVERYONE}:\n"
        " reached(n > 0 and n != os.getpid() and kernel.ptrace(16, n, 0, 0) == 0)"
    ),
    "being traced": "reached(kernel.ptrace(0, 0, 0, 0) == 0)",
    "reading the memory of everyone": (
        "text = ctypes.create_string_buffer(64)\n"
        "class Piece(ctypes.Structure):\n"
        " _fields_ = [('at', ctypes.c_void_p), ('length', ctypes.c_size_t)]\n"
        "mine = Piece(ctypes.addressof(text), 8)\ntheirs = Piece(id(os), 8)\n"
        f"for n in {EVERYONE}:\n"
        " if n != os.getpid():\n"
        "  reached(kernel.process_vm_readv(n, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)"
        " > 0)\n"
        "  reached(kernel.process_vm_writev(n, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)"
        " > 0)"
    ),
    "a descriptor of everyone": (
        f"for n in {EVERYONE}:\n"
        " handle = call(434, 434, n, 0)\n"
        " if handle >= 0 and n != os.getpid():\n"
        "  for one in range(64): reached(call(438, 438, handle, one, 0) >= 0)"
    ),
    "comparing processes": "reached(call(312, 272, 1, os.getpid(), 0, 0, 0) >= 0)",
    # Doors of the kernel.
    "io_uring": "reached(call(425, 425, 8, (ctypes.c_char * 120)()) >= 0)",
    "userfaultfd": "reached(call(323, 282, 1) >= 0 or call(323, 282, 0) >= 0)",
    "bpf": "reached(call(321, 280, 0, (ctypes.c_char * 128)(), 128) >= 0)",
    "performance counters": ("reached(call(298, 241, (ctypes.c_char * 128)(), 0, -1, -1, 0) >= 0)"),
    "the kernel's messages": "reached(call(103, 116, 3, (ctypes.c_char * 64)(), 64) >= 0)",
    "another personality": "reached(call(135, 92, 0x0040000) >= 0)",
    "another kernel": "reached(call(246, 104, 0, 0, None, 0) >= 0)",
    "a module": "reached(call(313, 273, 0, b'', 0) >= 0)",
    "swapping": "reached(call(167, 224, b'/tmp/x', 0) >= 0)",
    "restarting": "reached(call(169, 142, 0xFEE1DEAD, 672274793, 0) >= 0)",
    "a call of 32 bits": (
        "import mmap\nm = mmap.mmap(-1, 4096, prot=7)\n"
        "m.write(bytes.fromhex('b814000000cd80c3'))\n"
        "reached(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof("
        "ctypes.c_char.from_buffer(m)))() > 0)"
    ),
    "a call of x32": "reached(call(0x40000000 + 39, 9999) > 0)",
    "calls that do not exist": (
        "for n in range(450, 1200): reached(call(n, n, 0, 0, 0, 0, 0, 0) > 0)"
    ),
    # Sockets.
    "sockets of every family": (
        "import socket\nfor family in range(0, 46):\n"
        " for kind in (1, 2, 3, 5):\n"
        "  try: socket.socket(family, kind)\n  except OSError: continue\n"
        "  raise SystemExit(f'REACHED {family} {kind}')"
    ),
    "vsock": "import socket\ntried(socket.socket, 40, socket.SOCK_STREAM)",
    "netlink": "import socket\ntried(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW)",
    "the kernel's cipher": "import socket\ntried(socket.socket, 38, socket.SOCK_SEQPACKET)",
    "packets": "import socket\ntried(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)",
    "an abstract name": (
        "import socket\nsocket.socket(socket.AF_UNIX).bind('\\0left')\nraise SystemExit('REACHED')"
    ),
    "pairs of other families": (
        "import socket\nfor family in (2, 10, 16, 30, 38, 40):\n"
        " try: socket.socketpair(family)\n except (OSError, ValueError): continue\n"
        " raise SystemExit('REACHED')"
    ),
    # Load.
    "children and threads without end": (
        "import threading\nwhile True:\n"
        " try:\n  if os.fork() == 0: threading.Thread(target=time.sleep, args=(9,)).start()\n"
        " except (OSError, RuntimeError): pass"
    ),
    "children that end at once, without end": (
        "while True:\n try:\n  if os.fork() == 0: os._exit(0)\n except OSError: pass"
    ),
    "sixteen busy processes": (
        "for _ in range(15):\n try:\n  if os.fork() == 0: break\n except OSError: pass\n"
        "while True: pass"
    ),
    "a regular expression without end": "import re\nre.match('(a+)+$', 'a' * 64 + 'b')",
    "a number without end": "x = 9 ** 9 ** 9",
    "deep recursion in C": ("import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()"),
    "deep text": "eval('(' * 10**6)",
    "deep text compiled": "exec('x = ' + '-' * 10**6 + '1')",
    "a list in a list without end": ("x = []\nfor _ in range(10**6): x = [x]\nrepr(x)"),
    "output without end in threads": (
        "import threading\n"
        "for _ in range(8):\n"
        " threading.Thread(target=lambda: [os.write(1, b'x' * 65536) for _ in iter(int, 1)],"
        " daemon=True).start()"
    ),
    "a descriptor flooded": (
        "import threading\nfor n in range(0, 64):\n"
        " try: os.write(n, b'\\xff' * 1024)\n except OSError: pass"
    ),
    "a lock on what all programs read": (
        "import fcntl\n"
        "fcntl.flock(os.open('/python/bin/python', 0), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "raise SystemExit('REACHED')"
    ),
    "its pipes closed in a child": (
        "if os.fork() == 0:\n time.sleep(0.3)\n os._exit(0)\nos.closerange(3, 64)"
    ),
}

HOSTILE_KERNEL = {name: KERNEL + program for name, program in CALLS.items()}
