"""Tokenizers: the model's own, from its tokenizer.json, without the model.

That file says how text becomes tokens. What stands before and after them may be said by
tokenizer_config.json instead, by `add_bos_token` and `add_eos_token`: Llama's and Gemma's classes
in transformers build their tokens from these, whatever tokenizer.json has.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from typing import TYPE_CHECKING, Any

from inference.errors import TokenizerError
from inference.planning.model_files import read_model_file, read_model_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import tokenizers


class Tokenizer:
    """Text to token ids, as the model's tokenizer does it.

    `tokenizer_id` is a hash of its file, and of what tokenizer_config.json changes in it: two
    models with the same tokenizer share it.
    """

    def __init__(self, content: bytes, where: str, config: Mapping[str, Any] | None = None) -> None:
        import tokenizers

        try:
            # The file may ask for padding or truncation, which no request wants.
            self._tokenizer: tokenizers.Tokenizer = tokenizers.Tokenizer.from_buffer(content)
        except Exception as error:  # The library raises plain Exception, and nothing else.
            raise TokenizerError(f"{where} is no tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        digest = hashlib.sha256(content)
        alone = self.encode("", special_tokens=True)
        self._surround(config or {}, where)
        surrounding = self.encode("", special_tokens=True)
        if surrounding != alone:
            digest.update(json.dumps(surrounding.tolist()).encode())
        self.tokenizer_id = digest.hexdigest()[:16]

    def _surround(self, config: Mapping[str, Any], where: str) -> None:
        """Put before and after a text what `config` says, if it says anything."""
        from tokenizers import processors

        added = {name: config.get(f"add_{name}_token") for name in ("bos", "eos")}
        if added["bos"] is None and added["eos"] is None:
            return
        special = {name: self._special(config, name, where) for name in added if added[name]}
        before, after = ([special[name][0]] if name in special else [] for name in added)
        self._tokenizer.post_processor = processors.TemplateProcessing(
            single=[*before, "$A", *after], special_tokens=list(special.values())
        )

    def _special(self, config: Mapping[str, Any], name: str, where: str) -> tuple[str, int]:
        """Text and id of the special token that `config` calls `bos` or `eos`."""
        token = config.get(f"{name}_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str):
            number = self._tokenizer.token_to_id(text)
            if number is not None:
                return text, number
        raise TokenizerError(
            f"{where}: tokenizer_config.json has add_{name}_token, and its {name}_token"
            f" {token!r} is no token of the tokenizer"
        )

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
    content = read_model_file(place, "tokenizer.json", revision)
    if content is None:
        raise TokenizerError(
            f"{place} has no tokenizer.json; write one with transformers:"
            " AutoTokenizer.from_pretrained(...).save_pretrained(...), and name its folder"
            " with --tokenizer"
        )
    config = read_model_json(place, "tokenizer_config.json", revision)
    return Tokenizer(content, place, config)
