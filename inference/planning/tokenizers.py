"""Tokenizers: the model's own, from its tokenizer.json, without the model."""

from __future__ import annotations

import hashlib
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

from inference.errors import TokenizerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tokenizers


class Tokenizer:
    """Text to token ids, as the model's tokenizer does it.

    `tokenizer_id` is a hash of its file: two models with the same tokenizer share it.
    """

    def __init__(self, content: bytes, where: str) -> None:
        import tokenizers

        try:
            # The file may ask for padding or truncation, which no request wants.
            self._tokenizer: tokenizers.Tokenizer = tokenizers.Tokenizer.from_buffer(content)
        except Exception as error:  # The library raises plain Exception, and nothing else.
            raise TokenizerError(f"{where} is no tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.tokenizer_id = hashlib.sha256(content).hexdigest()[:16]

    def encode(self, text: str, *, special_tokens: bool) -> array[int]:
        """Token ids of `text`; with special tokens those that the tokenizer adds by itself."""
        return self.encode_all([text], special_tokens=special_tokens)[0]

    def encode_all(self, texts: Sequence[str], *, special_tokens: bool) -> list[array[int]]:
        """Token ids of each text; all at once is several times faster than one by one."""
        encodings = self._tokenizer.encode_batch_fast(
            list(texts), add_special_tokens=special_tokens
        )
        # Four bytes per token: a list of Python integers would take ten times as many.
        return [array("i", encoding.ids) for encoding in encodings]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special ones left out."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def count(self, text: str) -> int:
        """Tokens of `text`, special ones left out."""
        return len(self.encode(text, special_tokens=False))


def read_tokenizer(place: str, revision: str | None = None) -> Tokenizer:
    """The tokenizer of a model folder or of a repository of the Hugging Face hub.

    Raises:
        TokenizerError: there is no tokenizer.json at `place`.
    """
    folder = Path(place)
    if folder.is_dir() or folder.name == "tokenizer.json":
        path = folder / "tokenizer.json" if folder.is_dir() else folder
        if not path.is_file():
            raise TokenizerError(
                f"{folder} has no tokenizer.json; write one with transformers:"
                " AutoTokenizer.from_pretrained(...).save_pretrained(...), and name its folder"
                " with --tokenizer"
            )
        return Tokenizer(path.read_bytes(), str(path))
    from huggingface_hub import hf_hub_download

    try:
        path = Path(hf_hub_download(place, "tokenizer.json", revision=revision))
    except (OSError, ValueError) as error:
        raise TokenizerError(
            f"the tokenizer of {place!r} cannot be had from the hub: {error}; name a folder that"
            " has a tokenizer.json with --tokenizer"
        ) from error
    return Tokenizer(path.read_bytes(), f"{place}/tokenizer.json")
