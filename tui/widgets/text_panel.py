"""Text on a screen that is drawn again only when it has changed."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class TextPanel(Static):
    """A Static for text that is computed at each poll: what is unchanged costs no layout and no painting."""

    _text: Content | None = None

    def show(self, text: Content) -> None:
        """Show `text`, if it differs from what is shown."""
        if self._text != text:
            self._text = text
            self.update(text)
