"""Tokenizers: what stands before a text is what the model's own files say."""

from __future__ import annotations

import dataclasses
import json

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers, processors

from inference.asking.endpoints import Server
from inference.asking.plan_report import target_without_server
from inference.asking.running import target_of
from inference.errors import TokenizerError
from inference.planning.model_files import read_model_type
from inference.planning.tokenizers import read_tokenizer

BOS, EOS = 0, 1


@pytest.fixture
def folder_with(tmp_path):
    """A model folder whose tokenizer.json begins texts by itself, or not."""

    def write(*, begins, config=None, folder="model"):
        vocabulary = {"<s>": BOS, "</s>": EOS, "a": 2, "b": 3, "?": 4}
        tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.add_special_tokens(["<s>", "</s>"])
        if begins:
            tokenizer.post_processor = processors.TemplateProcessing(
                single="<s> $A", special_tokens=[("<s>", BOS)]
            )
        path = tmp_path / folder
        path.mkdir()
        tokenizer.save(str(path / "tokenizer.json"))
        if config is not None:
            text = config if isinstance(config, str) else json.dumps(config)
            (path / "tokenizer_config.json").write_text(text, encoding="utf-8")
        return path

    return write


NAMED = {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}}


@pytest.mark.parametrize(
    ("begins", "config", "before", "after"),
    [
        (True, None, [BOS], []),
        (False, None, [], []),
        (True, NAMED, [BOS], []),
        (False, NAMED, [], []),
        # tokenizer_config.json has the last word, where it says anything.
        (True, {**NAMED, "add_bos_token": False}, [], []),
        (False, {**NAMED, "add_bos_token": True}, [BOS], []),
        (True, {**NAMED, "add_bos_token": True}, [BOS], []),
        (False, {**NAMED, "add_bos_token": True, "add_eos_token": True}, [BOS], [EOS]),
        (False, {**NAMED, "add_bos_token": False, "add_eos_token": True}, [], [EOS]),
        (True, {**NAMED, "add_bos_token": None}, [BOS], []),
    ],
)
def test_texts_begin_as_the_configuration_says(folder_with, begins, config, before, after):
    tokenizer = read_tokenizer(str(folder_with(begins=begins, config=config)))
    assert tokenizer.encode("a b", special_tokens=True).tolist() == [*before, 2, 3, *after]
    assert tokenizer.encode("a b", special_tokens=False).tolist() == [2, 3]


def test_a_tokenizer_has_another_name_only_where_its_configuration_changes_it(folder_with):
    names = [
        read_tokenizer(
            str(folder_with(begins=True, config=config, folder=f"model{number}"))
        ).tokenizer_id
        for number, config in enumerate(
            (
                None,
                {**NAMED, "add_bos_token": True},
                {**NAMED, "add_bos_token": False},
                {**NAMED, "add_bos_token": False, "add_eos_token": True},
            )
        )
    ]
    # Answers in people's stores were asked under the hash of tokenizer.json alone.
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_the_file_beside_a_tokenizer_that_is_named_itself_counts_too(folder_with):
    folder = folder_with(begins=True, config={**NAMED, "add_bos_token": False})
    tokenizer = read_tokenizer(str(folder / "tokenizer.json"))
    assert tokenizer.encode("a", special_tokens=True).tolist() == [2]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"add_bos_token": True}, r"add_bos_token, and its bos_token None is no token"),
        ({"add_bos_token": True, "bos_token": "<x>"}, r"bos_token '<x>' is no token"),
        ("{", r"tokenizer_config\.json of .*model is no JSON"),
        ("[]", r"is no JSON object but \[\]"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_an_error(folder_with, config, message):
    with pytest.raises(TokenizerError, match=message):
        read_tokenizer(str(folder_with(begins=False, config=config)))


def test_a_folder_without_a_tokenizer_says_what_to_do(tmp_path):
    with pytest.raises(TokenizerError, match=r"has no tokenizer\.json; write one"):
        read_tokenizer(str(tmp_path))


def test_the_architecture_is_that_of_the_configuration(tmp_path):
    assert read_model_type(str(tmp_path)) is None
    (tmp_path / "config.json").write_text('{"model_type": "gemma2"}', encoding="utf-8")
    assert read_model_type(str(tmp_path)) == "gemma2"


def server_of(model_id, model_type, folder):
    return Server(
        url="http://127.0.0.1:1",
        model_path=str(folder),
        served_model_name=model_id,
        model_type=model_type,
        tokenizer_path=str(folder),
        revision="r",
        context_length=100,
        input_limit=93,
        version=None,
        honours_seeds=True,
        arguments={},
    )


@pytest.mark.parametrize(
    ("told", "written", "expected"),
    [
        ("gemma3_text", "llama", "gemma3_text"),
        ("", "gemma2", "gemma2"),
        ("", None, None),
    ],
)
def test_the_architecture_is_what_server_or_configuration_tell(
    folder_with, config, told, written, expected
):
    # The id says Gemma, and is nobody's word for it.
    model_id = "someone/gemma-texts-llama"
    folder = folder_with(begins=True)
    if written:
        (folder / "config.json").write_text(json.dumps({"model_type": written}), encoding="utf-8")
    config = dataclasses.replace(
        config, model_id=model_id, tokenizer=str(folder), revision="r", context_length=100
    )
    assert target_of(config, [server_of(model_id, told, folder)]).model_type == expected
    assert target_without_server(config).model_type == written
