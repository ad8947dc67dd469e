"""Steps: how they decide, how a student writes them, how they are read back, and what QA says of them."""

from __future__ import annotations

import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.benchmark.field_report import describe_fields, field_report
from core.benchmark.step_fields import FieldCounts, judge_fields
from core.config.project import Project, ProjectError, parse_task, template
from core.config.steps import StepRule, StepWording
from core.config.task import Task
from core.curriculum.cell import Cell
from core.models.parse_answer import PARSER_VERSION
from core.models.step_lines import ParsedStep, as_parsed, contradicts, parse_steps, write_steps
from core.qa.rules import broken_rules
from core.qa.steps import check_steps, compare, nearest_sentence, quote_span
from storage import predictions, runs
from storage.database import transaction
from storage.schema import (
    Candidate,
    Evidence,
    Finding,
    Holds,
    Outcome,
    Prediction,
    PredictionOutcome,
    Question,
    Run,
    Step,
)

RULE = StepRule(all="VALIDATED", none="REJECTED", some="REFINED")
WORDING = StepWording()
TRIAL = Evidence(source="Randomised trial", content="With the coach, “wait time” fell by 9 %. Costs rose.", relevance=1)
TALK = Evidence(source="Talk in the canteen", content="People say that the wait time rose.", relevance=0.4)


def finding(
    piece: int = 1, quote: str = 'With the coach, "wait time" fell', source: str = "trial", says: str = "down"
) -> Finding:
    return Finding(piece=piece, quote=quote, source=source, says=says)


def step(
    part: str = "wait time", found: str = "down", claimed: str = "down", holds: Holds = Holds.YES, **other: object
) -> Step:
    values = {"findings": [finding(says=found)], "against": [], "why": ""} | other
    return Step.model_validate({"part": part, "found": found, "claimed": claimed, "holds": holds} | values)


WEIGHED = step(against=[finding(2, "wait time rose", "hearsay", "up")], why="source")


def candidate(
    *steps: Step, decision: str = "VALIDATED", hypothesis: str = "The coach lowers the wait time."
) -> Candidate:
    return Candidate(
        hypothesis=hypothesis,
        evidence=[TRIAL, TALK],
        steps=list(steps),
        reasoning="It fell.",
        decision=decision,
        confidence=0.9,
    )


# ------------------------------------------------------------------ the rule


@pytest.mark.parametrize(
    ("holds", "decision"),
    [
        ([], None),
        ([Holds.YES], "VALIDATED"),
        ([Holds.YES, Holds.YES], "VALIDATED"),
        ([Holds.NO], "REJECTED"),
        ([Holds.NO, Holds.NO], "REJECTED"),
        ([Holds.YES, Holds.NO], "REFINED"),
        ([Holds.NO, Holds.YES, Holds.YES], "REFINED"),
        ([Holds.YES, Holds.OPEN], None),
    ],
)
def test_steps_decide_by_the_rule(holds: list[Holds], decision: str | None) -> None:
    assert RULE.decide([step(holds=value) for value in holds]) == decision


def test_an_open_step_decides_where_the_rule_names_a_decision() -> None:
    rule = StepRule(all="VALIDATED", none="REJECTED", some="REFINED", open="UNKNOWN")
    assert rule.decide([step(), step(holds=Holds.OPEN)]) == "UNKNOWN"


def test_a_rule_that_names_no_decision_of_the_task_is_refused_by_its_line() -> None:
    with pytest.raises(ProjectError, match=r"sidequest.toml:35: task.rule.some: no decision 'MAYBE'"):
        parse_task(template().replace('some = "REFINED"', 'some = "MAYBE"'))


@pytest.mark.parametrize(
    ("field", "text", "complaint"),
    [
        ("step", "{part}: {found}, claimed {claimed}, {holds}.", "{grounds} is missing"),
        ("step", "{part}: {grounds}{found}, {claimed}, {holds}, {mood}", "no field {mood}"),
        ("step", "{part}: {grounds}{found}, {found}, {claimed}, {holds}", "{found} is there twice"),
        ("step", "{part}\n{grounds}{found}, {claimed}, {holds}", "one line"),
        ("ground", "{source}; ", "{says} is missing"),
        ("counts", "it counts; ", "{source} is missing"),
    ],
)
def test_a_wording_that_cannot_be_read_back_is_refused(field: str, text: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        StepWording.model_validate({field: text})


# ------------------------------------------------------------------ written and read back


def test_what_is_compared_stands_side_by_side() -> None:
    both = [step(), step("new users", "same", "up", Holds.NO)]
    assert write_steps(both, WORDING) == "wait time: down, claimed down, right.\nnew users: same, claimed up, wrong."


def test_findings_that_lead_to_it_together_stand_before_it() -> None:
    joined = step(findings=[finding(2, says="25.5 without", source=""), finding(1, says="20.8 with", source="")])
    assert write_steps([joined], WORDING) == "wait time: 20.8 with; 25.5 without; down, claimed down, right."


def test_weighing_is_a_move_of_its_own_in_the_order_of_the_pieces() -> None:
    line = "wait time: trial down; hearsay up; trial counts by source; down, claimed down, right."
    assert write_steps([WEIGHED], WORDING) == line
    assert parse_steps(line, WORDING) == [
        ParsedStep("wait time", "trial down; hearsay up; trial counts by source;", "down", "down", Holds.YES)
    ]


def test_lines_that_are_no_steps_are_left_out() -> None:
    text = "Let me see.\nwait time: down, claimed down, right.\nDecision: VALIDATED\n" + "x: " * 5_000
    assert [parsed.part for parsed in parse_steps(text, WORDING)] == ["wait time"]


words = st.text(st.sampled_from("abcdefgh 0123456789%.'-é"), min_size=1, max_size=24).filter(
    lambda text: text.strip(" .,") and text.strip() == text and "  " not in text and not text.endswith(".")
)
steps_of_any_kind = st.builds(
    Step,
    part=words,
    findings=st.lists(
        st.builds(Finding, piece=st.integers(1, 3), quote=words, source=words, says=words), min_size=1, max_size=2
    ),
    against=st.lists(st.builds(Finding, piece=st.integers(4, 6), quote=words, source=words, says=words), max_size=2),
    why=st.sampled_from(["source", "figures", "scope", "time"]),
    found=words,
    claimed=words,
    holds=st.sampled_from(list(Holds)),
)
wordings = st.sampled_from(
    [
        WORDING,
        StepWording(
            step="{part} | {grounds}{found} | {claimed} | {holds}",
            ground="{source}={says}, ",
            counts="so {source} ({why}), ",
        ),
        StepWording(step="On {part}, found {grounds}{found} for {claimed} => {holds}", yes="yes", no="no"),
    ]
)


@given(st.lists(steps_of_any_kind, min_size=1, max_size=4), wordings)
def test_what_is_written_is_read_back(steps: list[Step], wording: StepWording) -> None:
    separators = ("claimed", "counts by", " so ", " for ", "found ", "=>", "On ", " | ")
    parsed = as_parsed(steps, wording)
    assert len(parsed) == len(steps)
    for original, written in zip(steps, parsed, strict=True):
        assert written.holds is original.holds
        if not any(
            mark.strip() in f" {value} "
            for mark in separators
            for value in (original.part, original.found, original.claimed)
        ):
            assert (written.part, written.found, written.claimed) == (original.part, original.found, original.claimed)


def test_values_that_hold_the_separators_cannot_break_a_line() -> None:
    hostile = step(part="a: b; c\nDecision: X", found="up, claimed down", claimed="x; y: z")
    (parsed,) = as_parsed([hostile], WORDING)
    assert (parsed.part, parsed.found, parsed.claimed) == ("a b c Decision X", "up down", "x y z")


# ------------------------------------------------------------------ accuracy by field


def test_a_mistake_counts_once_in_the_field_where_it_was_made() -> None:
    expected = as_parsed([step(), step("new users", "same", "up", Holds.NO)], WORDING)
    misread = parse_steps("wait time: up, claimed down, wrong.\nnew users: same, claimed up, wrong.", WORDING)
    counts = FieldCounts()
    counts.add(judge_fields(expected, misread, "REJECTED", RULE))
    figures = {score.field: (score.right, score.n) for score in counts.scores()}
    assert figures == {"part": (2, 2), "found": (1, 2), "claimed": (2, 2), "holds": (1, 1), "concludes": (1, 1)}


def test_a_step_that_is_not_written_is_wrong_in_all_and_a_misnamed_one_is_matched_by_place() -> None:
    expected = as_parsed([WEIGHED, step("new users")], WORDING)
    written = parse_steps("time: trial down; down, claimed down, right.", WORDING)
    figures = dict(judge_fields(expected[:1], written, None, RULE))
    assert figures == {
        "part": False,
        "grounds": False,
        "found": True,
        "claimed": True,
        "holds": True,
        "concludes": False,
    }
    assert judge_fields(expected[1:], [], None, RULE) == [
        ("part", False),
        ("found", False),
        ("claimed", False),
        ("holds", False),
    ]


def test_an_answer_that_decides_otherwise_than_its_steps_is_marked() -> None:
    written = parse_steps("wait time: down, claimed down, right.", WORDING)
    assert contradicts(written, "REJECTED", RULE)
    assert not contradicts(written, "VALIDATED", RULE)
    assert not contradicts(written, None, RULE)
    assert not contradicts([], "REJECTED", RULE)
    assert not contradicts(written, "REJECTED", None)


# ------------------------------------------------------------------ QA


@pytest.mark.parametrize(
    ("found", "claimed", "holds"),
    [
        ("down", "Down", Holds.YES),
        ("fell", "down", Holds.YES),
        ("up", "down", Holds.NO),
        ("same", "up", Holds.NO),
        ("no effect", "unchanged", Holds.YES),
        ("12 %", "10 to 15 %", Holds.YES),
        ("16 %", "10-15 %", Holds.NO),
        ("1,200", "1,000 to 1,500", Holds.YES),
        ("new users", "returning users", None),
        ("yes", "no", Holds.NO),
    ],
)
def test_found_and_claimed_are_compared_where_the_words_tell(found: str, claimed: str, holds: Holds | None) -> None:
    assert compare(found, claimed) is holds


@pytest.mark.parametrize(
    ("quote", "is_there"),
    [
        ('With the coach, "wait time" fell', True),
        ("with   the coach,\n“WAIT time”", True),
        ("the wait time fell", False),
        ("", False),
    ],
)
def test_a_quote_has_to_stand_in_its_piece(quote: str, is_there: bool) -> None:
    span = quote_span(quote, TRIAL.content)
    assert (span is not None) is is_there
    if span is not None:
        assert TRIAL.content[span[0] :].startswith("With the coach")


def test_the_nearest_sentence_is_offered() -> None:
    assert nearest_sentence("costs had risen", TRIAL.content) == "Costs rose."
    assert nearest_sentence("zzz", TRIAL.content) == ""


def reasons(*steps: Step, **changes: str) -> list[str]:
    return [problem.reason for problem in check_steps(RULE, candidate(*steps, **changes))]


def test_sound_steps_break_no_rule() -> None:
    assert reasons(WEIGHED) == []
    assert reasons() == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (step(findings=[finding(quote="the wait time halved")]), "step_quote"),
        (step(findings=[finding(piece=3)]), "step_piece"),
        (step(findings=[]), "step_ungrounded"),
        (step(found="up", findings=[finding()]), "step_holds"),
        (step(against=[finding(2, "wait time rose", "hearsay", "up")]), "step_weighing"),
        (step(why="source"), "step_weighing"),
        (step(against=[finding()], why="source"), "step_weighing"),
    ],
)
def test_each_fault_has_its_reason(broken: Step, reason: str) -> None:
    assert reason in reasons(broken)


def test_the_decision_has_to_follow() -> None:
    assert reasons(WEIGHED, decision="REFINED") == ["step_decision"]
    assert check_steps(None, candidate(WEIGHED, decision="REFINED")) == []


def test_each_part_of_the_claim_has_a_step() -> None:
    claim = "The coach lowers the wait time but raises the error rate."
    assert reasons(step(), hypothesis=claim) == ["step_missing"]
    assert reasons(step(), step("error rate", "up", "up"), hypothesis=claim) == []


def test_an_open_step_needs_no_piece() -> None:
    assert reasons(step(findings=[], found="unclear", holds=Holds.OPEN)) == []


def the_task() -> Task:
    return parse_task(template())


def test_qa_rejects_what_its_steps_contradict() -> None:
    problems = broken_rules(the_task(), Cell("operations", 1, "REFINED"), candidate(WEIGHED, decision="REFINED"))
    assert "step_decision" in {problem.reason for problem in problems}


# ------------------------------------------------------------------ over a benchmark


def _question(run: Run, position: int, name: str) -> Question:
    return Question(
        run=run.id, position=position, example=name, label="VALIDATED", domain="market", level=1, family=name
    )


def test_a_benchmark_says_which_field_goes_wrong(project: Project, db: sqlite3.Connection) -> None:
    right = "wait time: down, claimed down, right.\nDecision: VALIDATED"
    answers = {
        "a": (right, "VALIDATED", 0.9),
        "b": ("wait time: up, claimed down, wrong.\nDecision: REJECTED", "REJECTED", 0.8),
        "c": ("wait time: up, claimed down, wrong.\nDecision: VALIDATED", "VALIDATED", 0.3),
        "d": ("I cannot say.", None, 0.0),
        "e": ("wait time: up, claimed down, wrong.\nDecision: REJECTED", "REJECTED", 0.99),
    }
    run = Run(kind="benchmark", params={"model": "m", "mode": "reason", "split": "test"})
    runs.add(db, run)
    with transaction(db):
        questions = [
            (
                Question(
                    run=run.id,
                    position=position,
                    example=name,
                    label="VALIDATED",
                    domain="market",
                    level=1,
                    family=name,
                ),
                candidate(step()),
            )
            for position, name in enumerate(answers)
        ]
        predictions.add_questions(db, questions)
    predictions.add(
        db,
        [
            Prediction(
                run=run.id,
                example=name,
                ended=Outcome.WRITTEN,
                raw=raw,
                reader=PARSER_VERSION,
                outcome=PredictionOutcome.ANSWERED if decision else PredictionOutcome.UNPARSEABLE,
                decision=decision,
                probabilities={decision: sure} if decision else None,
            )
            for name, (raw, decision, sure) in answers.items()
        ],
    )
    report = field_report(project, db, run)
    figures = {score.field: (score.right, score.n) for score in report.scores}
    assert figures == {"part": (4, 4), "found": (1, 4), "claimed": (4, 4), "holds": (1, 1), "concludes": (3, 4)}
    assert (report.answers, report.without_steps, report.contradictions) == (5, 1, ["c"])
    assert report.worst == {"found": ["e", "b", "c"], "concludes": ["c"]}
    sentence = (
        "It names the parts of the claim (100 %), reads the claim (100 %), but misreads the evidence (25 % right)."
    )
    assert describe_fields(report) == sentence
    assert report.asked == 5
    assert [(mistake.expected, mistake.written) for mistake in report.mistakes["found"]] == [("down", "up")] * 3
    concluded = report.mistakes["concludes"][0]
    assert (concluded.example, concluded.expected, concluded.written) == ("c", "REJECTED", "VALIDATED")
    assert concluded.hypothesis == candidate(step()).hypothesis
    nothing = field_report(project, db, Run(kind="benchmark", params=run.params))
    assert (nothing.scores, nothing.asked, describe_fields(nothing)) == ([], 0, "")
