"""Secrets are planted wherever one can be, and looked for in all that is kept, said and shown."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import duckdb
import pytest
from aiohttp import web

from inference.asking.endpoints import KEPT_ARGUMENTS
from inference.asking.serving import secrets_among
from inference.credentials import address_of, hide, longest_first
from inference.errors import RunError
from tests.dbt_project import REPOSITORY
from tests.inference.asking.stub_server import MODEL, stub_server
from warehouse.records import TABLES

EVALWH = str(Path(sys.executable).parent / "evalwh")

PASSWORD = "planted pass/word"
TOKEN = "planted-token-of-the-environment"
BASIC = base64.b64encode(f"planted-user:{PASSWORD}".encode()).decode()

SAID = {
    "api_key": "planted-api-key",
    "admin_api_key": "planted-admin-key",
    "hf_token": "planted-hf-token",
    "ssl_keyfile_password": "planted-ssl-password",
    "ssl_keyfile": "/planted/key.pem",
    "watermark_key": "planted-watermark",
    "launch_command": "sglang --api-key planted-launch",
    "dist_init_addr": "planted-address:1",
    "something_of_a_later_version": "planted-later",
    "tokenizer_path": "s3://planted-id:planted-secret@bucket/model",
    "json_model_override_args": '{"token": "planted-json"}',
    "preferred_sampling_params": {"key": "planted-nested"},
}

PLANTED = [
    *("planted", PASSWORD, quote(PASSWORD, safe=""), TOKEN, BASIC),
    *(value for value in SAID.values() if isinstance(value, str) and "://" not in value),
]


def evalwh(*arguments, folder, **environment):
    done = subprocess.run(
        [EVALWH, *arguments],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "EVALWH_SHARDS": str(folder / "shards"),
            "EVALWH_GENERATIONS": str(folder / "generations.duckdb"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def with_password(url):
    return url.replace("://", f"://planted-user:{quote(PASSWORD, safe='')}@")


def everything_kept(folder):
    """Every byte of every file, and every value of the raw store, which is compressed."""
    for path in folder.rglob("*"):
        assert "planted" not in path.name
        if path.is_file():
            yield path.name, path.read_bytes().decode("utf-8", "replace")
    store = folder / "generations.duckdb"
    if store.exists():
        with duckdb.connect(str(store), read_only=True) as connection:
            for table in TABLES:
                yield table, str(connection.execute(f"select * from raw.{table}").fetchall())
    for shard in (folder / "shards").rglob("*.parquet"):
        yield shard.name, str(duckdb.sql(f"select * from '{shard}'").fetchall())


def assert_nothing_is_planted(folder, *texts):
    for name, text in [*everything_kept(folder), *enumerate(texts)]:
        for secret in PLANTED:
            assert secret not in text, (name, secret)


SPELLINGS = {
    "as it is": str,
    "address": lambda text: quote(text, safe=""),
    "address in small letters": lambda text: quote(text, safe="").lower(),
    "form": quote_plus,
    "address, every letter": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "JSON": json.dumps,
    "JSON, every letter": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "JSON in an address": lambda text: quote(json.dumps(text)),
    "address twice": lambda text: quote(quote(text, safe=""), safe=""),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 of addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "Base64 in an address": lambda text: quote(base64.b64encode(text.encode()).decode()),
}


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("secret", [PASSWORD, 'pl?>"\\ä+ 100%ted', TOKEN])
def test_a_secret_is_hidden_however_it_is_spelt(secret, spelt):
    secrets = longest_first({secret, "another"})
    said = spelt(secret)
    # Around it may be quotation marks and padding, nothing of itself.
    around = r"""(?:[\\"=]|%22|%3D)*"""
    hidden = rf"{around}\*\*\*{around}"
    text = hide(f"a {said} b + 50% c\\d {said}", secrets)
    assert re.fullmatch(rf"a {hidden} b \+ 50% c\\d {hidden}", text)
    assert re.fullmatch(rf"a {hidden}", hide(f"a {said[: len(said) // 2]}", secrets))


def refuse_with_an_echo(stub):
    """Completions are refused by a bad gateway that repeats what it was sent."""

    def answer(call):
        if call.get("return_logprob"):
            return None
        sent = stub.headers[-1]["Authorization"]
        decoded = base64.b64decode(sent.split()[1]) if sent.startswith("Basic") else b""
        return web.Response(status=400, text=f"no: {sent} {decoded.decode()}")

    return answer


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("is_in_address", [True, False])
def test_no_secret_is_kept_or_shown(tmp_path, tokenizer_folder, is_in_address):
    with stub_server(more_info=SAID) as stub:
        stub.answer_with = refuse_with_an_echo(stub)
        endpoint = with_password(stub.url) if is_in_address else stub.url
        options = (
            *("--model", MODEL, "--endpoint", endpoint, "--items", "demo"),
            *("--tokenizer", str(tokenizer_folder), "--benchmarks", "gsm8k,mmlu"),
            *("--attempts", "1"),
        )
        run = evalwh("run", *options, folder=tmp_path, EVALWH_API_KEY=TOKEN)
        plan = evalwh("plan", *options[:-2], folder=tmp_path, EVALWH_API_KEY=TOKEN)
        kept = evalwh("run", *options, "--no-load", folder=tmp_path, EVALWH_API_KEY=TOKEN)
        sent = {headers.get("Authorization") for headers in stub.headers}
        url = stub.url
    gone = evalwh("run", *options, "--patience", "0", folder=tmp_path, EVALWH_API_KEY=TOKEN)
    assert (run.returncode, plan.returncode, kept.returncode, gone.returncode) == (1, 0, 1, 1)
    assert "10 requests failed" in run.stderr
    assert "cannot be reached" in gone.stderr
    # To the server it was said, every time; an address's own goes before the environment's.
    assert sent == {f"Basic {BASIC}" if is_in_address else f"Bearer {TOKEN}"}
    texts = [text for one in (run, plan, kept, gone) for text in (one.stdout, one.stderr)]
    assert_nothing_is_planted(tmp_path, *texts)
    with duckdb.connect(str(tmp_path / "generations.duckdb"), read_only=True) as connection:
        endpoints, arguments = connection.execute(
            "select endpoints, server_arguments from raw.run_sessions limit 1"
        ).fetchone()
    assert endpoints == [url]
    assert '"revision": "r1"' in arguments
    assert '"tokenizer_path": "s3://bucket/model"' in arguments


@pytest.mark.slow(seconds=1)
def test_a_server_that_wants_another_token_is_an_error_without_ours(tmp_path, tokenizer_folder):
    with stub_server(info_status=401) as stub:
        done = evalwh(
            *("run", "--model", MODEL, "--endpoint", stub.url, "--items", "demo"),
            *("--tokenizer", str(tokenizer_folder), "--benchmarks", "mmlu"),
            folder=tmp_path,
            EVALWH_API_KEY=TOKEN,
        )
    assert done.returncode == 1
    assert "put it into the environment variable EVALWH_API_KEY" in done.stderr
    assert_nothing_is_planted(tmp_path, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "endpoint",
    [
        "planted-host:30000",
        "http://planted:pass/word@host:1",
        "http://planted:pass?word@host:1",
        "http://planted:pass#word@host:1",
        "http://host:1?token=planted",
        "http://host:planted",
        "http://[planted",
        "file:///planted",
        "",
    ],
)
def test_what_is_no_address_is_refused_and_not_shown(endpoint):
    with pytest.raises(RunError, match="an endpoint is http://HOST:PORT") as error:
        address_of(endpoint)
    assert "planted" not in str(error.value)


@pytest.mark.parametrize("key", ["planted\nX: y", "plantéd", "planted\0"])
def test_a_token_that_no_header_can_have_is_refused_and_not_shown(key):
    with pytest.raises(RunError, match="EVALWH_API_KEY has line breaks") as error:
        address_of("http://host:1", key)
    assert "plant" not in str(error.value)


def test_an_address_is_shown_without_user_and_password():
    address = address_of("https://us%40er:p%2Fw@host:1/prefix/", "key")
    assert address.url == "https://host:1/prefix"
    assert address.authorization == "Basic " + base64.b64encode(b"us@er:p/w").decode()
    assert hide("p/w p%2Fw key us@er:p/w http://a:b@host", address.secrets) == (
        "*** *** *** *** http://host"
    )
    assert address_of("http://host:1").authorization is None
    assert "key" not in repr(address)


@pytest.mark.parametrize("size", range(3, len(TOKEN) + 1))
def test_a_secret_that_is_cut_is_hidden_as_well(size):
    address = address_of("http://host:1", TOKEN)
    assert hide(f"it said: {TOKEN[:size]}", address.secrets) == "it said: ***"


def test_nothing_that_opens_a_server_is_on_the_list_of_what_is_kept():
    for word in ("key", "token", "password", "secret", "ssl", "url", "addr", "command"):
        found = {name for name in KEPT_ARGUMENTS if word in name.replace("tokenizer", "")}
        assert found <= {"max_total_tokens", "max_prefill_tokens", "max_total_num_tokens"} | {
            "speculative_num_draft_tokens"
        }


def test_options_of_a_server_that_are_secret_are_found():
    assert secrets_among(
        ["--api-key", "one", "--dtype", "float32", "--admin-api-key=two", "--ssl-keyfile-password"]
    ) == longest_first({"one", "two"})


@pytest.mark.slow(seconds=2)
def test_the_log_of_a_server_of_ours_has_no_key(tmp_path):
    """A Python that says its options and its environment, as SGLang does, stands for the server."""
    fake = tmp_path / "python"
    fake.write_text(
        '#!/bin/sh\necho "ServerArgs($*)"\nenv\necho "the end"\nexit 3\n', encoding="utf-8"
    )
    fake.chmod(0o755)
    log = tmp_path / "server.log"
    started = time.monotonic()
    done = evalwh(
        *("serve", "a-model", "--python", str(fake), "--log", str(log), "--port", "0"),
        *("--", "--api-key", "planted-api-key", "--dtype", "float32"),
        folder=tmp_path,
        EVALWH_API_KEY=TOKEN,
    )
    assert time.monotonic() - started < 60
    assert done.returncode == 1
    fake.unlink()
    assert_nothing_is_planted(tmp_path, done.stdout, done.stderr)
    written = log.read_text(encoding="utf-8")
    assert "--api-key *** --dtype float32" in written
    assert "the end" in done.stderr
