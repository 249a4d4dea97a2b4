"""Serving: an SGLang server of our own, started, watched until it is healthy, and stopped."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import requests

from inference.credentials import API_KEY, hide, longest_first
from inference.errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STOP_SECONDS = 60.0
"""A server that has not stopped by then after SIGTERM is killed."""


COPY_SECONDS = 5.0
"""For the end of a log that is copied, after its writer is gone."""

SECRET_OPTION = re.compile(r"--(ap|admin|.*(key|token$|password|secret))", re.IGNORECASE)
"""Names of options whose values are kept out of the log; SGLang takes them shortened, too."""


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """What is started, and where."""

    model: str
    """Folder or hub repository."""
    model_id: str | None = None
    """Name under which the model is served; null for `model`."""
    port: int = 30000
    """0 for any free port."""
    is_cpu: bool = False
    log: Path = Path("data/sglang.log")
    start_seconds: float = 1800.0
    """Large models take long to load."""
    python: str = sys.executable
    """The interpreter that has sglang; it may have an environment of its own."""
    arguments: tuple[str, ...] = ()
    """Passed to sglang.launch_server as they are, after our own."""


def launch_arguments(config: ServeConfig, port: int) -> list[str]:
    """Arguments of `sglang.launch_server`.

    On a GPU, SGLang's own choices hold. On a CPU, its defaults suit no machine without AMX: it
    would keep a core busy while idle and take all memory for its cache.
    """
    arguments = [
        *("--model-path", config.model),
        *("--served-model-name", config.model_id or config.model),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    if config.is_cpu:
        arguments += [
            *("--device", "cpu", "--attention-backend", "torch_native"),
            *("--disable-overlap-schedule", "--sleep-on-idle", "--dtype", "float32"),
            *("--max-total-tokens", "32768", "--max-running-requests", "64"),
            *("--chunked-prefill-size", "4096"),
        ]
    return arguments + list(config.arguments)


@contextmanager
def serving(config: ServeConfig) -> Iterator[str]:
    """A healthy server's address; the server is stopped at the end, however it comes.

    Raises:
        ServeError: sglang is not installed, or the server ended or stayed unhealthy; the
            message has the end of its log.
    """
    if config.python == sys.executable and importlib.util.find_spec("sglang") is None:
        raise ServeError(
            "sglang is not installed here: pip install 'evalwh[sglang]', or name the Python that"
            " has it with --python"
        )
    port = config.port or _free_port()
    # The token is for servers that are asked; one that is started here is told its own.
    environment = {name: value for name, value in os.environ.items() if name != API_KEY}
    if config.is_cpu:
        environment["SGLANG_USE_CPU_ENGINE"] = "1"
    command = [
        config.python,
        "-m",
        "sglang.launch_server",
        *launch_arguments(config, port),
    ]
    secrets = secrets_among(config.arguments)
    with _log_file(config.log) as log:
        # A session of its own: Ctrl-C is for us first, and the server's children go with it.
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE if secrets else log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        copying = threading.Thread(
            target=_copy_without, args=(process.stdout or (), log, secrets), daemon=True
        )
        copying.start()
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(process, url, config, copying)
            yield url
        finally:
            _stop(process)
            copying.join(COPY_SECONDS)
            if process.stdout is not None and not copying.is_alive():
                process.stdout.close()


def secrets_among(arguments: Sequence[str]) -> tuple[str, ...]:
    """Values of SGLang's options that are keys or passwords; it writes all its options to its log.

    An option is `--name value` or `--name=value`.
    """
    found = []
    for argument, following in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        name, separator, value = argument.partition("=")
        if SECRET_OPTION.match(name):
            found.append(value if separator else following)
    return longest_first(found)


def _log_file(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")
    except OSError as error:
        raise ServeError(
            f"the server's log cannot be written: {error}; name another file with --log"
        ) from error


def _copy_without(source: Iterable[bytes], target: IO[bytes], secrets: Sequence[str]) -> None:
    """Copy a log line by line, without the secrets, until its writer is gone."""
    for line in source:
        kept = hide(line.decode("utf-8", "surrogateescape"), secrets)
        # A full disk does not stop the server: it would, if nobody read on.
        with contextlib.suppress(OSError, ValueError):
            target.write(kept.encode("utf-8", "surrogateescape"))
            target.flush()


def _wait_until_healthy(
    process: subprocess.Popen[bytes], url: str, config: ServeConfig, copying: threading.Thread
) -> None:
    deadline = time.monotonic() + config.start_seconds
    while True:
        if process.poll() is not None:
            copying.join(COPY_SECONDS)
            raise ServeError(
                f"the server ended with exit code {process.returncode}; the end of"
                f" {config.log}:\n{_tail(config.log)}"
            )
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/health", timeout=30).status_code == requests.codes.ok:
                return
        if time.monotonic() > deadline:
            raise ServeError(
                f"the server was not healthy within {config.start_seconds:.0f} s; the end of"
                f" {config.log}:\n{_tail(config.log)}"
            )
        time.sleep(0.5)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, and kill what is left of it: it has children that hold a GPU."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        # The group is the session that we made for it; nobody else is in it.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(path: Path, line_count: int = 20) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-line_count:])


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
