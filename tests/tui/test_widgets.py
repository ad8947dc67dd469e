"""What the widgets decide: bars, durations, lines. No app is needed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.content import Content

from core.curriculum.plan import Quota
from core.runs.control import RunStatus
from core.runs.describe import format_duration
from storage.schema import Run, RunState
from tests.conftest import HOSTILE, example
from tests.tui.conftest import RAW
from tui.screens.home.screen import run_line
from tui.text import flow
from tui.widgets.bars import bar, quota_bars, relevance_bar
from tui.widgets.context_panel import origin_panel, progress_panel
from tui.widgets.example import place
from tui.widgets.top import top_bar

FIGURES: dict[str, Any] = {"total": 57, "done": 18, "rejected": 4, "cost": 1.84, "budget": 10.0, "eta_s": 11_400.0}


@given(st.floats(allow_nan=False), st.integers(1, 80))
def test_a_bar_has_its_width_whatever_the_share(share: float, width: int) -> None:
    assert cell_len(bar(share, width)) == width


def test_a_bar_is_filled_by_eighths() -> None:
    assert bar(0, 4) == "░░░░"
    assert bar(0.5, 4) == "██░░"
    assert bar(1, 4) == "████"
    assert bar(1 / 32, 4) == "▏░░░"


def test_relevance_is_five_cells() -> None:
    assert [relevance_bar(value) for value in (0.0, 0.41, 0.94, 1.0)] == ["▯▯▯▯▯", "▮▮▯▯▯", "▮▮▮▮▮", "▮▮▮▮▮"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 m"),
        (11_400, "3 h 10 m"),
        (86_340, "23 h 59 m"),
        (86_399, "1 d 0 h"),
        (108_000, "1 d 6 h"),
        (172_790, "2 d 0 h"),
        (8_636_400, "99 d 23 h"),
        (8_640_000, "100 d"),
    ],
)
def test_a_duration_is_for_a_person_and_unknown_stays_unknown(seconds: float | None, words: str) -> None:
    assert format_duration(seconds) == words
    assert len(words) <= 9


def test_quotas_of_a_task_without_decisions_are_empty() -> None:
    assert quota_bars({}, 80).plain == ""
    assert "98 of 150–200" in quota_bars({"VALIDATED": Quota(150, 200, 175, 98)}, 76).plain


@pytest.mark.parametrize(
    ("width", "said", "words"),
    [
        (158, ["as ann · 14:02", "14:02", ""], "Sidequest · judge  1 Home  2 Generate "),
        (
            78,
            ["as 漢漢漢漢漢漢 · 14:02", "14:02", ""],
            " 1 Home 2 Generate 3 Review 4 Rejectio 5 Dataset 6 Benchmar 7 Training 8 Runs ",
        ),
        (78, ["as ann · 2 runs · 14:02", "2 runs · 14:02", "2 runs"], "5 Datase 6 Benchm 7 Traini 8 Runs    2 runs"),
        (58, ["as ann · 14:02", "14:02", ""], " 1 Hom 2 Gen 3 Review 4 Rej 5 Dat 6 Ben 7 Tra 8 Run"),
        (58, ["2 runs · 14:02", "2 runs"], " 1 Hom 2 Gen 3 Review 4 Rej 5 Dat 6 Ben 7 Tra 8 Run 2 runs"),
    ],
)
def test_the_bar_gives_up_what_is_needed_least(width: int, said: list[str], words: str) -> None:
    drawn = top_bar(width, "Review", "judge", [Content(end) for end in said], {})
    assert words in drawn.plain
    assert drawn.plain.endswith(tuple(said))
    assert drawn.cell_length == width


def test_the_bar_has_the_keys_of_ones_own() -> None:
    assert " f8 Runs" in top_bar(100, "Home", "judge", [Content("14:02")], {"app.runs": "f8,8"}).plain


@given(st.lists(st.text(alphabet="ab漢 ", min_size=1, max_size=12)), st.integers(24, 80))
def test_flow_breaks_between_parts_only(parts: list[str], width: int) -> None:
    lines = flow(parts, width).split("\n") if parts else []
    assert all(cell_len(one) <= width for one in lines)
    assert "  ".join(lines) == "  ".join(parts)


def seen(progress: dict[str, Any], state: RunState = RunState.RUNNING, age_s: float | None = 1.0) -> RunStatus:
    run = Run(id="01J00000000000000000ABCDEF", kind="generate", state=state, progress=progress)
    return RunStatus(run, state, age_s)


def test_a_run_says_how_far_it_is_what_it_costs_and_when_it_ends() -> None:
    said = "18/57 · 4 rejected · cost 1.84 of 10.00 · eta 3 h 10 m"
    assert run_line(seen(FIGURES), 100).plain == f"● generate  ABCDEF ███▊░░░░░░░░ {said}"
    assert run_line(seen(FIGURES), 76).plain == f"● generate  ABCDEF {said}"  # the figures matter more than the bar
    cheap = FIGURES | {"cost": None}
    assert run_line(seen(cheap), 76).plain == "● generate  ABCDEF ███▊░░░░░░░░ 18/57 · 4 rejected · eta 3 h 10 m"


@pytest.mark.parametrize("width", [20, 40, 76, 156])
def test_a_run_fits_its_line(width: int) -> None:
    assert cell_len(run_line(seen(FIGURES), width).plain) <= max(width, 29)


def test_what_is_not_known_of_a_run_is_not_zero() -> None:
    assert run_line(seen({}), 76).plain == "● generate  ABCDEF last sign of life 1 s ago"
    assert run_line(seen({}, age_s=None), 76).plain == "● generate  ABCDEF no figures yet"
    assert "eta unknown" in run_line(seen(FIGURES | {"eta_s": None}), 76).plain
    assert run_line(seen(FIGURES, RunState.LOST), 100).plain.startswith("✗ generate  ABCDEF")
    assert "lost · 18/57" in run_line(seen(FIGURES, RunState.LOST), 100).plain


@pytest.mark.parametrize("text", HOSTILE)
def test_place_fits_and_is_clean(text: str) -> None:
    drawn = place(example(domain=text, source=text, model=text, flagged=True, version=12), 60).plain
    assert cell_len(drawn) == 60
    assert drawn.endswith("⚑ flagged · waits for review")
    assert not RAW.search(drawn)


def test_origin_leaves_out_what_is_not_known() -> None:
    names = [name for name, _ in origin_panel(example(model="", seed=None))]
    assert names == ["id", "family", "source", "version", "made"]
    assert "seed" in [name for name, _ in origin_panel(example(seed=0))]


def test_nothing_in_front_still_shows_the_quotas() -> None:
    text = progress_panel({"VALIDATED": Quota(150, 200, 175, 98)}, None, []).plain
    assert "98 of 150–200" in text
    assert "THIS EXAMPLE" not in text
