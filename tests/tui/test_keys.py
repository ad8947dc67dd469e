"""The footer lets go of keys that it shows no more."""

from __future__ import annotations

import gc
from weakref import WeakSet

from textual.widgets._footer import FooterKey

from tests.tui.conftest import SIZE, until
from tui.app import SidequestApp


async def test_keys_shown_no_more_are_let_go(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: bool(app.screen.query(FooterKey)))
        shown = WeakSet(app.screen.query(FooterKey))
        # A question has keys of its own.
        await pilot.press("x", "escape", "x", "escape")

        def gone() -> bool:
            gc.collect()
            return not shown

        await until(pilot, gone)
        assert app.screen.query(FooterKey)
