"""Every action of the app in one table: the keys, the footer, the help and the palette come from here."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """`keys` are alternatives; `name` is what Textual calls; `label` stands in the footer (empty: not there)."""

    keys: str
    name: str
    label: str
    help: str


EVERYWHERE = [
    Action("1", "go('home')", "", "Where the project stands, what is running, what is next"),
    Action("2", "go('generate')", "", "Fill cells, and watch the examples come in"),
    Action("3", "go('review')", "", "Accept and reject examples by hand"),
    Action("8", "go('runs')", "", "All runs with their logs"),
    Action("question_mark", "explain", "Help", "What the keys of this screen do"),
    Action("ctrl+r", "reread", "", "Read the project file again"),
    Action("q", "leave", "Quit", "Leave the app; runs go on without it"),
]

HOME = [
    Action("enter", "follow", "Go there", "Go where the chosen line of Next leads"),
    Action("g", "app.go('generate')", "Generate", "Generate examples"),
    Action("r", "app.go('review')", "Review", "Review examples"),
]

GENERATE = [
    Action("g", "start", "Start", "Start a run with what the form says"),
    Action("p", "pause", "Pause/resume", "Pause the run, or let it go on"),
    Action("x", "stop", "Stop", "Stop the run after what is in flight; a second time kills it"),
    Action("c", "choose", "Cell", "Only the cell under the cursor; again: all cells"),
    Action("escape", "leave_field", "", "Leave a field of the form"),
]

REVIEW = [
    Action("a", "accept", "Accept", "Accept the example, and show the next"),
    Action("x", "reject", "Reject", "Reject it: a digit gives the reason, enter none, escape goes back"),
    Action("s", "skip", "Skip", "Show the next one without a decision"),
    Action("f,exclamation_mark", "flag", "Flag", "Flag it for another look, or take the flag away"),
    Action("e", "edit", "Edit", "Edit the example; a new version is made, the old one stays"),
    Action("u", "undo", "Undo", "Take the newest decision back, and show its example"),
    Action("slash", "filter", "Filter", "Choose what to review: words, level:1-2 domain:risk flagged status:rejected"),
    Action("j", "next", "", "The next example"),
    Action("k", "previous", "", "The previous example"),
    Action("y", "copy", "", "Copy the example as JSON"),
    Action("space,pagedown", "page_down", "", "Scroll down a page"),
    Action("pageup", "page_up", "", "Scroll up a page"),
    Action("down", "scroll_line(1)", "", "Scroll down a line"),
    Action("up", "scroll_line(-1)", "", "Scroll up a line"),
]

RUNS = [
    Action("p", "pause", "Pause", "Pause the chosen run after what is in flight"),
    Action("r", "resume", "Resume", "Continue a run that is paused, stopped, failed or lost"),
    Action("x", "stop", "Stop", "Stop the chosen run; a second time kills it"),
    Action("j", "down", "", "The next run"),
    Action("k", "up", "", "The previous run"),
]

EDIT = [
    Action("ctrl+s", "save", "Save", "Save what was changed as a new version"),
    Action("ctrl+n", "add", "Add piece", "Add a piece of evidence"),
    Action("ctrl+d", "remove", "Remove piece", "Remove the piece of evidence that the cursor is in"),
    Action("ctrl+o", "editor", "$EDITOR", "Edit the whole example as JSON in $EDITOR"),
    Action("escape", "cancel", "Cancel", "Leave without saving"),
]


def bindings(actions: list[Action], *, priority: bool = False) -> list[BindingType]:
    """The Textual bindings of `actions`."""
    return [
        Binding(action.keys, action.name, action.label or action.help, show=bool(action.label), priority=priority)
        for action in actions
    ]
