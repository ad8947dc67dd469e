"""The bar at the top of every screen: the places of the app, who decides, running runs, the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content
from textual.style import Style

from tui.actions import EVERYWHERE, Action
from tui.keymap import keys_of
from tui.text import line

# A place keeps so many letters of its name, however narrow the bar is.
SHORTEST = 3


def top_bar(width: int, front: str, project: str, endings: Sequence[Content], keymap: Mapping[str, str]) -> Content:
    """The bar in `width` cells, with the place called `front` marked.

    `endings` are what stands at its end, in several lengths, the best first. Where there is no room for everything,
    these give way one after another: the name of the `project`, the space between the places, the longer endings, and
    letters of the places that are not in front.
    """
    places = [action for action in EVERYWHERE if action.name.startswith("go(")]
    longest = max(len(place.label) for place in places)
    heads = [(f"Sidequest · {line(project, 30)} ", " "), ("", " "), ("", "")]
    variants = [(*head, longest, endings[0]) for head in heads]
    variants += [("", "", longest, ending) for ending in endings[1:]]
    variants += [("", "", letters, endings[-1]) for letters in range(longest - 1, SHORTEST - 1, -1)]
    for head, space, letters, ending in variants:
        left = Content.assemble(
            (head, "bold"), *(_draw_place(place, front, letters, keymap, space) for place in places)
        )
        gap = width - left.cell_length - ending.cell_length
        if gap > 0:
            break
    return Content.assemble(left, " " * max(1, gap), ending)


def _draw_place(
    place: Action, front: str, letters: int, keymap: Mapping[str, str], space: str
) -> tuple[str, str | Style]:
    key, in_front = keys_of(place, keymap).split()[0], place.label == front
    label = place.label if in_front else place.label[:letters]
    style = "reverse" if in_front else Style.from_meta({"@click": f"app.{place.name}"})
    return f" {key} {label}{space}", style
