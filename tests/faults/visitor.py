"""Visitor: a Streamlit server of the app, and somebody who opens all of its pages.

    python -m tests.faults.visitor

This process becomes the server, as `make app` starts it. Its child speaks to it as a browser does,
over its websocket, writes `visited.json` beside the warehouse, and stops it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import aiohttp
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.dbt_project import REPOSITORY
from warehouse.connection import warehouse_path
from warehouse.whole_files import whole_file

if TYPE_CHECKING:
    from pathlib import Path

VIEWS = sorted(path.stem for path in (REPOSITORY / "app" / "views").glob("*.py"))

START_SECONDS = 60
PAGE_SECONDS = 60


async def _connected(
    client: aiohttp.ClientSession, port: int, server: int
) -> aiohttp.ClientWebSocketResponse:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return await client.ws_connect(
                f"http://127.0.0.1:{port}/_stcore/stream", max_msg_size=0
            )
        except aiohttp.ClientError:
            if os.getppid() != server:
                # It was killed: there is nobody to visit, and nothing to say of it.
                sys.exit(1)
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def _open(connection: aiohttp.ClientWebSocketResponse, page: str) -> tuple[int, list[str]]:
    """Elements of a page, and what went wrong on it."""
    asked = BackMsg(rerun_script=ClientState(page_name=page))
    await connection.send_bytes(asked.SerializeToString())
    count, troubles = 0, []
    while True:
        said = await connection.receive(PAGE_SECONDS)
        if said.type != aiohttp.WSMsgType.BINARY:
            return count, [f"{page}: the server ended"]
        message = ForwardMsg()
        message.ParseFromString(said.data)
        kind = message.WhichOneof("type")
        if kind == "delta":
            element = message.delta.new_element
            count += 1
            if element.WhichOneof("type") == "exception":
                troubles.append(f"{page}: {element.exception.type}: {element.exception.message}")
            if element.WhichOneof("type") == "alert":
                troubles.append(f"{page}: {element.alert.body}")
        elif kind == "script_finished":
            return count, troubles


async def visit(port: int, server: int) -> list[str]:
    """Open every page once; what went wrong on any of them. The server is a process's id."""
    found: list[str] = []
    async with aiohttp.ClientSession() as client:
        for view in VIEWS:
            async with await _connected(client, port, server) as connection:
                count, troubles = await _open(connection, view)
            found += troubles
            print(f"{view}: {count} elements", flush=True)
            if count < 3 and not troubles:
                found.append(f"{view}: {count} elements")
    return found


def visit_and_stop(port: int, told: Path) -> None:
    """Visit the server, write down what was seen, and stop it."""
    server = os.getppid()
    troubles = asyncio.run(visit(port, server))
    seen = troubles or [f"{view}: as it should be" for view in VIEWS]
    with whole_file(told) as written:
        written.write_text("\n".join(json.dumps(line) for line in seen), encoding="utf-8")
    if troubles:
        print("\n".join(["Error: pages failed", *troubles]), flush=True)
    os.kill(server, signal.SIGTERM)


def main() -> None:
    told = warehouse_path().with_name("visited.json")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if os.fork() == 0:
        visit_and_stop(port, told)
        return
    # The process that was started is the server: it is what gets killed.
    line = [sys.executable, "-m", "streamlit", "run", str(REPOSITORY / "app" / "main.py")]
    line += ["--server.headless", "true", "--server.address", "127.0.0.1"]
    os.execv(sys.executable, [*line, "--server.port", str(port)])


if __name__ == "__main__":
    main()
