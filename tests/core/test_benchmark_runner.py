"""Benchmarks on a real database and a real server: what is asked, kept, asked again, and survives a kill."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from core.benchmark import start
from core.benchmark import summary as outcomes
from core.benchmark.figures_cache import cached_figures, dump_figures
from core.benchmark.metrics import figures
from core.benchmark.results import scored_answers
from core.benchmark.runner import _figures_of, benchmark
from core.benchmark.sequential_gate import GateVerdict
from core.config.case import Mode
from core.config.project import Project
from core.models import parse_answer
from core.runs.control import RunError
from core.runs.session import Ending, Session
from storage import examples, predictions, runs, splits
from storage.database import transaction
from storage.schema import PredictionOutcome, Run, RunState, Status
from tests.conftest import example
from tests.core.judged_runs import counted, fill, opinionated, params, with_model
from tests.loopback import (
    FILTERED,
    INVALID_JSON,
    OK,
    REFUSAL,
    TRUNCATED,
    Body,
    Loopback,
    Reaction,
    is_probe,
)


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started: the test does the work itself."""
    monkeypatch.setattr(start, "spawn", lambda *_: None)


async def work(project: Project, db: sqlite3.Connection, run: Run) -> Ending:
    """Do what a worker does, in this process."""
    current = runs.get(db, run.id)
    assert current is not None
    with Session(project, db, current) as session:
        ending = await benchmark(session)
    runs.update(db, run.id, state=ending.state, reason=ending.reason, progress=session.progress)
    return ending


async def test_each_example_is_asked_once_and_counted(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    fill(db, 30)
    async with Loopback(react=opinionated) as server:
        project = with_model(project, server.url)
        run = start.start_benchmark(project, db, params())
        assert (await work(project, db, run)).state is RunState.FINISHED
        assert len(server.requests) == 30
    summary = outcomes.summarize(project, db, run)
    assert summary.figures.n == summary.asked == 30
    assert summary.figures.outcomes == {"answered": 30}
    document = outcomes.summary_document(summary)
    assert {"accuracy", "low", "high", "n", "outcomes", "confusion", "by_level", "by_domain"} <= document.keys()
    assert document["brier"] == pytest.approx(sum((0.8 - answer.correct) ** 2 for answer in summary.answers) / 30)
    stored = runs.get(db, run.id)
    assert stored is not None
    assert stored.progress["right"] == summary.figures.right
    assert stored.progress["done"] == stored.progress["total"] == 30
    assert cached_figures(stored) == summary.figures


def test_figures_of_another_reader_or_none_are_not_shown() -> None:
    stored = dump_figures(figures([], ["YES"])).model_dump()
    assert cached_figures(Run(kind="benchmark", progress={"kept": stored})) == figures([], ["YES"])
    assert cached_figures(Run(kind="benchmark", progress={"kept": stored | {"reader": 0}})) is None
    assert cached_figures(Run(kind="benchmark", progress={"kept": stored | {"figures": {"n": 3}}})) is None
    assert cached_figures(Run(kind="benchmark")) is None


async def test_what_came_back_is_kept_as_it_came(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    fill(db, 6)
    script = [REFUSAL, FILTERED, TRUNCATED, INVALID_JSON, OK, Reaction(content="Decision: REFINED", reasoning="Hm.")]
    async with Loopback(script, react=opinionated) as server:
        project = with_model(project, server.url, max_in_flight=1)
        run = start.start_benchmark(project, db, params())
        ending = await work(project, db, run)
    assert "4 without an answer" in ending.reason
    assert counted(db, run) == {"answered": 2, "refused": 2, "truncated": 1, "unparseable": 1}
    answers = predictions.newest(db, run.id, 10)
    assert INVALID_JSON.content in {prediction.raw for prediction in answers}
    assert [prediction.rationale for prediction in answers if prediction.thought] == ["Hm."]
    assert all(prediction.prompt_version for prediction in answers)


@pytest.mark.parametrize("mode", [Mode.REASON, Mode.DIRECT])
async def test_a_model_may_answer_in_its_own_words(
    no_worker: None, project: Project, db: sqlite3.Connection, mode: Mode
) -> None:
    fill(db, 4)

    def react(body: Body) -> Reaction:
        return OK if is_probe(body) else Reaction(content="It fails.\nDecision: REJECTED\nConfidence: 70 %")

    async with Loopback(react=react) as server:
        project = with_model(project, server.url)
        run = start.start_benchmark(project, db, params(mode=mode))
        await work(project, db, run)
        assert all("response_format" not in body for body in server.requests)
    assert [(answer.decision, answer.confidence) for answer in scored_answers(db, run.id)] == [("REJECTED", 0.7)] * 4


async def test_a_retry_asks_only_what_failed_and_keeps_the_failure(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    fill(db, 9)
    async with Loopback([INVALID_JSON, REFUSAL], react=opinionated) as server:
        project = with_model(project, server.url, max_in_flight=1)
        run = start.start_benchmark(project, db, params())
        await work(project, db, run)
        with pytest.raises(RunError, match="no run 01ZZZZ"):
            start.require_benchmark(db, "01ZZZZ")
        request_count = len(server.requests)
        current = runs.get(db, run.id)
        assert current is not None
        assert start.retry_failures(project, db, current) == 2
        queued = runs.get(db, run.id)
        assert queued is not None
        assert (queued.state, queued.request, queued.reason, queued.ended, queued.pid) == (
            RunState.QUEUED, None, "", None, None,
        )  # fmt: skip
        before = scored_answers(db, run.id)
        assert sum(answer.outcome is not PredictionOutcome.ANSWERED for answer in before) == 2
        assert (await work(project, db, run)).reason == ""
        assert len(server.requests) == request_count + 2
    assert counted(db, run) == {"answered": 9, "refused": 1, "unparseable": 1}
    assert all(answer.outcome is PredictionOutcome.ANSWERED for answer in scored_answers(db, run.id))
    current = runs.get(db, run.id)
    assert current is not None
    with pytest.raises(RunError, match="nothing to ask again"):
        start.retry_failures(project, db, current)


async def test_samples_vote(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    fill(db, 6)
    async with Loopback(react=opinionated) as server:
        project = with_model(project, server.url)
        run = start.start_benchmark(project, db, params(samples=3))
        await work(project, db, run)
        assert len(server.requests) == 18
    assert len(scored_answers(db, run.id)) == 6


async def test_it_stops_when_it_is_settled(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    """A model that is nearly always wrong is below 85 % after a few dozen examples."""
    fill(db, 200)

    def react(body: Body) -> Reaction:
        return Reaction(content='{"reasoning": "So.", "decision": "REFINED", "confidence": 0.5}')

    async with Loopback(react=react) as server:
        project = with_model(project, server.url, max_in_flight=4)
        run = start.start_benchmark(project, db, params(stop_when_settled=True))
        ending = await work(project, db, run)
        assert ending.state is RunState.FINISHED
        assert "below target" in ending.reason
        assert len(server.requests) < 100
    current = runs.get(db, run.id)
    assert current is not None
    gate = outcomes.decide_gate(project, db, current, None, target=0.85, level=0.95, margin=0.05)
    assert (gate.verdict, gate.anytime) == (GateVerdict.BELOW_TARGET, True)


async def test_a_reference_is_watched_against_the_student(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    """The long run of a reference ends once its lead is certain."""
    fill(db, 300)
    student = start.start_benchmark(project, db, params("majority", Mode.DIRECT))
    await work(project, db, student)
    by_case = {
        stored.hypothesis: label.label
        for stored, label in ((stored, stored.question) for stored in predictions.read_questions(db, student.id))
    }

    def right(body: Body) -> Reaction:
        prompt = body["messages"][-1]["content"]
        label = next(label for hypothesis, label in by_case.items() if f'"{hypothesis}"' in prompt)
        return Reaction(content=f'{{"reasoning": "So.", "decision": "{label}", "confidence": 0.9}}')

    async with Loopback(react=lambda body: OK if is_probe(body) else right(body)) as server:
        project = with_model(project, server.url, max_in_flight=4)
        run = start.start_benchmark(project, db, params(stop_when_settled=True, student=student.id))
        ending = await work(project, db, run)
    assert "worth training" in ending.reason
    assert len(scored_answers(db, run.id)) < 150


async def test_baselines(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    fill(db, 60, split="train")
    fill(db, 30)
    for model in ("majority", "random", "bag-of-words"):
        run = start.start_benchmark(project, db, params(model, Mode.DIRECT))
        assert (await work(project, db, run)).state is RunState.FINISHED
        summary = outcomes.summarize(project, db, run)
        assert summary.figures.n == 30
        assert summary.calibration.probability.n == 30
        assert all(sum((answer.probabilities or {}).values()) == pytest.approx(1) for answer in summary.answers)


async def test_words_alone_need_something_to_learn_from(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    fill(db, 3)
    run = start.start_benchmark(project, db, params("bag-of-words", Mode.DIRECT))
    ending = await work(project, db, run)
    assert ending.state is RunState.FAILED
    assert "train split" in ending.reason


def test_what_is_asked_is_checked_first(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    for change, message in (
        ({"model": "o9"}, "no model 'o9'"),
        ({"model": "smollm2-135m", "mode": Mode.SCHEMA}, "no schema is enforced"),
        ({"split": "exam"}, "no split exam: there are train, dev, test"),
        ({"split": "test"}, "no accepted example is in the split test"),
        ({"split": "", "where": "domain:sports"}, "no domain sports"),
        ({"split": "", "where": "level:1"}, "no accepted example matches"),
        ({"reference": "01A", "student": "01B"}, "name the other one alone"),
        ({"reference": "01A"}, "no run 01A"),
    ):
        with pytest.raises(RunError, match=message):
            start.start_benchmark(project, db, params("majority", Mode.DIRECT).model_copy(update=change))
    assert runs.newest(db) == []
    assert splits.frozen(db) == {}


def test_a_query_without_a_status_asks_what_was_accepted(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    fill(db, 4)
    with transaction(db):
        examples.add(db, example(id="0" * 26, status=Status.PENDING))
    run = start.start_benchmark(project, db, params("majority", Mode.DIRECT, split="", where="level:1-5"))
    assert len(predictions.targets(db, run.id)) == 4


async def test_figures_in_memory_are_those_of_the_store(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    fill(db, 3)
    run = start.start_benchmark(project, db, params("majority", Mode.DIRECT))
    await work(project, db, run)
    stored = predictions.newest(db, run.id, 3)
    priced = stored[0].model_copy(
        update={"id": 0, "sample": 1, "usage": stored[0].usage.model_copy(update={"cost": 0.5})}
    )
    predictions.add(db, [priced])
    newest = predictions.newest(db, run.id, 4)
    by_id = {figures_row.id: figures_row for figures_row in predictions.prediction_figures(db, run.id)}
    assert [by_id[prediction.id] for prediction in newest] == [_figures_of(prediction) for prediction in newest]
    assert {prediction.usage.cost for prediction in newest} > {0.5}


def test_a_split_that_was_asked_is_frozen(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    fill(db, 3)
    run = start.start_benchmark(project, db, params("majority", Mode.DIRECT))
    assert splits.frozen(db) == {"test": run.id}


def test_a_file_is_asked_without_being_imported(
    no_worker: None, project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        'hypothesis = "claim"\nevidence = "text"\ndecision = "label"\n'
        'defaults = { domain = "market", level = 1, source = "A paper", confidence = 0.9 }\n'
        '[decisions]\nyes = "VALIDATED"\nno = "REJECTED"\n'
    )
    file = tmp_path / "cases.jsonl"
    file.write_text('{"claim": "A", "text": "B", "label": "yes"}\n{"claim": "C", "text": "D", "label": "no"}\n' * 2)
    run = start.start_benchmark(
        project, db, params("majority", Mode.DIRECT, split="", file=str(file), mapping=str(mapping))
    )
    again = start.start_benchmark(
        project, db, params("random", Mode.DIRECT, split="", file=str(file), mapping=str(mapping))
    )
    asked_examples = [{target.example for target in predictions.targets(db, key.id)} for key in (run, again)]
    assert asked_examples[0] == asked_examples[1]
    assert len(asked_examples[0]) == 2
    assert db.execute("SELECT count(*) FROM examples").fetchone()[0] == 0


async def test_a_better_reader_reads_old_answers_anew(
    no_worker: None, project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db, 4)
    async with Loopback(
        react=lambda body: OK if is_probe(body) else Reaction(content="I'd go for VALIDATED/yes")
    ) as server:
        project = with_model(project, server.url)
        monkeypatch.setattr(
            "core.benchmark.runner.parse_answer", lambda *_: parse_answer.ParsedAnswer(PredictionOutcome.UNPARSEABLE)
        )
        monkeypatch.setattr("core.benchmark.runner.PARSER_VERSION", 0)
        run = start.start_benchmark(project, db, params(mode=Mode.REASON))
        await work(project, db, run)
        request_count = len(server.requests)
        assert outcomes.summarize(project, db, run).figures.outcomes == {"answered": 4}
        assert len(server.requests) == request_count
    assert {prediction.reader for prediction in predictions.newest(db, run.id, 9)} == {parse_answer.PARSER_VERSION}
    # Of four labels in turn, the first and the last one are VALIDATED.
    change = f"parsed again by parser {parse_answer.PARSER_VERSION}: right 0 -> 2 of 4"
    for _ in range(2):
        outcomes.summarize(project, db, run)
        assert [event.message for event in runs.events(db, run.id) if "parsed again" in event.message] == [change]


async def test_what_another_process_has_said_of_parsing_again_is_not_said_twice(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    fill(db, 3)
    async with Loopback(react=lambda body: OK if is_probe(body) else Reaction(content="VALIDATED")) as server:
        project = with_model(project, server.url)
        run = start.start_benchmark(project, db, params(mode=Mode.REASON))
        await work(project, db, run)
    outcomes.summarize(project, db, run)
    assert not [event for event in runs.events(db, run.id) if "parsed again" in event.message]
    for _ in range(2):
        db.execute("UPDATE predictions SET reader = 1, decision = 'REJECTED' WHERE run = ?", (run.id,))
        outcomes.summarize(project, db, run)
    told = [event for event in runs.events(db, run.id) if "parsed again" in event.message]
    assert [event.message.partition(": ")[2] for event in told] == ["right 1 -> 1 of 3"]
    assert [event.severity for event in told] == ["info"]


async def test_a_resumed_run_has_only_what_is_left_of_its_budget(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    """It ends where the first part did: not one more question is asked, or paid for."""
    fill(db, 30)
    path = project.folder / "sidequest.toml"
    path.write_text(path.read_text() + "\n[prices.big]\ninput = 0\noutput = 1000\n")
    async with Loopback(react=opinionated) as server:
        project = with_model(project, server.url, max_in_flight=1, max_output_tokens=64)
        await work(
            project, db, start.start_benchmark(project, db, params(limit=1))
        )  # what the endpoint can do is known
        before = len(server.requests)
        run = start.start_benchmark(project, db, params(budget=Decimal("0.3")))
        ending = await work(project, db, run)
        assert (ending.state, "the budget of 0.30 is used up" in ending.reason) == (RunState.STOPPED, True)
        asked = len(server.requests)
        assert 0 < asked - before < 30
        spent = sum(prediction.cost or 0.0 for prediction in predictions.prediction_figures(db, run.id))
        assert 0.3 - 64 / 1000 < spent <= 0.3
        again = await work(project, db, run)
        assert again.state is RunState.STOPPED
        assert f"{spent:.4f} is spent" in again.reason
        assert len(server.requests) == asked


def train_examples(db: sqlite3.Connection, *, decision: str, family: str, number: int, **change: object) -> None:
    """Accepted examples of the train split, of one family, unless `change` says otherwise."""
    with transaction(db):
        for i in range(number):
            hypothesis = f"{family} {decision} {i} {sorted(change.items())}"
            plain: dict[str, object] = {"status": Status.ACCEPTED, "split": "train"}
            examples.add(db, example(hypothesis=hypothesis, decision=decision, family=family, **(plain | change)))


async def test_a_baseline_learns_nothing_from_the_families_it_is_asked_about(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    """Most of the train split is of a family of the test split; without that, REJECTED is the most frequent.

    What is not accepted, or not of the train split, does not count either.
    """
    fill(db, 6)
    train_examples(db, decision="VALIDATED", family="ftest0", number=9)
    train_examples(db, decision="REJECTED", family="other", number=3)
    train_examples(db, decision="REFINED", family="another", number=1)
    train_examples(db, decision="REFINED", family="pending", number=5, status=Status.PENDING)
    train_examples(db, decision="REFINED", family="dev", number=5, split="dev")
    run = start.start_benchmark(project, db, params("majority", Mode.DIRECT, allow_leaks=True))
    assert (await work(project, db, run)).state is RunState.FINISHED
    answers = scored_answers(db, run.id)
    assert {answer.decision for answer in answers} == {"REJECTED"}
    for answer in answers:
        assert answer.probabilities == pytest.approx({"VALIDATED": 0.0, "REJECTED": 0.75, "REFINED": 0.25})


async def test_words_learned_are_not_those_of_the_families_asked(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    """With nothing but the families of the test split to learn from, there is nothing to learn from."""
    fill(db, 6)
    train_examples(db, decision="VALIDATED", family="ftest0", number=9)
    train_examples(db, decision="REJECTED", family="ftest1", number=9)
    run = start.start_benchmark(project, db, params("bag-of-words", Mode.DIRECT, allow_leaks=True))
    ending = await work(project, db, run)
    assert (ending.state, "train split" in ending.reason) == (RunState.FAILED, True)
