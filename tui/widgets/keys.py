"""The footer: the keys of the screen in front."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

# The keys at the end, help and the way out, stand in the footer however narrow it is.
KEPT = 2


class Keys(Footer):
    """Textual's footer, which keeps every key that it has ever shown, in a list of those that watch how it looks.

    A screen left, a question asked, a field opened: each time it makes its keys anew, and in a day of review they are
    hundreds of thousands. To say that its look may have changed lets those go that are not shown any more.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)
        self._composed_for = 0

    def compose(self) -> ComposeResult:
        """As many keys as fit; those that do not are in the help."""
        keys = list(super().compose())
        self._composed_for = room = self.app.size.width
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
        """Choose again what fits."""
        if self._composed_for and event.size.width != self._composed_for:
            self.call_after_refresh(self.recompose)

    async def recompose(self) -> None:
        """Show the keys that hold now."""
        await super().recompose()
        self.mutate_reactive(Footer.compact)


def _width(key: Widget) -> int:
    """The cells that a key takes with its name, and a space before, between and behind."""
    return cell_len(key.key_display) + cell_len(key.description) + 3 if isinstance(key, FooterKey) else 0
