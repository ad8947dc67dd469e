"""Every action of the app in one table: the keys, the footer, the help and the palette come from here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_letters

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
    Action(
        "6", "go('benchmark')", "Benchmark", "Ask models about examples, and hold two against each other", footer=False
    ),
    Action("7", "go('training')", "Training", "Train the student, and watch it learn", footer=False),
    Action("8", "go('runs')", "Runs", "All runs with their logs", footer=False),
    Action("question_mark", "explain", "Help", "What the keys of this screen do"),
    Action("ctrl+r", "reread", "Read the project file", "Read the project file again", footer=False),
    Action("ctrl+z", "suspend_process", "Suspend", "Put the app aside; `fg` in the shell brings it back", footer=False),
    Action("q", "leave", "Quit", "Leave the app; runs go on without it"),
]

HOME = [
    Action("enter", "follow", "Go there", "Go where the chosen line of Next leads"),
    Action("g", "app.go('generate')", "Generate", "Generate examples"),
    Action("r", "app.go('review')", "Review", "Review examples"),
]

GENERATE = [
    Action("g", "start", "Start", "Say what a run with what the form says would make, and start it if you mean it"),
    Action("p", "pause", "Pause/resume", "Pause the run, or let it go on"),
    Action("x", "stop", "Stop", "Stop the run after what is in flight; a second time kills it"),
    Action("c", "choose", "Cell", "Only the cell under the cursor; again: all cells"),
]

# What holds while a field of Generate is written in.
FORM = [
    Action("enter", "next_field", "Next field", "On to the next field; from the last to the start"),
    Action("escape", "leave_field", "Leave the field", "Leave the form, so that keys are keys again"),
    Action("question_mark", "explain_keys", "Help", "What the keys of this screen do"),
]

REVIEW = [
    Action("a", "accept", "Accept", "Accept the example, and show the next"),
    Action("x", "reject", "Reject", "Reject the example: a digit gives the reason, enter none, n notes, escape leaves"),
    Action("e", "edit", "Edit", "Edit the example; a new version is made, the old one stays"),
    Action("R", "repair", "Repair", "Have what argues for an earlier decision written anew", footer=False),
    Action("s", "skip", "Skip", "Show the next one without a decision"),
    Action("u", "undo", "Undo", "Take your newest act back; asks first if it was not made here just now"),
    Action("exclamation_mark", "flag", "Flag", "Flag it for another look, or take the flag away"),
    Action("b", "blind", "Blind", "Hide the label until you have decided, or show it at once", footer=False),
    Action("o", "choose", "Queue", "Choose what to review: least certain, by cell, flagged, a sample and more"),
    Action("n", "note", "Note", "Write a note that goes with your next decision about this example", footer=False),
    Action("d", "diff", "Changes", "What changed since the attempt, or the version, before", footer=False),
    Action("slash", "filter", "Filter", "Narrow the queue: words, level:1-2 domain:risk status:rejected", footer=False),
    Action("g", "agreement", "Agreement", "How far people, label and judge agree, from blind decisions", footer=False),
    Action("j", "skip", "Next", "The next example", footer=False),
    Action("k", "previous", "Previous", "The previous example", footer=False),
    Action("y", "copy", "Copy", "Send the example as JSON to the terminal's clipboard", footer=False),
    Action("space,pagedown", "page_down", "Page down", "Scroll down a page", footer=False),
    Action("pageup", "page_up", "Page up", "Scroll up a page", footer=False),
    Action("down", "scroll_line(1)", "Line down", "Scroll down a line", footer=False),
    Action("up", "scroll_line(-1)", "Line up", "Scroll up a line", footer=False),
]

# Keys of decisions: which of them mean one is up to the labels of the project.
LABELS = [
    Action(letter, f"label('{letter}')", f"Decide {letter}", "Decide without seeing the label", footer=False)
    for letter in ascii_letters
]

# What answers the question for a reason; each holds only while it is asked.
REASON = [
    *(Action(str(n), f"answer({n})", f"Reason {n}", "Reject for this reason", footer=False) for n in range(1, 10)),
    Action("enter", "answer(0)", "No reason", "Reject without a reason", footer=False),
    Action("n", "note_reason", "Note", "Write a note, then give the reason", footer=False),
    Action("escape,x,q", "answer(-1)", "Back", "Do not reject", footer=False),
]

# What leaves a field of Review. Enter is the field's own: it must not overtake the letters before it.
FIELD = [Action("escape", "close_field", "Close", "Leave the field as it was", footer=False)]

REJECTIONS = [
    Action("enter", "open", "Open", "The rejected attempts of the cell; then the whole lineage of one"),
    Action("escape", "back", "Back", "Back to the attempts, and to the map"),
    Action("d", "decision", "Decision", "Only attempts at one decision; again: the next, and all"),
    Action("f", "reason", "Reason", "Only attempts rejected for one reason; again: the next, and all"),
    Action("o", "overrule", "Overrule", "Bring the attempt in for review, whatever the judge said"),
    Action("h", "hint", "Hint", "Write it anew: give the model that writes a hint"),
    Action("z", "shelve", "Shelve", "Set the cell aside, and share its quota out among the rest; again: take it back"),
    Action("t", "record", "Judge", "How good the judge is: planted flaws, and what people said of its verdicts"),
    Action("g", "agreement", "Agreement", "How far people, label and judge agree, from blind decisions", footer=False),
    Action(
        "u", "undo", "Undo", "Take your newest act back; asks first unless it was one decision made here", footer=False
    ),
    Action("y", "copy", "Copy", "Send the attempt with its verdicts as JSON to the terminal's clipboard", footer=False),
    Action("j", "step(1)", "Next", "The next attempt", footer=False),
    Action("k", "step(-1)", "Previous", "The attempt before", footer=False),
    Action("up", "move(-1, 0)", "Up", "The cell above", footer=False),
    Action("down", "move(1, 0)", "Down", "The cell below", footer=False),
    Action("left", "move(0, -1)", "Left", "The cell to the left", footer=False),
    Action("right", "move(0, 1)", "Right", "The cell to the right", footer=False),
]

DATASET = [
    Action("enter", "open", "Open", "The example whole: reviews, versions, family, what is near it"),
    Action("a", "accept", "Accept", "Accept the marked examples, or the one under the cursor"),
    Action("x", "reject", "Reject", "Reject them for a reason"),
    Action("u", "undo", "Undo", "Take your newest act back; asks first unless it was one decision made here"),
    Action("e", "edit", "Edit", "Edit the example under the cursor; the old version stays"),
    Action("slash", "filter", "Filter", "Words, level:1-2 domain:risk split:train -status:rejected ..."),
    Action("m,space", "mark", "Mark", "Mark the row for what is done to many, and go on"),
    Action("p", "split", "Split", "Put their families into train, dev or test, or share all out", footer=False),
    Action("o", "order", "Sort", "Choose the order: newest, least certain, by cell and more"),
    Action("c", "coverage", "Cells", "Coverage: cells, lengths, confidence, near-duplicates, shortcuts"),
    Action(
        "f", "check", "Check", "Contradictions, leaks between splits, shortcuts, suspected label errors", footer=False
    ),
    Action("exclamation_mark", "flag", "Flag", "Flag them, or take the flags away", footer=False),
    Action("y", "copy", "Copy", "Send them as JSON to the terminal's clipboard", footer=False),
    Action("v", "mark_range", "Mark to here", "Mark from the row marked last to this one", footer=False),
    Action("asterisk", "mark_all", "Mark all", "Mark all that match; again: none", footer=False),
    Action(
        "escape",
        "release",
        "Unmark",
        "Stop what is done to many, take marks away, undo a filter of Cells or Check",
        footer=False,
    ),
    Action("down,j", "move(1)", "Next row", "The next row", footer=False),
    Action("up,k", "move(-1)", "Previous row", "The previous row", footer=False),
    Action("pagedown", "page(1)", "Page down", "Down a page", footer=False),
    Action("pageup", "page(-1)", "Page up", "Up a page", footer=False),
    Action("home", "edge(False)", "First row", "The first row", footer=False),
    Action("end,G", "edge(True)", "Last row", "The last row", footer=False),
]

# The example whole, over the list.
EXAMPLE = [
    Action("escape,enter,q", "close", "Back", "Back to the list"),
    Action("e", "edit", "Edit", "Edit the example; the old version stays"),
    Action("R", "repair", "Repair", "Have what argues for an earlier decision written anew", footer=False),
    Action("u", "undo", "Undo", "Take your newest decision back", footer=False),
    Action("y", "copy", "Copy", "Send the example as JSON to the terminal's clipboard"),
    Action("question_mark", "explain_keys", "Help", "What the keys of this screen do"),
    Action("down,j", "scroll(1)", "Line down", "Scroll down a line", footer=False),
    Action("up,k", "scroll(-1)", "Line up", "Scroll up a line", footer=False),
    Action("space,pagedown", "page(1)", "Page down", "Scroll down a page"),
    Action("pageup", "page(-1)", "Page up", "Scroll up a page", footer=False),
    Action("home", "edge(False)", "Top", "To the top", footer=False),
    Action("end,G", "edge(True)", "End", "To the end", footer=False),
]

# What was written in place of stale fields, over Review and over the example of Dataset.
REPAIR = [
    Action("a", "accept", "Accept", "Store the new fields, with the decision that they argue for"),
    Action("k", "keep", "Keep the old", "The old fields are right for the decision as it is now"),
    Action("e", "edit", "Edit", "Edit the new fields before they are stored"),
    Action("escape,q", "close", "Later", "Decide later: what was written is kept"),
    Action("question_mark", "explain_keys", "Help", "What the keys of this screen do"),
    Action("down,j", "scroll(1)", "Line down", "Scroll down a line", footer=False),
    Action("up", "scroll(-1)", "Line up", "Scroll up a line", footer=False),
    Action("space,pagedown", "page(1)", "Page down", "Scroll down a page", footer=False),
    Action("pageup", "page(-1)", "Page up", "Scroll up a page", footer=False),
]

COVERAGE = [
    Action("escape,q,c", "close", "Back", "Back to the list"),
    Action(
        "enter", "show", "Show", "Let the list show the cell, or the group, under the cursor; escape there goes back"
    ),
    Action("question_mark", "explain_keys", "Help", "What the keys of this screen do"),
    Action("down,j", "move(1)", "Next", "The next cell or group", footer=False),
    Action("up,k", "move(-1)", "Previous", "The cell or group before", footer=False),
    Action("pagedown", "page(1)", "Page down", "Scroll down a page", footer=False),
    Action("pageup", "page(-1)", "Page up", "Scroll up a page", footer=False),
    Action("home", "edge(False)", "Top", "To the top", footer=False),
    Action("end,G", "edge(True)", "End", "To the end", footer=False),
]

# What the examples say against each other, over the list.
CHECK = [
    Action("escape,q,f", "close", "Back", "Back to the list"),
    Action(
        "enter", "show", "Show", "Let the list show the examples behind the line under the cursor; escape goes back"
    ),
    Action("question_mark", "explain_keys", "Help", "What the keys of this screen do"),
    Action("down,j", "move(1)", "Next", "The next line", footer=False),
    Action("up,k", "move(-1)", "Previous", "The line before", footer=False),
    Action("pagedown", "page(1)", "Page down", "Down a page", footer=False),
    Action("pageup", "page(-1)", "Page up", "Up a page", footer=False),
    Action("home", "edge(False)", "First", "The first finding", footer=False),
    Action("end,G", "edge(True)", "Last", "The last line", footer=False),
]

BENCHMARK = [
    Action("g", "start", "Start", "Say what to ask of which model, see what that takes, and start it"),
    Action("p", "pause", "Pause/resume", "Pause the chosen run, let it go on, or resume one that stopped or failed"),
    Action("x", "stop", "Stop", "Stop the chosen run after what is in flight; a second time kills it"),
    Action("enter", "pairs", "Pairs", "Where one is right and the other wrong, by cell, with what both said"),
    Action("m", "more", "More like it", "Open Generate, filled in for where the field goes wrong: its level and kind"),
    Action("w", "view('gate')", "Gate", "The words of the gate: good enough, worth training, no headroom, and why"),
    Action("c", "view('confusion')", "Confusion", "What the chosen run decided, by label; again: back", footer=False),
    Action("v", "view('slices')", "Levels", "Both runs by level and domain, with intervals; again: back"),
    Action("r", "view('reliability')", "Reliability", "Is the chosen run right as often as it says", footer=False),
    Action("t", "view('fields')", "Fields", "Which field of its steps goes wrong, and the worst answers; again: back"),
    Action("up,k", "move_field(-1)", "Field before", "The field before", footer=False),
    Action("down,j", "move_field(1)", "Next field", "The next field", footer=False),
    Action("left", "move_answer(-1)", "Answer before", "The answer before, of the worst; enter opens it", footer=False),
    Action("right", "move_answer(1)", "Next answer", "The next answer of the worst", footer=False),
    Action("s", "switch", "Switch", "Choose the student's run or the reference's: what c r t f l p x are about"),
    Action("o", "choose", "Choose", "All benchmarks: choose which one is shown as student, which as reference"),
    Action("f", "retry", "Ask failures again", "Ask again what the chosen run has no answer to", footer=False),
    Action("l", "log", "Log", "The log of the chosen run, on Runs", footer=False),
    Action("escape", "back", "Back", "Back to the overview", footer=False),
]

# The pairs of two runs, over Benchmark.
PAIRS = [
    Action("escape,q", "close", "Back", "Back to the benchmark"),
    Action("f", "kind", "Kind", "Who is right: only the reference, only the student, neither, both"),
    Action("slash", "filter", "Filter", "Only a cell: level:1-2 domain:risk decision:REFINED"),
    Action("y", "copy", "Copy", "Send the pair as JSON to the terminal's clipboard"),
    Action("space", "scroll(1)", "Read on", "Scroll down what both said"),
    Action("question_mark", "explain_keys", "Help", "What the keys of this screen do"),
    Action("b", "scroll(-1)", "Read back", "Scroll up what both said", footer=False),
    Action("down,j", "move(1)", "Next", "The next pair", footer=False),
    Action("up,k", "move(-1)", "Previous", "The pair before", footer=False),
    Action("pagedown", "page(1)", "Page down", "A page of pairs down", footer=False),
    Action("pageup", "page(-1)", "Page up", "A page of pairs up", footer=False),
    Action("home", "edge(False)", "First", "The first pair", footer=False),
    Action("end,G", "edge(True)", "Last", "The last pair", footer=False),
]

# What a benchmark is to ask, over Benchmark.
BENCH_FORM = [
    Action("ctrl+s", "start", "Start", "Start the benchmark"),
    Action("enter", "next_field", "Next field", "On to the next field; from the last to the start"),
    Action("escape", "close", "Back", "Back without starting"),
]

# The list of all benchmarks, over Benchmark.
BENCH_CHOICE = [
    Action("enter,s", "pick('student')", "As student", "Show the run under the cursor as the student's"),
    Action("r", "pick('reference')", "As reference", "Show it as the reference's"),
    Action("n", "pick('none')", "No reference", "Show no reference"),
    Action("escape,q,o", "close", "Back", "Back to what was shown"),
]

TRAINING = [
    Action("g", "start", "Start", "Choose a recipe, see what it takes, and start it"),
    Action(
        "p", "pause", "Pause/resume", "Pause the run after the step in hand, let it go on, or resume one that ended"
    ),
    Action("x", "stop", "Stop", "Stop the run, with a checkpoint first; a second time kills it"),
    Action("enter", "answers", "Answers", "What the student wrote, step by step, and what each answer earned"),
    Action("b", "benchmark", "Measure", "In the table: start, or resume, the first benchmark that it lacks"),
    Action("v", "compare", "Compare", "Another training run beside this one; again: back"),
    Action("n", "note", "Note", "Pin a note to the step that it is at"),
    Action("c", "view('curves')", "Curves", "Curves as large as the screen, and all notes; again: back"),
    Action("t", "table", "Table", "Base, SFT and RL on the same benchmark, in one table; again: back"),
    Action("f", "phase", "Phase", "The next phase of the run: SFT, then RL", footer=False),
    Action("o", "choose", "Choose", "All training runs: choose which one is shown", footer=False),
    Action("l", "log", "Log", "The log of the run, on Runs", footer=False),
    Action("escape", "back", "Back", "Back to the overview", footer=False),
]

# What the student wrote, over Training.
ANSWERS = [
    Action("escape", "close", "Back", "Back to the training; out of a note that is being written"),
    Action("q,enter", "leave", "Back to the training", "Back to the training", footer=False),
    Action("left,h", "step(-1)", "Step before", "The answers of the step before"),
    Action("right,l", "step(1)", "Next step", "The answers of the next step"),
    Action("down,j", "move(1)", "Next answer", "The next answer"),
    Action("n", "note", "Note", "Pin a note to this step"),
    Action("y", "copy", "Copy", "Send the answer as JSON to the terminal's clipboard"),
    Action("question_mark", "explain_keys", "Help", "What the keys of this screen do"),
    Action("up,k", "move(-1)", "Answer before", "The answer before", footer=False),
    Action("space,pagedown", "page(1)", "Read on", "Scroll down", footer=False),
    Action("b,pageup", "page(-1)", "Read back", "Scroll up", footer=False),
    Action("home", "edge(False)", "First step", "The first step of which answers are kept", footer=False),
    Action("end,G", "edge(True)", "Newest step", "The newest step, and then the newer ones as they come", footer=False),
]

# Which recipe to train, over Training.
TRAIN_FORM = [
    Action("ctrl+s", "start", "Start", "Start the training"),
    Action("ctrl+e", "estimate", "Estimate", "Try three real steps, for what memory and time it will take"),
    Action("escape", "close", "Back", "Give up the estimate that is made; else back without starting"),
]

# The list of training runs, over Training.
TRAIN_CHOICE = [
    Action("enter", "pick", "Choose", "Show the run under the cursor"),
    Action("escape,q,o", "close", "Back", "Back to what was shown"),
]

RUNS = [
    Action("p", "pause", "Pause", "Pause the chosen run after what is in flight"),
    Action("r", "resume", "Resume", "Continue a run that is paused, stopped, failed or lost"),
    Action("x", "stop", "Stop", "Stop the chosen run after what is in flight; put a lost one away"),
    Action("K", "kill", "Kill", "End the process of the chosen run at once; what is in flight is lost"),
    Action("enter", "see", "See", "From a run to its log; there, the whole of a line with its data"),
    Action("slash", "find", "Find", "Find words in the log of the chosen run"),
    Action("n", "again(False)", "Next match", "The next match, in the direction of the search", footer=False),
    Action("N", "again(True)", "Match before", "The next match in the other direction", footer=False),
    Action("w", "of_note", "Warnings", "Only warnings and errors; again: everything"),
    Action("j", "down", "Next run", "The next run", footer=False),
    Action("k", "up", "Previous run", "The previous run", footer=False),
    Action("y", "copy", "Copy", "Copy the line of the log as JSON", footer=False),
    Action("escape", "leave_log", "Back", "From the log to the runs", footer=False),
]

EDIT = [
    Action("ctrl+s", "save", "Save", "Save what was changed as a new version"),
    Action("ctrl+n", "add", "Add piece", "Add a piece of evidence"),
    Action("ctrl+l", "add_step", "Add step", "Add a step, behind the one that the cursor is in"),
    Action("ctrl+g", "add_finding", "Add finding", "Add a finding to the step that the cursor is in", footer=False),
    Action("f2", "take_nearest", "Take nearest", "Quote the sentence that is offered for a quote", footer=False),
    Action("ctrl+d", "remove", "Remove", "Remove the piece of evidence, the step or the finding that the cursor is in"),
    Action("ctrl+z", "undo_edit", "Undo", "Bring back what was removed, or what was deleted in a field", footer=False),
    Action("alt+up,ctrl+up", "shift(-1)", "Piece up", "Move the piece of evidence, or step, that the cursor is in up"),
    Action("alt+down,ctrl+down", "shift(1)", "Down", "Move it down", footer=False),
    Action(
        "ctrl+t",
        "confirm",
        "Still right",
        "Reasoning, confidence and steps are right, though the decision changed",
        footer=False,
    ),
    Action("ctrl+o", "editor", "$EDITOR", "Edit the whole example as JSON in $EDITOR"),
    Action("escape", "cancel", "Cancel", "Leave without saving"),
]


# By the names that a keymap gives them; what answers a question keeps its keys.
SCREENS = {
    "app": EVERYWHERE,
    "home": HOME,
    "generate": GENERATE,
    "review": REVIEW,
    "rejections": REJECTIONS,
    "dataset": DATASET,
    "benchmark": BENCHMARK,
    "training": TRAINING,
    "runs": RUNS,
    "edit": EDIT,
}


def _named() -> dict[str, Action]:
    return {
        f"{screen}.{re.sub(r'[^a-z0-9]+', '-', action.label.lower()).strip('-')}": action
        for screen, actions in SCREENS.items()
        for action in actions
    }


# Every action whose keys a person may choose, by the name that a keymap gives it: 'review.accept'.
NAMED = _named()
_NAMES = {id(action): name for name, action in NAMED.items()}


def identifier(action: Action) -> str | None:
    """What a keymap calls the action: 'review.accept'; None for one whose keys are fixed."""
    return _NAMES.get(id(action))


def bindings(actions: list[Action]) -> list[BindingType]:
    """The Textual bindings of `actions`.

    All have priority: such a binding acts when its key arrives. Any other acts after the key has gone down to the
    focused widget and up again, while the keys behind it are under way already; of `/a` typed at once, `a` would
    accept an example. `check_action` of app and screens therefore says when a key is text instead.
    """
    return [
        Binding(action.keys, action.name, action.label, show=action.footer, priority=True, id=identifier(action))
        for action in actions
    ]
