"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from core.exchange.atomic_write import TargetError, UnwrittenError, atomic_write

pytestmark = pytest.mark.pure

OURS = ("a.jsonl", "README.md")


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden or not."""
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_there_at_the_end_alone(tmp_path: Path) -> None:
    """Until then nothing has its name; afterwards nothing else is left."""
    with atomic_write(tmp_path / "a.jsonl", overwrite=False) as part:
        part.write_text("whole", encoding="utf-8")
        assert not (tmp_path / "a.jsonl").exists()
    assert names(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("folder", [(), OURS])
def test_after_a_failure_what_was_there_is_still_there(tmp_path: Path, folder: tuple[str, ...]) -> None:
    """An interruption too leaves nothing behind."""
    target = tmp_path / "out"
    if folder:
        target.mkdir()
    inside = target / "a.jsonl" if folder else target
    inside.write_text("old", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt), atomic_write(target, overwrite=True, folder_files=folder) as part:
        (part / "a.jsonl" if folder else part).write_text("new", encoding="utf-8")
        raise KeyboardInterrupt
    assert inside.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["out"]


def test_a_fault_of_the_system_is_told(tmp_path: Path) -> None:
    """Which file, and why."""
    full = pytest.raises(UnwrittenError, match=r"a\.jsonl: no space left on device: nothing was written")
    with full, atomic_write(tmp_path / "a.jsonl", overwrite=False):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        pytest.raises(UnwrittenError, match="file name too long"),
        atomic_write(tmp_path / ("a" * 300), overwrite=False),
    ):
        pass
    assert names(tmp_path) == []


def test_what_is_there_is_replaced_only_if_that_is_wanted(tmp_path: Path) -> None:
    """A file, through a link too, and a folder that holds nothing but what was exported before."""
    (tmp_path / "a.jsonl").write_text("old", encoding="utf-8")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "a.jsonl")
    with pytest.raises(TargetError, match="is there already: choose another name, or give --overwrite"):
        atomic_write(tmp_path / "link.jsonl", overwrite=False).__enter__()
    with atomic_write(tmp_path / "link.jsonl", overwrite=True) as part:
        part.write_text("new", encoding="utf-8")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8") == "new"
    folder = tmp_path / "set"
    folder.mkdir()
    for text in ("old", "new"):
        with atomic_write(folder, overwrite=text == "new", folder_files=OURS) as part:
            (part / ("README.md" if text == "old" else "a.jsonl")).write_text(text, encoding="utf-8")
    assert names(folder) == ["a.jsonl"]
    with pytest.raises(TargetError, match="is there already"):
        atomic_write(folder, overwrite=False, folder_files=OURS).__enter__()
    assert names(tmp_path) == ["a.jsonl", "link.jsonl", "set"]


@pytest.mark.parametrize(
    ("name", "folder", "reason"),
    [
        ("none/a.jsonl", (), "none is no folder: make it first"),
        ("set", (), "set is a folder: choose another name for a file"),
        ("a.txt", OURS, "a.txt is a file: choose another name for a folder"),
        ("set", OURS, "holds what no export wrote, such as thesis.tex"),
        ("/dev/null", (), "is no ordinary file"),
        ("/", (), "is a folder"),
    ],
)
def test_nothing_of_somebody_elses_is_replaced(tmp_path: Path, name: str, folder: tuple[str, ...], reason: str) -> None:
    """Not even if that is wanted."""
    (tmp_path / "a.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(TargetError, match=reason):
        atomic_write(tmp_path / name, overwrite=True, folder_files=folder).__enter__()
    assert names(tmp_path) == ["a.txt", "set"]
