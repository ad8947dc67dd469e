"""The bar on top: the places of the app, and what holds everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content
from textual.style import Style

from tui.actions import EVERYWHERE, Action
from tui.keymap import keys_of
from tui.text import line

# Letters that a place in the bar keeps where there is no room for its name.
SHORTEST = 3


def top(width: int, front: str, name: str, said: Sequence[Content], keymap: Mapping[str, str]) -> Content:
    """The bar in `width` cells, with the place called `front` marked.

    `said` is what stands at its end in several lengths, the best first. For want of room there go, one after another,
    the project's `name`, the space between places, a longer end, and letters of the places that are not in front.
    """
    places = [one for one in EVERYWHERE if one.name.startswith("go(")]
    longest = max(len(place.label) for place in places)
    heads = [(f"Sidequest · {line(name, 30)} ", " "), ("", " "), ("", "")]
    fits = [(*head, longest, said[0]) for head in heads]
    fits += [("", "", longest, end) for end in said[1:]]
    fits += [("", "", letters, said[-1]) for letters in range(longest - 1, SHORTEST - 1, -1)]
    for head, space, letters, end in fits:
        left = Content.assemble((head, "bold"), *(_place(one, front, letters, keymap, space) for one in places))
        gap = width - left.cell_length - end.cell_length
        if gap > 0:
            break
    return Content.assemble(left, " " * max(1, gap), end)


def _place(place: Action, front: str, letters: int, keymap: Mapping[str, str], space: str) -> tuple[str, str | Style]:
    key, there = keys_of(place, keymap).split()[0], place.label == front
    label = place.label if there else place.label[:letters]
    return f" {key} {label}{space}", "reverse" if there else Style.from_meta({"@click": f"app.{place.name}"})
