"""`serve`: the app in a browser."""

from __future__ import annotations

import os
from importlib.util import find_spec

import click

from tui.commands.context import Context, RefusedError, pass_context, verb
from tui.commands.output import say


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens; this machine alone, if unsaid.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="On which port.")
@pass_context
@verb
def serve(context: Context, host: str, port: int) -> None:
    """The app in a browser, until ctrl+c; each tab is an app of its own.

    There is no password: whoever reaches the address uses the project as you do.
    """
    if find_spec("textual_serve") is None:
        raise RefusedError("this needs the extra `serve`: pip install 'sidequest[serve]'")
    context.project()
    from tui.browser import Browser, loopback

    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def opened() -> None:
        say(f"the app is at {address} until ctrl+c")
        if not loopback(host):
            say("there is no password: whoever reaches this address uses the project as you do")

    try:
        Browser(context.folder, context.reviewer, host, port).run(opened)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise RefusedError(f"cannot listen at {host}, port {port}: {why}; try another --port or --host") from None
