"""The person's own settings: theme, keys, and what is wrong with them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.config.project import Project
from core.config.settings import Settings, load_settings, save_theme, settings_path
from storage import examples
from storage.schema import Status
from tests.tui.conftest import SIZE, put, several, shown, told, until
from tui.actions import NAMED, SCREENS, identifier
from tui.app import SidequestApp
from tui.cli import main
from tui.keymap import clashes


def said(keymap: dict[str, str], labels: tuple[str, ...] = ("VALIDATED", "REJECTED", "REFINED")) -> list[str]:
    return [sentence for _, sentence in clashes(keymap, labels)]


def test_every_action_has_a_name_of_its_own() -> None:
    actions = [action for several in SCREENS.values() for action in several]
    assert [identifier(action) for action in actions] == list(NAMED)


def test_the_keys_of_the_app_itself_do_not_clash() -> None:
    assert said({name: action.keys for name, action in NAMED.items()}) == []


@pytest.mark.parametrize(
    ("name", "keys", "sentence"),
    [
        ("review.accept", "x", "x would be both review.accept and review.reject"),
        ("review.accept", "?", "? would be both review.accept and app.help"),
        ("review.accept", "question_mark", "? would be both review.accept and app.help"),
        ("review.accept", "/", "/ would be both review.accept and review.filter"),
        ("review.accept", "!", "! would be both review.accept and review.flag"),
        ("review.accept", "ctrl+q", "ctrl+q would be both what leaves at once and review.accept"),
        ("review.accept", "v", "v would be both the label VALIDATED and review.accept"),
        ("app.quit", "r", "r would be both the label REJECTED and app.quit"),
        ("home.go-there", "ctrl+i", "tab would be both the next field and home.go-there"),
        ("home.generate", "q", "q would be both home.generate and app.quit"),
        ("review.accept", "", "an empty key for review.accept"),
        ("review.accept", "z,,w", "an empty key for review.accept"),
        ("review.accept", "ctl+z", "there is no key ctl+z for review.accept"),
        ("review.accept", "return_key", "there is no key return_key for review.accept"),
        ("edit.save", "s", "s is text where edit.save acts"),
        ("edit.save", "/", "/ is text where edit.save acts"),
        ("runs.back", "space", "space is text where runs.back acts"),
        ("review.acept", "y", "no action review.acept"),
    ],
)
def test_a_key_that_cannot_be_is_refused(name: str, keys: str, sentence: str) -> None:
    (found,) = {one for one in clashes({name: keys}, ("VALIDATED", "REJECTED", "REFINED")) if sentence in one[1]}
    assert found[0] == name


def test_keys_that_can_be_are_taken() -> None:
    assert said({"review.accept": "x", "review.reject": "a"}) == []  # they change places
    assert said({"review.accept": "z, ., full_stop, ctrl+f2, K"}) == []
    assert said({"home.generate": "v", "edit.save": "f4"}) == []  # labels have keys in Review alone
    assert said({"review.accept": "v"}, ()) == []


def test_the_file_is_where_the_system_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_path() == tmp_path / "sidequest" / "config.toml"


def test_a_mistake_is_named_by_line_and_the_defaults_hold(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert load_settings(file) == (Settings(), "")
    for text, said in (
        ("theme = 3", "config.toml:1: theme:"),
        ("\n[keymap\n", "config.toml:2: not TOML"),
        ('theme = "x"\n\ncolour = 1\n', "config.toml:3: colour: no such setting"),
    ):
        file.write_text(text)
        settings, problem = load_settings(file)
        assert settings == Settings()
        assert said in problem
    file.write_bytes(b"\xff")
    assert "config.toml" in load_settings(file)[1]


def test_keeping_a_theme_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "config.toml"
    save_theme(file, "nord")
    file.write_text('# mine\ntheme = "nord" # dark\n\n[keymap]\n"review.accept" = "space"\n')
    save_theme(file, "dracula")
    kept = file.read_text()
    assert "# mine" in kept
    assert 'theme = "dracula" # dark' in kept
    assert load_settings(file)[0] == Settings(theme="dracula", keymap={"review.accept": "space"})
    assert [one.name for one in file.parent.iterdir()] == ["config.toml"]


def test_what_is_kept_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('theme = "nord"')
    before = file.stat()
    save_theme(file, "nord")
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_linked_file_stays_linked_and_keeps_its_mode(tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "config.toml", tmp_path / "dotfiles.toml"
    elsewhere.write_text('# mine\ntheme = "nord"\n')
    elsewhere.chmod(0o600)
    file.symlink_to(elsewhere.name)
    save_theme(file, "dracula")
    assert file.is_symlink()
    assert elsewhere.read_text() == '# mine\ntheme = "dracula"\n'
    assert elsewhere.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_leaves_the_file_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[broken")
    with pytest.raises(ValueError, match="line 1"):
        save_theme(file, "nord")
    assert [one.name for one in tmp_path.iterdir()] == ["config.toml"]
    assert file.read_text() == "[broken"


async def test_theme_and_keys_are_used_and_a_chosen_theme_is_kept(
    project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    put(db, *several(3))
    file = tmp_path / "config.toml"
    file.write_text('theme = "textual-light"\n[keymap]\n"review.accept" = "z,w"\n')
    app = SidequestApp(project.folder, settings_file=file)
    async with app.run_test(size=SIZE) as pilot:
        assert app.theme == "textual-light"
        await pilot.press("3")
        await until(pilot, lambda: "HYPOTHESIS" in shown(pilot))
        await pilot.press("question_mark")
        await until(pilot, lambda: "z w  Accept" in shown(pilot))
        await pilot.press("escape", "b", "a")
        await pilot.pause()
        assert examples.count(db, examples.Filter(status=(Status.ACCEPTED.value,))) == 0
        await pilot.press("z")
        await until(pilot, lambda: examples.count(db, examples.Filter(status=(Status.ACCEPTED.value,))) == 1)
        app.theme = "nord"
        await until(pilot, lambda: load_settings(file)[0].theme == "nord")
        assert load_settings(file)[0].keymap == {"review.accept": "z,w"}


@pytest.mark.parametrize(
    ("text", "words", "theme"),
    [
        ("theme = 7", ["config.toml:1", "none of your settings is used"], "textual-dark"),
        (
            'theme = "no-such-[/theme"\n[keymap]\n"review.accept" = "z"',
            ["config.toml:1: there is no theme no-such-[/theme", "the theme is the app's own"],
            "textual-dark",
        ),
        (
            'theme = "nord"\n\n[keymap]\n"review.accept" = "x"',
            ["config.toml:4: x would be both review.accept and review.reject", "your keymap is not used"],
            "nord",
        ),
        ('[keymap]\n"review.accept" = "v"', ["config.toml:2: v would be both the label VALIDATED"], "textual-dark"),
    ],
)
async def test_what_is_not_used_is_said_and_the_rest_is_used(
    project: Project, tmp_path: Path, text: str, words: list[str], theme: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    app = SidequestApp(project.folder, settings_file=file)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: all(part in told(pilot) for part in words))
        assert app.theme == theme
        assert ("keymap" in told(pilot)) is ("x would" in told(pilot) or "v would" in told(pilot))
        assert bool(app.settings.keymap) is ("no-such" in text)
        assert "Pipeline" in shown(pilot)


def test_the_verb_shows_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "not there yet" in CliRunner().invoke(main, ["config"]).output
    save_theme(settings_path(), "nord")
    settings_path().write_text(settings_path().read_text() + '[keymap]\n"review.skip" = "a"\n')
    told_ = CliRunner().invoke(main, ["config"]).output
    assert "theme: nord" in told_
    assert f"! {settings_path()}:3: a would be both" in told_
    assert "your keymap is not used" in told_
    assert "tokyo-night" in told_  # the themes there are
    settings_path().write_text('theme = "nrod"')
    assert f"! {settings_path()}:1: there is no theme nrod" in CliRunner().invoke(main, ["config"]).output
    listed = CliRunner().invoke(main, ["config", "--actions"]).output
    assert "review.skip" in listed
    assert '"problems": [' in CliRunner().invoke(main, ["config", "--json"]).output
    assert '"action": "app.quit"' in CliRunner().invoke(main, ["config", "--actions", "--json"]).output


async def test_what_is_said_of_a_key_is_said_of_ones_own(
    tmp_path: Path, project: Project, db: sqlite3.Connection
) -> None:
    put(db, *several(3))
    file = tmp_path / "config.toml"
    file.write_text(
        '[keymap]\n"app.quit" = "Q"\n"app.read-the-project-file" = "f5"\n"app.runs" = "f8"\n"review.undo" = "U"\n'
    )
    async with SidequestApp(tmp_path, settings_file=file).run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "Q leaves." in shown(pilot))
    async with SidequestApp(project.folder, settings_file=file).run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "f8 Runs" in shown(pilot))
        await pilot.press("3", "b", "a")
        await until(pilot, lambda: "· U undoes ·" in shown(pilot))
        await pilot.press("1")
        (project.folder / "sidequest.toml").write_text("[broken")
        await pilot.press("f5")
        await until(pilot, lambda: "mend it, then f5 reads it again" in shown(pilot))
        assert "! sidequest.toml:1" in shown(pilot)
