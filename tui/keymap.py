"""Keys of one's own: which hold, and what is wrong with a keymap."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from textual.keys import KEY_ALIASES, REPLACED_KEYS, Keys, _character_to_key, _get_unicode_name_from_key

from core.review.label_keys import assign_keys
from tui.actions import EVERYWHERE, NAMED, REVIEW, SCREENS, Action, identifier
from tui.text import spoken

# Actions of the app that do not act on a screen, so that their keys are free there: Edit takes back deletions.
_INACTIVE = {"edit": frozenset({"app.suspend"})}
# What no keymap changes, on any screen.
_FIXED = {
    "ctrl+c": "what copies marked text",
    "ctrl+p": "the palette",
    "ctrl+q": "what leaves at once",
    "shift+tab": "the field before",
    "tab": "the next field",
}
# What acts while keys are text, beside all of the form.
_IN_FIELDS = {"generate.leave-the-field", "rejections.back", "runs.back"}
_MODIFIERS = {"ctrl", "shift", "alt", "super", "hyper", "meta"}
_KNOWN = {key.value.rpartition("+")[2] for key in Keys}
_ALIASES = {alias: key for key, aliases in KEY_ALIASES.items() for alias in aliases}
# The keymap in use: sentences all over the app name keys, and a process has one person at its keyboard.
_IN_USE: dict[str, str] = {}
_TAKEN = {key for action in [*REVIEW, *EVERYWHERE] for key in action.keys.split(",")}


def label_keys(labels: Iterable[str]) -> dict[str, str]:
    """The letter that decides for each label in Review: none that an action there has by itself."""
    return assign_keys(labels, _TAKEN)


def keys_of(action: Action, keymap: Mapping[str, str]) -> str:
    """The keys of the action as a person calls them."""
    return spoken(keymap.get(identifier(action) or "", action.keys))


def use(keymap: Mapping[str, str]) -> None:
    """Let sentences call keys as `keymap` has them."""
    _IN_USE.clear()
    _IN_USE.update(keymap)


def key(name: str) -> str:
    """The first key of the action that a keymap calls `name`, as the person calls it."""
    return keys_of(NAMED[name], _IN_USE).split()[0]


def clashes(keymap: Mapping[str, str], labels: Iterable[str] = ()) -> list[tuple[str, str]]:
    """What is wrong with a keymap: the action that each mistake is about, and a sentence.

    Names that no action has; keys that are none, that are text where they would act, or that two would have, be it an
    action, one of the `labels` of the project, or what no keymap changes.
    """
    found: dict[tuple[str, str], None] = {}
    for name, keys in keymap.items():
        if name not in NAMED:
            found[name, f"no action {name}: `sidequest config --actions` lists them"] = None
        for key in _split(keys) if name in NAMED else []:
            if said := _unfit(name, key):
                found[name, said] = None
    deciding = {key: f"the label {label}" for label, key in label_keys(labels).items()}
    for screen, actions in SCREENS.items():
        taken = _FIXED | (deciding if screen == "review" else {})
        for action in [*actions, *([] if screen == "app" else EVERYWHERE)]:
            name = identifier(action) or ""
            if name in _INACTIVE.get(screen, ()):
                continue
            for key in _split(keymap.get(name, action.keys)):
                other = taken.setdefault(key, name) if key else name
                if other != name and (name in keymap or other in keymap):
                    about = name if name in keymap else other
                    found[about, f"{spoken(key)} would be both {other} and {name}"] = None
    return list(found)


def _split(keys: str) -> list[str]:
    """The keys by the names that Textual gives them."""
    split = [key.strip() for key in keys.split(",")]
    named = [_character_to_key(key) if len(key) == 1 else key for key in split]
    return [_ALIASES.get(key, key) for key in named]


def _unfit(name: str, key: str) -> str:
    """Why `key` cannot be a key of the action; '' if it can."""
    if not key:
        return f"an empty key for {name}: leave the line out to keep its own"
    *modifiers, bare = key.split("+")
    prints = _prints(bare)
    if not (set(modifiers) <= _MODIFIERS and (prints or bare in _KNOWN)):
        return f"there is no key {key} for {name}: keys are such as a, K, space, enter, f2, ctrl+s"
    if prints and not modifiers and (name.startswith("edit.") or name in _IN_FIELDS):
        return f"{spoken(key)} is text where {name} acts: take such a key as ctrl+s"
    return ""


def _prints(name: str) -> bool:
    """Whether the key is a character: 'a', 'slash', 'space'."""
    if len(name) == 1:
        return True
    try:
        named = _get_unicode_name_from_key(REPLACED_KEYS.get(name, name))
        return unicodedata.lookup(named.replace("_", " ")).isprintable()
    except KeyError:
        return False
