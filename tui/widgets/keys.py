"""The footer: the keys of the screen in front."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

# The last keys, help and leave, are in the footer however narrow it is.
KEPT = 2


class Keys(Footer):
    """Textual's footer with as many keys as fit, and without its leak.

    Textual makes the keys anew each time a screen is left, a question is asked or a field opens, and the footer keeps
    each of them as a watcher of `compact`: hundreds of thousands in a day of review. `mutate_reactive` lets go of those
    that are no longer shown.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)
        self._composed_width = 0

    def compose(self) -> ComposeResult:
        """Yield as many keys as fit; the help has all of them."""
        keys = list(super().compose())
        self._composed_width = room = self.app.size.width
        room -= sum(_width(key) for key in keys[-KEPT:])
        fitting = []
        for key in keys[:-KEPT]:
            room -= _width(key)
            if room < 0:
                break
            fitting.append(key)
        shown = [*fitting, *keys[-KEPT:]]
        self.styles.grid_size_columns = max(1, len(shown))
        yield from shown

    def on_resize(self, event: events.Resize) -> None:
        """Choose again which keys fit."""
        if self._composed_width and event.size.width != self._composed_width:
            self.call_after_refresh(self.recompose)

    async def recompose(self) -> None:
        """Show the keys of the present state."""
        await super().recompose()
        self.mutate_reactive(Footer.compact)


def _width(key: Widget) -> int:
    """The cells of a key and its name, with a space before, between and behind."""
    return cell_len(key.key_display) + cell_len(key.description) + 3 if isinstance(key, FooterKey) else 0
