"""The pieces of evidence in the edit form: each with its fields; they are added, removed, moved and brought back."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Label

from core.review.editing import Values
from tui.widgets.fields import Area, Field


class PieceForm(Vertical):
    """The fields of one piece of evidence."""

    def __init__(self, piece: Values, *, new: bool = False) -> None:
        super().__init__(classes="panel")
        self._piece = piece
        self._new = new

    def compose(self) -> ComposeResult:
        with Horizontal(classes="row"):
            yield Label("source ")
            source = Field(
                self._piece["source"], placeholder="where it comes from", classes="source", select_on_focus=False
            )
            # A field shows the part that the cursor is in, and a source begins with what it is.
            source.cursor_position = 0
            yield source
            yield Label("  relevance ")
            yield Field(self._piece["relevance"], placeholder="0 to 1", classes="relevance")
        yield Area(self._piece["content"], classes="content")

    def on_mount(self) -> None:
        """Put the cursor into a new piece."""
        if self._new:
            self.query_one(".source").focus()

    def values(self) -> Values:
        """What the fields say; before they are mounted, what they begin with."""
        if not self.is_mounted:
            return self._piece
        return {
            "source": self.query_one(".source", Field).edited,
            "relevance": self.query_one(".relevance", Field).edited,
            "content": self.query_one(".content", Area).edited,
        }


class EvidenceForm(Vertical):
    """The pieces in their order. A removed one is only hidden, so that it comes back as it was, with its own undo."""

    def __init__(self, pieces: list[Values]) -> None:
        super().__init__(id="pieces", classes="row")
        self._pieces = [PieceForm(piece) for piece in pieces]
        # With their positions, the last removed at the end.
        self._removed: list[tuple[PieceForm, int]] = []

    def compose(self) -> ComposeResult:
        yield from self._pieces

    def on_mount(self) -> None:
        """Number the pieces."""
        self._number()

    def values(self) -> list[Values]:
        """What the fields of each piece say."""
        return [piece.values() for piece in self._pieces]

    def piece_with(self, focused: Widget | None) -> PieceForm | None:
        """The piece that the cursor is in; None if it is in none."""
        nodes = focused.ancestors_with_self if focused else []
        return next((node for node in nodes if isinstance(node, PieceForm) and node in self._pieces), None)

    def add(self) -> None:
        """Add an empty piece at the end."""
        piece = PieceForm({"source": "", "relevance": "0.5", "content": ""}, new=True)
        self._pieces.append(piece)
        self.mount(piece)
        self._number()

    def remove_piece(self, piece: PieceForm) -> int:
        """Remove `piece`; the cursor goes into the one that is then in its place. Returns its position, from 0."""
        position = self._pieces.index(piece)
        self._pieces.remove(piece)
        self._removed.append((piece, position))
        if self._pieces:
            self._pieces[min(position, len(self._pieces) - 1)].query_one(".source").focus()
        piece.display = False
        self._number()
        return position

    def restore(self) -> bool:
        """Bring the piece back that was removed last, to its place; False if there is none."""
        if not self._removed:
            return False
        piece, position = self._removed.pop()
        if position < len(self._pieces):
            self.move_child(piece, before=self._pieces[position])
        elif self._pieces:
            self.move_child(piece, after=self._pieces[-1])
        self._pieces.insert(position, piece)
        piece.display = True
        piece.query_one(".source").focus()
        self._number()
        return True

    def shift(self, piece: PieceForm, step: int) -> dict[str, str]:
        """Move `piece` up (-1) or down (1), if it is not at the end already.

        Returns the new numbers of pieces by their old ones, from 1, as text.
        """
        position = self._pieces.index(piece)
        if 0 <= position + step < len(self._pieces):
            neighbour = self._pieces[position + step]
            self._pieces[position], self._pieces[position + step] = neighbour, piece
            if step < 0:
                self.move_child(piece, before=neighbour)
            else:
                self.move_child(piece, after=neighbour)
            self.call_after_refresh(piece.scroll_visible, animate=False)
            self._number()
            first, second = str(position + 1), str(position + step + 1)
            return {first: second, second: first}
        return {}

    def _number(self) -> None:
        for number, piece in enumerate(self._pieces, start=1):
            piece.border_title = f"evidence {number} of {len(self._pieces)}"
