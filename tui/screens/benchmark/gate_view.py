"""The gate over the two runs: its verdict, and the reasons for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from core.benchmark.answer_stream import AnswerStream, in_sampling_order
from core.benchmark.gate import Gate
from core.benchmark.scored import ScoredAnswer
from core.benchmark.summary import gate_of_answers
from core.runs.params import BenchmarkParams, params_of
from storage import predictions
from storage.schema import Run
from tui.keymap import key
from tui.screens.benchmark.figures import SMOKE_TEST, gate_reasons
from tui.screens.benchmark.figures_cache import BenchmarkFiguresCache, ComputedFigures, FiguresBasis
from tui.screens.benchmark.state import BenchmarkState, ShownBenchmarks
from tui.text import clean
from tui.widgets.text_panel import TextPanel

AnswersByExample = Mapping[str, ScoredAnswer]


class GateView(VerticalScroll):
    """Whether the student is good enough, worth training, or neither is settled yet; and why."""

    def compose(self) -> ComposeResult:
        yield TextPanel(id="gate-words")

    def draw(self, state: BenchmarkState) -> None:
        """Show the verdict and its reasons, or why there is none."""
        self.query_one(TextPanel).show(_gate_text(state))


def _gate_text(state: BenchmarkState) -> Content:
    student = state.shown.statuses["student"]
    if student is None:
        return Content(f"The gate needs a benchmark of the student: {key('benchmark.start')} starts one.")
    if params_of(student.run, BenchmarkParams).sniff:
        return Content(
            f"{SMOKE_TEST}\nThe gate needs a whole benchmark of the student: {key('benchmark.start')} starts one."
        )
    if state.decided_gate is not None:
        return gate_reasons(state.decided_gate)
    return Content(clean(state.gate.problem, limit=1000) or "weighing the answers …")


def compute_gate(
    shown: ShownBenchmarks, streams: Mapping[str, AnswerStream | None], cache: BenchmarkFiguresCache
) -> ComputedFigures:
    """Return the gate over both runs, which a thread computes now and then.

    Empty while the answers are not read yet, and where the student has no benchmark but a smoke test.
    """
    student, reference = shown.statuses["student"], shown.statuses["reference"]
    student_stream, reference_stream = streams["student"], streams["reference"]
    if (
        student is None
        or student_stream is None
        or (reference is not None and reference_stream is None)
        or params_of(student.run, BenchmarkParams).sniff
    ):
        return ComputedFigures()
    reference_run = None if reference is None else reference.run
    basis = FiguresBasis(
        (student.run.id, None if reference_run is None else reference_run.id),
        (student_stream.cursor, None if reference_stream is None else reference_stream.cursor),
        student.state.ended,
    )
    reference_answers: AnswersByExample = {} if reference_stream is None else reference_stream.answers
    computation = partial(_compute_gate, student.run, reference_run, student_stream.answers, reference_answers)
    computed = cache.compute("gate", basis, computation)
    return computed if computed.describes(basis.runs) else ComputedFigures()


def _compute_gate(
    student: Run,
    reference: Run | None,
    student_answers: AnswersByExample,
    reference_answers: AnswersByExample,
    connection: sqlite3.Connection,
) -> Gate:
    """Compute the gate over two runs; `connection` is the thread's own."""
    params = params_of(student, BenchmarkParams)
    return gate_of_answers(
        connection,
        student,
        reference,
        in_sampling_order(student_answers, predictions.families(connection, student.id)),
        None
        if reference is None
        else in_sampling_order(reference_answers, predictions.families(connection, reference.id)),
        target=params.target,
        level=params.level,
        margin=params.margin,
    )
