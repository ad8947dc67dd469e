"""The app in a browser: each tab has an app of its own, in a process of its own, on the same project."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

from core.runs.child_process import python_command

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# The page works without what it would fetch from elsewhere (a font), and nobody else learns that it was opened.
_OWN_ONLY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' ws: wss:; frame-ancestors 'none'"
)


class Browser(Server):
    """Shows the app of `folder` at `host`:`port`, but to no page of another site."""

    def __init__(self, folder: Path, reviewer: str, host: str, port: int) -> None:
        command = python_command("sidequest", "--project", str(folder.resolve()))
        command += ["--as", reviewer] if reviewer else []
        super().__init__(shlex.join(command), host, port, title="Sidequest")

    def run(self, opened: Callable[[], None]) -> None:
        """Serve until the process is interrupted; `opened` is called once it listens. Raises OSError."""
        web.run_app(
            self._make_app(), host=self.host, port=self.port, print=lambda *_: opened(), access_log=None,
            shutdown_timeout=2,
        )  # fmt: skip

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing yet: it does not listen yet."""

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        """The page, whose addresses are those by which it was asked for."""
        self.public_url = f"{request.scheme}://{request.host}"
        return await super().handle_index(request)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not allowed(self.host, request.headers.get("Host", ""), request.headers.get("Origin")):
            raise web.HTTPForbidden(text="Sidequest does not answer the pages of other sites\n")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = _OWN_ONLY
        return response


def allowed(listens: str, host: str, origin: str | None) -> bool:
    """Whether a request may be answered, by its headers `Host` and `Origin`.

    A page of another site may open a connection to this machine, and so use the app as its owner does; its origin
    gives it away. A name of its own that leads to this machine is caught by the host, where only loopback is served.
    """
    try:
        asked, came_from = urlsplit(f"//{host}").hostname, host if origin is None else urlsplit(origin).netloc
    except ValueError:  # no address at all
        return False
    return came_from == host and (not loopback(listens) or loopback(asked or ""))


def loopback(host: str) -> bool:
    """Whether only this machine can be meant."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
