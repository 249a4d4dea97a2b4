"""The references' rules in Python, written down from their descriptions, and texts to try them on.

Nothing of this is used by the project: it is what the SQL is compared with.
"""

from __future__ import annotations

import random
import re
import string
import unicodedata

from jinja2 import Environment

from tests.dbt_project import REPOSITORY

INVALID = "[invalid]"


def first_paragraph(completion: str) -> str:
    return unicodedata.normalize("NFKC", completion.split("\n\n")[0].strip())


def last_number(completion: str) -> str:
    found = re.findall(r"(\-?[0-9\.\,]+)", completion)
    if not found:
        return INVALID
    try:
        value = float(found[-1].strip(".").replace(",", ""))
    except ValueError:
        return INVALID
    return str(int(value)) if value.is_integer() else INVALID


def number_after_hashes(completion: str) -> str:
    found = re.findall(r"#### (\-?[0-9\.\,]+)", completion)
    return found[0] if found else INVALID


def plain_number(text: str) -> str:
    for pattern in (",", r"\$", r"(?s).*#### ", r"\.$"):
        text = re.sub(pattern, "", text)
    return text.lower()


def after_the_answer_is(completion: str) -> str:
    found = re.findall(r"(?<=the answer is )(.*)(?=.)", completion)
    return found[0].strip() if found else INVALID


def alias_form(text: str) -> str:
    return text.lower().translate(str.maketrans("", "", string.punctuation))


def squad_form(text: str) -> str:
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


PIECES = (
    *(
        "the answer is ",
        "The answer is",
        "#### ",
        "###",
        "\n\n",
        "\n",
        " ",
        "\t",
        "\u3000",
        "\u00a0",
    ),
    *(
        "1",
        "2,345",
        "-7",
        "3.14",
        ".5",
        "1.2.3",
        "$12",
        "\uff11\uff12",
        "①",
        "9" * 30,
        "-",
        ".",
        ",",
        "...",
    ),
    *("a", "an ", "The ", "theatre", "été", "éa", "a.b", "U.S.A.", "it's", "(A)", "yes.", "no"),
    *(
        "東京",
        "、",
        "。",
        "・",
        "が",
        "か\u3099",
        "ｶﾞ",
        "ー",
        "〜",
        "\uff5e",
        "Σας",
        "ΑΣ",
        "İ",
        "ß",
        "\u017f",
    ),
    *(
        "🎉",
        "\u200b",
        "\u0301",
        "\x1c",
        "\x85",
        "\u2028",
        "質問：",
        "\r\n",
        "_",
        "`",
        "{",
        "}",
        "~",
    ),
)
"""What random texts are made of: what rules look for, and what surprises them."""


def adversarial_texts(count: int, seed: int) -> list[str]:
    """Random texts of up to a dozen pieces; the empty one is among them."""
    generator = random.Random(seed)
    texts = [
        "".join(generator.choice(PIECES) for _ in range(generator.randrange(13)))
        for _ in range(count - 1)
    ]
    return ["", *texts]


def rendered(call: str) -> str:
    """SQL of a call of one of the project's macros."""
    macros = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("texts", "rules", "statistics")
        for path in sorted((REPOSITORY / "warehouse" / "macros" / folder).glob("*.sql"))
    )
    environment = Environment()
    environment.globals["var"] = {"z_95": 1.959963984540054}.__getitem__
    return environment.from_string(macros + "{{ " + call + " }}").render()
