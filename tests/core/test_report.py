"""The report: whole for an empty project and a full one, and no stored text acts in it."""

from __future__ import annotations

import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from core.config.project import Project
from core.curriculum.plan import Quota
from core.exchange.atomic_write import TargetError
from core.exchange.markdown import visible
from core.report import pictures
from core.report.contents import contents_document, gather_contents
from core.report.page import ALLOWED, GENERATOR_TAG, render_html, write_report
from core.report.pictures import Point, Range, thin_out
from core.runs.params import CurveParams
from core.training.curve.cells import planned_cells
from storage import attempts, runs, training
from storage.database import transaction
from storage.schema import Attempt, Candidate, Evidence, Outcome, Result, ReviewAction, Run, RunState, Verdict
from tests.conftest import HOSTILE
from tests.core.judged_runs import fill
from tests.stored import decide
from tests.tui.benchmark_pilot import RIGHT, WRONG, write_benchmark
from tests.tui.conftest import put, several

ATTACKS = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><b>", "{{ 7 * 7 }}", *HOSTILE]
PHASES = {"sft": {"algorithm": "sft"}}


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and whether all are closed."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked_page(text: str) -> Page:
    """The page, which loads nothing, runs nothing, and names all that a reader cannot see."""
    page = Page(text)
    assert page.open == []
    tags = [tag for tag, _ in page.found]
    assert not {"script", "img", "link", "iframe", "object", "form", "b"} & set(tags)
    for tag, attributes in page.found:
        assert not any(name.startswith("on") or name in {"src", "style", "xmlns"} for name in attributes), tag
        assert tag != "a" or str(attributes["href"]).startswith("#")
        assert tag != "svg" or attributes["aria-label"]
    assert tags.count("caption") == tags.count("table")
    policy = next(
        attributes["content"]
        for _, attributes in page.found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert str(policy).startswith("default-src 'none'; style-src 'sha256-")
    return page


def test_an_empty_project_has_a_report(project: Project, db: sqlite3.Connection) -> None:
    text = render_html(gather_contents(project, db))
    checked_page(text)
    for sentence in (
        "QA has decided on nothing yet",
        "nobody has decided blind yet",
        "No model was asked yet",
        "Not settled: the student",
        "Nothing was trained yet",
        "How many more examples would help is unknown",
        "0 pending or accepted, of 150 to 200 wanted",
    ):
        assert sentence in " ".join(text.split())


def fill_project(db: sqlite3.Connection, text: str) -> None:
    """Attempts, decisions, benchmarks and a training, with `text` wherever a text is stored."""
    failed_run = Run(kind="generate", state=RunState.FAILED, reason=text)
    runs.add(db, failed_run)
    for number in range(6):
        candidate = Candidate(
            hypothesis=text, evidence=[Evidence(source=text, content=text, relevance=0.9)], reasoning=text,
            decision="VALIDATED", confidence=0.5,
        )  # fmt: skip
        attempt = Attempt(
            run=failed_run.id, domain=text, level=1, decision="VALIDATED", slot=number, number=0, idea=0, family="f",
            candidate=candidate, outcome=Outcome.WRITTEN, source="procedural", seed=0,
        )  # fmt: skip
        attempts.add_attempt(db, attempt, None)
        verdict = Verdict(attempt=attempt.id, result=Result.REJECTED, stage="judge", reason=text, critique=text)
        attempts.add_verdict(db, verdict, None)
    cases = several(24)
    put(db, *cases)
    for number, case in enumerate(cases[:9]):
        if number % 3:
            decide(db, case.id, ReviewAction.ACCEPT, value=case.decision, version=1, reviewer=text, note=text)
        else:
            decide(db, case.id, ReviewAction.LABEL, value="REFINED", version=1, reviewer=text, note=text)
    write_benchmark(db, cases, "smollm2-135m", [RIGHT, WRONG, WRONG] * 7 + ["refused"], rationale=text)
    write_benchmark(db, cases, "bag-of-words", [RIGHT, RIGHT, WRONG] * 8, run={"reason": text})
    params = {"name": text, "student": text, "phases": PHASES}
    run = Run(kind="train", state=RunState.STOPPED, reason=text, params=params)
    runs.add(db, run.model_copy(update={"progress": {"done": 3, "total": 9, "alarms": {"kl": text}}}))
    bare = text.encode(errors="replace").decode()  # a column holds no lone surrogate, and neither does a project file
    for step in range(1, 4):
        training.add_step(db, run.id, bare, step, {"loss": 1.0 / step, "reward": None, "kl": 0.1})
    look = {"n": 20, "right": 9, "accuracy": 0.45, "low": 0.26, "high": 0.66, "ece": None, "unread": 0.1}
    training.add_evaluation(db, run.id, bare, 0, look)
    training.add_note(db, run.id, bare, 2, bare)
    add_curve(db, bare, [0.4, 0.6, 0.7], reason=text)


def add_curve(db: sqlite3.Connection, recipe: str, rates: list[float], **run: str) -> Run:
    """A learning curve of one recipe, whose seeds are 10 points apart, with a baseline that is always right."""
    recipes = {recipe: {"algorithm": "sft", "steps": 5}}
    params: dict[str, Any] = {"recipes": recipes, "students": {recipe: "tiny"}, "sizes": [10, 20, 40], "seeds": [0, 1]}
    written = Run.model_validate({"kind": "curve", "state": RunState.FINISHED, "params": params} | run)
    runs.add(db, written)
    for cell in planned_cells(CurveParams.model_validate(params)):
        rate = rates[params["sizes"].index(cell.size)] + 0.1 * cell.seed if cell.steps else 1.0
        look = {"n": 100, "right": round(100 * rate), "examples": cell.size, "cell_seconds": 2.0}
        training.add_evaluation(db, written.id, cell.name, cell.steps, look)
    return written


def test_a_full_one_tells_counts_with_intervals(project: Project, db: sqlite3.Connection) -> None:
    fill_project(db, "plain")
    contents = gather_contents(project, db)
    text = " ".join(render_html(contents).split())
    assert "7 of 22, 31.8 % (16.4–52.7)" in text  # the student
    assert "16 of 24, 66.7 % (46.7–82.0)" in text  # the reference
    assert "6 of 6 (61–100 %)" in text  # the matrix
    assert "1 refused" in text
    assert "9 of 20, 45.0 % (25.8–65.8)" in text  # a look at dev
    assert contents.gate is not None
    assert contents.gate.reasons[0] in text
    assert "No look" not in text
    assert "45.0 % ± 7.1 (40.0–50.0, 2 seeds)" in text  # a learning curve
    assert "plain: 45.0 % with 10 examples; 65.0 % with 20 examples; 75.0 % with 40 examples" in text
    assert "bag-of-words: 85 % is reached with about" in text
    document = contents_document(contents)
    learned = document["curves"][0]["recipes"][1]
    assert learned["forecast"].sentence in text
    assert [learned["band"][position].examples for position in (0, -1)] == [10, 80]  # to twice as many as were tried
    assert [row.mean for row in learned["sizes"]] == pytest.approx([0.45, 0.65, 0.75])
    assert learned["cells"][0] == {"size": 10, "seed": 0, "examples": 10, "right": 40, "of": 100}
    assert [benchmark_["right"] for benchmark_ in document["benchmarks"]] == [16, 7]
    assert document["student_run"] == document["benchmarks"][1]["run"]


@pytest.mark.parametrize("text", ATTACKS)
def test_no_stored_text_acts(project: Project, db: sqlite3.Connection, text: str) -> None:
    fill_project(db, text)
    page = render_html(gather_contents(project, db))
    checked_page(page)
    assert "49" not in re.findall(r"<h4>(.*?),", page)
    for character in page:
        assert character.isprintable() or character in "\n\t\u200d"


def test_only_a_report_takes_the_place_of_a_report(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    contents = gather_contents(project, db)
    path = write_report(contents, tmp_path / "r.html")
    assert GENERATOR_TAG in path.read_text()
    fill(db, 3)
    write_report(gather_contents(project, db), path)
    assert "accepted 3" in path.read_text()
    other = tmp_path / "mine.html"
    other.write_text("<p>mine</p>")
    with pytest.raises(TargetError, match="--overwrite"):
        write_report(contents, other)
    assert other.read_text() == "<p>mine</p>"
    write_report(contents, other, overwrite=True)
    assert GENERATOR_TAG in other.read_text()


def test_more_runs_than_are_told_are_counted(project: Project, db: sqlite3.Connection) -> None:
    cases = several(2)
    put(db, *cases)
    for _ in range(13):
        write_benchmark(db, cases, "majority", [RIGHT])
    with transaction(db):
        for _ in range(11):
            runs.write(db, Run(kind="train", params={"name": "sft", "student": "smollm2-135m", "phases": PHASES}))
    contents = gather_contents(project, db)
    assert (len(contents.benchmarks), contents.older_benchmarks) == (10, 3)
    text = render_html(contents)
    assert "newest 10 of 13" in text
    assert "newest 10 of 11" in text


# ------------------------------------------------------------ pictures


def test_pictures_are_trees_and_say_what_they_show() -> None:
    drawn = [
        pictures.range_chart([Range("a<b&", 0.5, 0.25, 0.75), Range("none", None, 0, 1)], 'by "level"', target=0.85),
        pictures.reliability_chart([], "nothing"),
        pictures.curve_chart([], "loss"),
        pictures.curve_chart([Point(3, 1.0)], "one"),
        pictures.curve_chart([Point(1, float("nan")), Point(2, 2.0), Point(3, 2.0)], "flat"),
        pictures.curve_chart([Point(0, 0.5, 0.4, 0.6), Point(9, 0.7, 0.6, 0.8)], "dev", percent=True),
        pictures.learning_chart([], [], "none<", 0.85),
        pictures.learning_chart([Point(1, 0.5, 0.4, 0.6)], [], "a<b", 0.85),
        pictures.learning_chart([Point(10, 0.5)], [Point(10, 0.5, 0.4, 0.6), Point(20, 0.7, 0.6, 0.8)], "fit", 0.85),
        pictures.quota_chart(Quota(min=0, max=0, want=0, have=7), "V"),
    ]
    for picture in drawn:
        root = ElementTree.fromstring(picture)  # noqa: S314  ours
        assert root.get("role") == "img"
        assert "nan" not in picture
    assert "a&lt;b&amp;" in drawn[0]
    assert "none unknown" in drawn[0]
    assert "loss: unknown" in drawn[2]
    assert "50 % at step 0, 70 % at step 9" in drawn[5]
    assert "50.0 % with 1 examples" in drawn[7]
    # From 0 % at 188 to 100 % at 22: below the low edge of the band, and back above its high one.
    assert '<polygon points="62.0,121.6 348.0,88.4 348.0,55.2 62.0,88.4" class="band"' in drawn[8]
    assert '<polyline points="62.0,105.0 348.0,71.8" class="curve"' in drawn[8]


@pytest.mark.parametrize("count", [0, 1, 180, 181, 1000])
def test_a_long_curve_is_thinned_to_means(count: int) -> None:
    points = [Point(step, float(step)) for step in range(count)]
    thinned = thin_out(points)
    assert len(thinned) <= pictures.MAX_POINTS
    assert all(point.step == point.value for point in thinned)
    assert thinned == points or len(thinned) < count


def test_what_acts_unseen_is_made_visible() -> None:
    assert visible("a\x1b[2J\u202eb\x9bc\ud800 👩‍👩‍👧\n", ALLOWED) == "a\ufffd[2J\ufffdb\ufffdc\ufffd 👩‍👩‍👧\n"
