"""Completions that answer by their own messages, over the descriptor of the answers.

As pickles that would make classes, change those that exist or run code in the process that reads
them; and as answers of the right form that say what cannot be. Each answers every call so.
"""

from __future__ import annotations

HEAD = """
import json, os, struct, sys
def number():
    frame = sys._getframe(1)
    while frame is not None:
        found = frame.f_locals.get('number')
        if isinstance(found, bytes): return found
        frame = frame.f_back
def always(asked, content):
    while True:
        message = memoryview(asked + len(content).to_bytes(8, 'big') + content)
        while message: message = message[os.write(4, message):]
        asked = os.read(3, 1 << 16)[:8]
def text(said):
    return b'X' + struct.pack('<I', len(said)) + said.encode()
RESTORED = b'cinference.measuring.inside.messages\\nrestored\\n'
def restored(kind, *parts): return RESTORED + b'(' + text(kind) + b''.join(parts) + b'tR'
def kind(name): return restored('type', text(name))
def made(name, bases, members):
    return kind('type') + b'(' + text(name) + bases + b'}(' + members + b'utR'
REMOTE, HALF = restored('remote', b'K\\x00'), restored('fraction', b'K\\x01K\\x02')
EQUAL = text('__eq__') + kind('type')
def class_of(value): return kind('type') + b'(' + value + b'tR'
def changed(what, members): return what + b'N}(' + members + b'u\\x86b0'
INJECTED = (
    "a=(lambda g: g['__builtins__']['exec'](%r, g))([c for c in ().__class__.__base__"
    ".__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__):1 #"
)
WRITE = ("import os\\nfor n in range(3, 30):\\n  try: os.write(n, %r)\\n"
         "  except OSError: pass\\nos._exit(0)")
def runs(line):
    yes = made('X', b'(' + kind('str') + b't', text('isidentifier') + kind('object'))
    other = made('Y', b')', (
        text('intern') + b'h\\x05' + text('maxsize') + b'K\\x05' + text('_getframe')
        + kind('object') + text('_getframemodulename') + kind('object')
    ))
    return (
        restored('module', text('collections')) + b'}(' + text('str') + yes + b'q\\x05'
        + text('_sys') + other + b'ub0'
        + restored('named', b'](' + text(INJECTED % (WRITE % line)) + b'e](K\\x01e')
    )
"""

PICKLED = """
def f(x):
    value = b'\\x80\\x04(' + text('value') + {expression} + b'(J' + struct.pack('<i', x) + b'tt.'
    always(number(), value)
"""

JSON = """
def f(x):
    said = {expression}
    said = said if isinstance(said, bytes) else json.dumps(said).encode()
    always(number(), len(said).to_bytes(8, 'big') + said)
"""

PICKLES = {
    "a class that equals everything": "made('X', b')', EQUAL) + b'(tR'",
    "a stand-in whose class is changed": "changed(class_of(REMOTE), EQUAL) + REMOTE",
    "a fraction whose class is changed": "changed(class_of(HALF), EQUAL) + HALF",
    "an integer of a new class": "made('X', b'(' + kind('int') + b't', EQUAL) + b'(K\\x05tR'",
    "a new object of a new class": ("made('X', b')', EQUAL) + b')\\x81'"),
    "another isclose": (
        "restored('module', text('math')) + b'}(' + text('isclose') + kind('complex')"
        " + b'ub0K\\x00'"
    ),
    "code that writes a verdict": r"""runs(b'{"outcome":"passed","error_head":""}\n')""",
    "code that writes that all is broken": r"""runs(b'{"outcome":"broken","error_head":"x"}\n')""",
    "code that writes a list": r"runs(b'[1]\n')",
    "code that writes a state": r"""runs(b'{"state":"x"}\n')""",
}

MESSAGES = {
    "nothing": "b''",
    "no text": "b'\\xff\\xfe'",
    "no answer": "7",
    "half an answer": "['value']",
    "no kind of answer": "['passed', 2, [[], []]]",
    "a type": "['value', {'type': ['int']}, [[], []]]",
    "a module": "['value', {'module': ['math']}, [[], []]]",
    "a value of no kind": "['value', {'__class__': [1]}, [[], []]]",
    "a value of two kinds": "['value', {'set': [], 'tuple': []}, [[], []]]",
    "a value without parts": "['value', {'set': 2}, [[], []]]",
    "a stand-in by a name": "['value', {'remote': ['f']}, [[], []]]",
    "a stand-in by a truth value": "['value', {'remote': [True]}, [[], []]]",
    "a stand-in of two": "['value', {'iterator': [0, 1]}, [[], []]]",
    "names that are code": (
        "['value', {'named': [['a=__import__(\"os\")._exit(0)'], [2]]}, [[], []]]"
    ),
    "names that Python looks up": (
        "['value', {'named': [['__eq__', '__class__'], [2, 2]]}, [[], []]]"
    ),
    "names of nothing": "['value', {'named': [['a', 'b'], [2]]}, [[], []]]",
    "no dictionary": "['value', {'dict': [[1, 2], [1]]}, [[], []]]",
    "a key that cannot be one": "['value', {'dict': [[[]], [1]]}, [[], []]]",
    "a range without steps": "['value', {'range': [1, 2, 0]}, [[], []]]",
    "a fraction of nothing": "['value', {'fraction': [1, 0]}, [[], []]]",
    "a decimal that cannot be compared": "['value', {'decimal': ['sNaN']}, [[], []]]",
    "no decimal": "['value', {'decimal': ['x']}, [[], []]]",
    "a day too late": "['value', {'date': [10000, 1, 1]}, [[], []]]",
    "numbers before the message": "['value', {'integers': [-8, 8]}, [[], []]]",
    "numbers behind the message": "['value', {'integers': [1 << 70, 1 << 70]}, [[], []]]",
    "half a number": "(lambda s: s + b'1234')(b'[\"value\", {\"integers\": [0, 4]}, [[], []]]')",
    "an integer of too many digits": "b'[\"value\", ' + b'9' * 100000 + b', [[], []]]'",
    "an integer of many more": "['value', {'int': ['f' * (1 << 25)]}, [[], []]]",
    "a list of great depth": "b'[' * 1000000",
    "values of great depth": "b'{\"tuple\":[' * 100000 + b']}' * 100000",
    "an argument that there is not": "['same', 7, [[], []]]",
    "an argument by a list": "['same', [0], [[], []]]",
    "a change of what there is not": "['value', 2 * x, [['y'], [[]]]] if x != 7 else 1",
    "changes that are too few": "['value', 3, [[0], []]]",
    "an end of the judge": "['raised', ['Ended'], [], 'x', [[], []]]",
    "an end of all": "['raised', ['SystemExit'], [0], 'x', [[], []]]",
    "an exception of no name": "['raised', [[]], [], 'x', [[], []]]",
    "a text that is none": "['raised', ['ValueError'], [], {'remote': [0]}, [[], []]]",
    "a text of 8 MB": "['raised', ['ValueError'], [], chr(0) * (8 << 20), [[], []]]",
    "values of 8 MB": "['raised', ['ValueError'], [chr(0) * (8 << 20)], 'x', [[], []]]",
}

HOSTILE_MESSAGES = {
    **{
        f"as a pickle, {name}": HEAD + PICKLED.format(expression=expression)
        for name, expression in PICKLES.items()
    },
    **{name: HEAD + JSON.format(expression=expression) for name, expression in MESSAGES.items()},
}
