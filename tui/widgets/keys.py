"""The footer: the keys of the screen in front."""

from __future__ import annotations

from textual.widgets import Footer


class Keys(Footer):
    """Textual's footer, which keeps every key that it has ever shown, in a list of those that watch how it looks.

    A screen left, a question asked, a field opened: each time it makes its keys anew, and in a day of review they are
    hundreds of thousands. To say that its look may have changed lets those go that are not shown any more.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)

    async def recompose(self) -> None:
        """Show the keys that hold now."""
        await super().recompose()
        self.mutate_reactive(Footer.compact)
