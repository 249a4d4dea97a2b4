"""Small tokenizer: one of bytes, trained on the demonstration items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from inference.planning.declarations import BENCHMARKS

if TYPE_CHECKING:
    from pathlib import Path


def write_tokenizer(folder: Path) -> None:
    """Write `tokenizer.json` and `config.json` into the folder, which is made."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [path.read_text(encoding="utf-8") for path in BENCHMARKS.glob("*/demo/*.json*")]
    # Letters after a space are one token each, as in every tokenizer of a language model.
    texts += ["Answer: A\nAnswer: B\nAnswer: C\nAnswer: D\n"] * 20
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
