"""`serve`: the app in a browser, and nobody else's page."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from core.config.project import Project
from tests.tui.test_cli import COMMAND, run
from tui.browser import allowed
from tui.cli import main


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def served(project: Project) -> Iterator[str]:
    """The address at which the project's app is served; at its end the server ends as one asked it to."""
    port = free_port()
    words = [*COMMAND, "serve", "--port", str(port)]
    with subprocess.Popen(words, cwd=project.folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"the app is at http://127.0.0.1:{port} until ctrl+c\n"
        yield f"127.0.0.1:{port}"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


async def test_the_app_is_used_from_a_page(served: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{served}/") as page:
            assert page.status == 200
            assert f"ws://{served}/ws" in await page.text()
            assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        address = f"http://{served}/ws?width=100&height=30"
        async with session.ws_connect(address, headers={"Origin": f"http://{served}"}) as socket:
            await shown(socket, b"Home")
            await socket.send_json(["stdin", "8"])
            await shown(socket, b"no run yet")


async def shown(socket: aiohttp.ClientWebSocketResponse, text: bytes) -> None:
    """Wait until the app has painted `text`."""
    painted = b""
    async with asyncio.timeout(30):
        while text not in painted:
            message = await socket.receive()
            assert message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}, painted
            painted += message.data if isinstance(message.data, bytes) else message.data.encode()


async def test_a_page_of_another_site_is_not_answered(served: str) -> None:
    port = served.rpartition(":")[2]
    async with aiohttp.ClientSession() as session:
        for headers in ({"Origin": "http://other.example"}, {"Origin": "null"}, {"Host": f"other.example:{port}"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"http://{served}/ws", headers=headers)
            assert refused.value.status == 403
            async with session.get(f"http://{served}/", headers=headers) as page:
                assert page.status == 403


@pytest.mark.parametrize(
    ("listens", "host", "origin", "may"),
    [
        ("127.0.0.1", "127.0.0.1:8000", None, True),
        ("127.0.0.1", "localhost:8000", "http://localhost:8000", True),
        ("::1", "[::1]:8000", "http://[::1]:8000", True),
        ("localhost", "localhost:8000", "http://localhost:8001", False),
        ("127.0.0.1", "rebound.example:8000", "http://rebound.example:8000", False),
        ("127.0.0.1", "", None, False),
        ("127.0.0.1", "[::", None, False),
        ("127.0.0.1", "127.0.0.1:8000", "http://[", False),
        ("192.168.0.7", "laptop.lan:8000", "http://laptop.lan:8000", True),
        ("192.168.0.7", "laptop.lan:8000", "http://other.example", False),
    ],
)
def test_who_is_answered(listens: str, host: str, origin: str | None, may: bool) -> None:
    assert allowed(listens, host, origin) is may


def test_without_the_extra(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.commands.serve.find_spec", lambda _: None)
    done = CliRunner().invoke(main, ["-C", str(project.folder), "serve"])
    assert done.exit_code == 2
    assert done.stderr == "sidequest: this needs the extra `serve`: pip install 'sidequest[serve]'\n"


def test_what_keeps_it_from_serving_is_said(project: Project, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("serve", "--port", port, cwd=project.folder)
    assert done.returncode == 2
    said = f"cannot listen at 127.0.0.1, port {port}: Address already in use; try another --port or --host"
    assert done.stderr == f"sidequest: {said}\n"
    nowhere = run("serve", cwd=tmp_path)
    assert nowhere.returncode == 2
    assert "sidequest init" in nowhere.stderr
