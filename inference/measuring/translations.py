"""Translations: what BLEU needs of each completion, counted once."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MeasureId = Literal["bleu", "bleu_nagisa"]

MEASURE_VERSION = 1
"""Goes up with every change of what is counted; nagisa and sacreBLEU are pinned to the version
that counted so."""

CHUNK = 64
"""Translations that a process takes at a time."""


@dataclass(frozen=True, slots=True)
class TranslationStatistics:
    """Counts of a completion against its reference, which add up over a set of items.

    Lists are by length of the n-gram, 1 to 4.
    """

    match_counts: list[int]
    ngram_counts: list[int]
    """N-grams of the completion."""
    candidate_length: int
    """Tokens of the completion."""
    reference_length: int
    sentence_bleu: float
    """BLEU of this one sentence as sacreBLEU's sentence_bleu says it, which rounding may put above
    1 by its last digit: scores are computed from the counts."""


def translation_statistics(
    measure_id: MeasureId, completion: str, reference: str
) -> TranslationStatistics:
    """Counts of `completion`, as sacreBLEU 2 makes them with its defaults.

    `bleu_nagisa`: both are cut into Japanese words by nagisa before, as
    lm-evaluation-harness-jp does.
    """
    if measure_id == "bleu_nagisa":
        completion, reference = _words(completion), _words(reference)
    corpus, sentence = _scorers()
    counts = corpus.corpus_score([completion], [[reference]])
    return TranslationStatistics(
        match_counts=list(counts.counts),
        ngram_counts=list(counts.totals),
        candidate_length=counts.sys_len,
        reference_length=counts.ref_len,
        sentence_bleu=sentence.sentence_score(completion, [reference]).score / 100,
    )


def all_statistics(
    translations: Iterable[tuple[MeasureId, str, str]], process_count: int
) -> Iterator[TranslationStatistics]:
    """`translation_statistics` of each in turn, in several processes: nagisa takes 3 ms each."""
    # Forking would copy the threads of pyarrow and DuckDB in an unknown state.
    with ProcessPoolExecutor(
        process_count, mp_context=get_context("spawn"), initializer=end_with_parent
    ) as pool:
        yield from pool.map(_of_tuple, translations, chunksize=CHUNK)


def end_with_parent() -> None:
    """From now on this process ends when the one that started it does, however that ends.

    Otherwise it would wait for work for ever: its siblings hold the same pipe open.
    """
    parent = parent_process()
    if parent is None:
        return

    def wait_and_end() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


def _of_tuple(translation: tuple[MeasureId, str, str]) -> TranslationStatistics:
    return translation_statistics(*translation)


def _words(text: str) -> str:
    # Loading its dictionary takes seconds, which only this measure is to pay for.
    import nagisa

    return " ".join(nagisa.tagging(text.strip()).words)


@cache
def _scorers() -> tuple[Any, Any]:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(), BLEU(effective_order=True)
