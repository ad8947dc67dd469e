"""Every action of the app in one table: the keys, the footer, the help and the palette come from here."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """`keys` are alternatives; `name` is what Textual calls; `label` names it in the palette and the footer."""

    keys: str
    name: str
    label: str
    help: str
    footer: bool = True


EVERYWHERE = [
    Action("1", "go('home')", "Home", "Where the project stands, what is running, what is next", footer=False),
    Action("2", "go('generate')", "Generate", "Fill cells, and watch the examples come in", footer=False),
    Action("3", "go('review')", "Review", "Accept and reject examples by hand", footer=False),
    Action("4", "go('rejections')", "Rejections", "Where QA rejects, and why", footer=False),
    Action("5", "go('dataset')", "Dataset", "All examples in a table: find, sort, split, accept in bulk", footer=False),
    Action("8", "go('runs')", "Runs", "All runs with their logs", footer=False),
    Action("question_mark", "explain", "Help", "What the keys of this screen do"),
    Action("ctrl+r", "reread", "Read the project file", "Read the project file again", footer=False),
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
    Action("escape", "leave_field", "Leave the field", "Leave a field of the form", footer=False),
]

REVIEW = [
    Action("a", "accept", "Accept", "Accept the example, and show the next"),
    Action("x", "reject", "Reject", "Reject it: a digit gives the reason, enter none, escape goes back"),
    Action("s", "skip", "Skip", "Show the next one without a decision"),
    Action("f,exclamation_mark", "flag", "Flag", "Flag it for another look, or take the flag away"),
    Action("e", "edit", "Edit", "Edit the example; a new version is made, the old one stays"),
    Action("u", "undo", "Undo", "Take the newest decision back, and show its example"),
    Action("slash", "filter", "Filter", "Choose what to review: words, level:1-2 domain:risk flagged status:rejected"),
    Action("j", "next", "Next", "The next example", footer=False),
    Action("k", "previous", "Previous", "The previous example", footer=False),
    Action("y", "copy", "Copy", "Copy the example as JSON", footer=False),
    Action("space,pagedown", "page_down", "Page down", "Scroll down a page", footer=False),
    Action("pageup", "page_up", "Page up", "Scroll up a page", footer=False),
    Action("down", "scroll_line(1)", "Line down", "Scroll down a line", footer=False),
    Action("up", "scroll_line(-1)", "Line up", "Scroll up a line", footer=False),
]

# What answers the question for a reason; each holds only while it is asked.
REASON = [
    *(Action(str(n), f"answer({n})", f"Reason {n}", "Reject for this reason", footer=False) for n in range(1, 10)),
    Action("enter", "answer(0)", "No reason", "Reject without a reason", footer=False),
    Action("escape,x,q", "answer(-1)", "Back", "Do not reject", footer=False),
]

REJECTIONS: list[Action] = []

DATASET: list[Action] = []

RUNS = [
    Action("p", "pause", "Pause", "Pause the chosen run after what is in flight"),
    Action("r", "resume", "Resume", "Continue a run that is paused, stopped, failed or lost"),
    Action("x", "stop", "Stop", "Stop the chosen run; a second time kills it"),
    Action("j", "down", "Next run", "The next run", footer=False),
    Action("k", "up", "Previous run", "The previous run", footer=False),
]

EDIT = [
    Action("ctrl+s", "save", "Save", "Save what was changed as a new version"),
    Action("ctrl+n", "add", "Add piece", "Add a piece of evidence"),
    Action("ctrl+d", "remove", "Remove piece", "Remove the piece of evidence that the cursor is in"),
    Action("ctrl+o", "editor", "$EDITOR", "Edit the whole example as JSON in $EDITOR"),
    Action("escape", "cancel", "Cancel", "Leave without saving"),
]


def bindings(actions: list[Action]) -> list[BindingType]:
    """The Textual bindings of `actions`.

    All have priority: such a binding acts when its key arrives. Any other acts after the key has gone down to the
    focused widget and up again, while the keys behind it are under way already; of `/a` typed at once, `a` would
    accept an example. `check_action` of app and screens therefore says when a key is text instead.
    """
    return [Binding(action.keys, action.name, action.label, show=action.footer, priority=True) for action in actions]
