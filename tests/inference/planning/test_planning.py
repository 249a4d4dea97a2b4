"""Requests: what is sent for an item, and what names it."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from inference.errors import DeclarationError, ItemsError, TokenizerError
from inference.planning.declarations import SpecialTokens, benchmark_ids, read_benchmark
from inference.planning.files import demo_files
from inference.planning.items import read_items
from inference.planning.plan import Target, adds_special_tokens, plan
from inference.planning.prompts import filled, item_text, prompt_prefix, shortened_articles
from inference.planning.requests import Model, Sampling, prompt_id, request_id
from tests.inference.planning.reference_prompts import cut_xlsum

MODEL = Model("model", "revision", "tokenizer")


def named(model_id):
    return Model(model_id, "revision", "tokenizer")


def with_rule(rule):
    benchmark = read_benchmark("gsm8k")
    return replace(benchmark, tokens=replace(benchmark.tokens, special_tokens=rule))


def target(tokenizer, context_length=4096, *, model_type="llama", model=MODEL):
    return Target(model, tokenizer, context_length, context_length - 6, model_type)


def planned(benchmark, tokenizer, **settings):
    items = read_items(benchmark, demo_files(benchmark))
    return list(plan(benchmark, items, target(tokenizer, **settings)))


def name(**changes):
    values = {
        "model": MODEL,
        "kind": "generation",
        "prompt": "a prompt",
        "continuations": (),
        "sampling": Sampling(8),
        "sample_index": 0,
        "special_tokens": False,
        "dropped_token_count": 0,
        **changes,
    }
    return request_id(values.pop("model"), values.pop("kind"), values.pop("prompt"), **values)


@pytest.mark.parametrize(
    "change",
    [
        {"model": Model("other", "revision", "tokenizer")},
        {"model": Model("model", "other", "tokenizer")},
        {"model": Model("model", "revision", "other")},
        {"kind": "log_likelihood"},
        {"prompt": "a prompt "},
        {"continuations": ("a",)},
        {"continuations": ("a", "b")},
        {"sampling": Sampling(9)},
        {"sampling": Sampling(8, stop=("\n",))},
        {"sampling": Sampling(8, temperature=0.2)},
        {"sampling": Sampling(8, top_p=0.95)},
        {"sampling": Sampling(8, seed=0)},
        {"sampling": None},
        {"sample_index": 1},
        {"special_tokens": True},
        {"dropped_token_count": 1},
    ],
)
def test_a_request_is_named_by_all_that_fixes_its_answer(change):
    assert name(**change) != name()
    assert name(**change) == name(**change)


def test_names_stay_what_they_are():
    # Answers in people's stores are found by these: to change them is to ask all anew.
    assert name() == "778ff344afbe775fc7c4cbc1b2acce20"
    assert prompt_id("a prompt") == "a98310efb4de5c1d7b7ebf56eab0db88"


def test_the_tokens_of_a_continuation_are_those_after_its_context(tokenizer):
    for one in planned(read_benchmark("hellaswag"), tokenizer):
        for continuation, sequence in zip(
            one.request.continuations, one.request.sequences, strict=True
        ):
            whole = tokenizer.encode(one.request.prompt + continuation, special_tokens=False)
            assert sequence.context + sequence.continuation == whole
            context = tokenizer.encode(one.request.prompt, special_tokens=False)
            assert len(sequence.context) == len(context)


def test_letters_after_one_context_are_a_single_look(tokenizer):
    requests = [one.request for one in planned(read_benchmark("mmlu"), tokenizer)]
    assert all(request.is_single_token for request in requests)
    assert {request.continuations for request in requests} == {(" A", " B", " C", " D")}
    others = [one.request for one in planned(read_benchmark("openbookqa"), tokenizer)]
    assert not any(request.is_single_token for request in others)


def test_an_option_of_a_winograd_sentence_is_a_context_of_its_own(tokenizer):
    requests = planned(read_benchmark("xwino_en"), tokenizer)
    first, second = requests[:2]
    assert (first.variant_index, second.variant_index) == (0, 1)
    assert first.item is second.item
    assert first.request.continuations == second.request.continuations == (" was too long.",)
    assert first.request.prompt.endswith("because The spoon")
    assert second.request.prompt.endswith("because the drawer")


def test_samples_of_a_program_have_seeds_of_their_own_and_fill_the_context(tokenizer):
    requests = [one.request for one in planned(read_benchmark("humaneval"), tokenizer)][:10]
    assert [request.sampling.seed for request in requests] == list(range(10))
    assert len({request.request_id for request in requests}) == 10
    for request in requests:
        assert request.prompt_token_count + request.sampling.max_new_tokens == 1024


def test_an_unanswerable_question_is_weighed_beside_its_completion(tokenizer):
    first, second = planned(read_benchmark("squad2"), tokenizer)[:2]
    assert (first.purpose, second.purpose) == ("answer", "no_answer")
    assert first.request.prompt == second.request.prompt
    assert second.request.continuations == (" unanswerable",)
    # Both share the prompt in the server's cache.
    assert first.prefix == second.prefix


def test_a_prompt_that_is_too_long_loses_its_beginning_and_says_so(tokenizer):
    benchmark = read_benchmark("gsm8k")
    whole = planned(benchmark, tokenizer)[0].request
    length = whole.prompt_token_count
    cut = planned(benchmark, tokenizer, context_length=length - 10 + 256)[0].request
    assert cut.dropped_token_count == 10
    assert cut.sequences[0].context == whole.sequences[0].context[10:]
    assert cut.prompt == whole.prompt
    assert cut.request_id != whole.request_id


def test_shots_are_drawn_anew_one_fewer_when_they_do_not_fit(tokenizer):
    benchmark = read_benchmark("mgsm_ja")
    whole = planned(benchmark, tokenizer)[0].request
    shorter = planned(benchmark, tokenizer, context_length=whole.prompt_token_count + 200)[0]
    assert whole.prompt.count("ステップごとの答え：") == 5
    assert shorter.request.prompt.count("ステップごとの答え：") == 4
    assert shorter.request.dropped_token_count == 0


def test_the_harness_uses_no_more_context_than_its_limit(tokenizer):
    benchmark = read_benchmark("wmt20_en_ja")
    tight = replace(benchmark, tokens=replace(benchmark.tokens, context_limit=300))
    assert all(one.request.dropped_token_count == 0 for one in planned(benchmark, tokenizer))
    assert all(one.request.prompt_token_count <= 44 for one in planned(tight, tokenizer))


def test_articles_are_cut_at_sentence_ends(tokenizer):
    benchmark = read_benchmark("xlsum_ja")
    items = read_items(benchmark, demo_files(benchmark))
    item, shot = items.test[0], items.pool[0]
    same = shortened_articles(benchmark, item, [shot], tokenizer, 4096)
    assert same == (item, [shot])
    length = 200
    share = (length - tokenizer.count(item.target) - 10) // 2
    cut, (cut_shot,) = shortened_articles(benchmark, item, [shot], tokenizer, length)
    text = cut.fields["text"]
    assert item.fields["text"].startswith(text)
    assert text.endswith("。")
    # The "。" of the cut is not counted, what stands before the article is.
    assert tokenizer.count("ニュース記事:" + text.removesuffix("。")) <= share
    following = item.fields["text"].removeprefix(text).split("。")[0]
    assert tokenizer.count(f"ニュース記事:{text}{following}") > share
    # The shot's article fits its share.
    assert cut_shot == shot


ARTICLE = st.text(st.sampled_from("雨が降る。。。\n一二三 AB"), max_size=60)


@pytest.fixture(scope="module")
def article_items():
    benchmark = read_benchmark("xlsum_ja")
    return benchmark, read_items(benchmark, demo_files(benchmark))


@settings(max_examples=200, deadline=None)
@given(article=ARTICLE, shot_article=ARTICLE, summary=ARTICLE, length=st.integers(60, 260))
def test_articles_are_cut_as_the_reference_cuts_them(
    article, shot_article, summary, length, tokenizer, article_items
):
    benchmark, items = article_items
    item, shot = (
        dataclasses.replace(one, fields={"text": text}, target=summary)
        for one, text in ((items.test[0], article), (items.pool[0], shot_article))
    )

    def prompt(item, shots):
        return prompt_prefix(benchmark, item, shots) + item_text(benchmark, item)

    assert prompt(*shortened_articles(benchmark, item, [shot], tokenizer, length)) == cut_xlsum(
        prompt(item, [shot]),
        summary,
        lambda text: tokenizer.encode(text, special_tokens=False),
        tokenizer.decode,
        length,
    )


def test_what_a_prompt_begins_with_is_what_the_references_put_there(tokenizer):
    begins = {
        (rule, model_id, model_type): adds_special_tokens(
            with_rule(rule), target(tokenizer, model=named(model_id), model_type=model_type)
        )
        for rule in get_args(SpecialTokens)
        for model_id, model_type in (
            ("meta-llama/Llama-2-7b-hf", "llama"),
            ("google/gemma-7b", "gemma"),
            # An id that contains gemma-2, and is no Gemma 2.
            ("google/gemma-2b", "gemma"),
            ("google/gemma-2-9b", "gemma2"),
            ("tokyotech-llm/Gemma-2-Llama-Swallow-2b-pt-v0.1", "gemma2"),
            ("google/gemma-3-1b-pt", "gemma3_text"),
            # Trained on what a Gemma wrote, and no Gemma.
            ("someone/llama-of-gemma-texts", "llama"),
        )
    }
    having = {
        rule: {model_id for (name, model_id, _), has in begins.items() if has and name == rule}
        for rule in get_args(SpecialTokens)
    }
    assert having["none"] == set()
    assert len(having["tokenizer"]) == 7
    assert having["gemma"] == {
        "google/gemma-7b",
        "google/gemma-2b",
        "google/gemma-2-9b",
        "tokyotech-llm/Gemma-2-Llama-Swallow-2b-pt-v0.1",
        "google/gemma-3-1b-pt",
    }
    assert having["gemma_2_by_name"] == {"google/gemma-2b", "google/gemma-2-9b"}


def test_an_unknown_architecture_is_an_error_where_the_prompt_depends_on_it(tokenizer):
    with pytest.raises(TokenizerError, match=r"gsm8k: .*architecture of model, .*config\.json"):
        planned(read_benchmark("gsm8k"), tokenizer, model_type=None)
    assert planned(read_benchmark("jemhopqa"), tokenizer, model_type=None)


def test_gemma_models_get_their_first_token_in_english(tokenizer):
    plain = planned(read_benchmark("gsm8k"), tokenizer)[0].request
    gemma = planned(read_benchmark("gsm8k"), tokenizer, model_type="gemma3_text")[0].request
    assert plain.request_id != gemma.request_id


RULES = {
    "none": {"jcommonsenseqa", "jemhopqa", "niilc", "jsquad", "jmmlu", "jmmlu_full"},
    "gemma_2_by_name": {"xlsum_ja", "mgsm_ja", "wmt20_en_ja", "wmt20_ja_en"},
    "tokenizer": {"humaneval", "jhumaneval"},
    "gemma": {
        "openbookqa", "triviaqa", "hellaswag", "squad2", "xwino_en", "mmlu", "gsm8k", "bbh",
    },
}  # fmt: skip


def test_every_harness_has_its_rule_and_the_tokenizers_own_has_a_name():
    rules = {name: read_benchmark(name).tokens.special_tokens for name in benchmark_ids()}
    assert rules == {name: rule for rule, names in RULES.items() for name in names}
    for name in RULES["none"] | RULES["gemma_2_by_name"]:
        assert read_benchmark(name, "tokenizer_bos").tokens.special_tokens == "tokenizer"
    for name in RULES["gemma_2_by_name"]:
        assert read_benchmark(name, "v202407").tokens.special_tokens == "none"


def test_a_template_that_names_an_unknown_field_names_itself():
    benchmark = read_benchmark("gsm8k")
    item = read_items(benchmark, demo_files(benchmark)).test[0]
    with pytest.raises(DeclarationError, match=r"gsm8k.benchmark\.toml.*\{colour\}"):
        filled("{colour}", item, benchmark)
    assert filled("{question}{{}}", item, benchmark).endswith("{}")


def test_a_program_that_leaves_no_room_is_an_error(tokenizer):
    benchmark = read_benchmark("humaneval")
    tight = replace(benchmark, decoding=replace(benchmark.decoding, max_total_tokens=5))
    with pytest.raises(ItemsError, match=r"HumanEval/0: its prompt has \d+ tokens"):
        planned(tight, tokenizer)
