"""The footer lets go of keys that it shows no more."""

from __future__ import annotations

import gc
from weakref import WeakSet

from textual.widgets._footer import FooterKey

from tests.tui.conftest import SIZE, shown, until
from tui.app import SidequestApp


async def test_keys_shown_no_more_are_let_go(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: bool(app.screen.query(FooterKey)))
        before = WeakSet(app.screen.query(FooterKey))
        # A question has keys of its own.
        await pilot.press("x", "escape", "x", "escape")

        def gone() -> bool:
            gc.collect()
            return not before

        await until(pilot, gone)
        assert app.screen.query(FooterKey)


async def test_help_and_the_way_out_stay_in_a_narrow_footer(app: SidequestApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        for words in ("s Skip", "o Queue", "? Help", "q Quit"):
            assert words in shown(pilot)
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: "o Queue" not in shown(pilot))
        for words in ("a Accept", "u Undo", "? Help", "q Quit"):
            assert words in shown(pilot)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "o Queue" in shown(pilot))
        await pilot.resize_terminal(60, 20)
        await pilot.press("e")
        await until(pilot, lambda: "esc Cancel" in shown(pilot))
