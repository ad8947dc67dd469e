"""Steps of an example on the screen and on the command line: lines, lit quotes, blindness, hostile text."""

from __future__ import annotations

from storage.schema import Evidence, Example, Finding, Holds, Step
from tests.conftest import example
from tui.widgets.example import body
from tui.widgets.steps import against_lines, lit_evidence, step_block, step_line


def finding(piece: int, quote: str) -> Finding:
    return Finding(piece=piece, quote=quote, source="hearsay", says="up")


def step(**change: object) -> Step:
    plain = {"part": "new users", "findings": [finding(1, "Sales FELL")], "against": [], "why": ""}
    return Step.model_validate(plain | {"found": "down", "claimed": "up", "holds": Holds.NO} | change)


def stepped(*steps: Step) -> Example:
    pieces = [Evidence(source="a", content="In May “sales  fell” by 3.", relevance=1.0)]
    pieces.append(Evidence(source="b", content="They say it rose.", relevance=0.5))
    return example(evidence=pieces, steps=list(steps))


def lit(case: Example, position: int, limit: int = 1000) -> list[str]:
    text = lit_evidence(case.evidence, position, case.steps, limit)
    return [text.plain[span.start : span.end] for span in text.spans]


def test_a_step_is_a_line_with_what_stands_against_it_and_why() -> None:
    weighed = step(against=[finding(2, "it rose")], why="source")
    assert step_line(weighed) == "new users · down · up · ✗"
    assert against_lines(weighed) == ["against: piece 2 (hearsay) up, “it rose” · piece 1 counts, by source"]
    assert step_line(step(holds=Holds.YES))[-1] + step_line(step(holds=Holds.OPEN))[-1] == "✓?"


def test_quotes_are_lit_where_they_stand() -> None:
    case = stepped(step(against=[finding(2, "it rose")], why="source"), step(findings=[finding(9, "gone")]))
    assert (lit(case, 0), lit(case, 1)) == (["sales  fell"], ["it rose"])
    cut = lit_evidence(case.evidence, 0, case.steps, 10)
    assert cut.plain == "In May “sa … cut here: 26 characters in all"


def test_steps_are_hidden_with_the_label_and_absent_without_steps() -> None:
    case = stepped(step())
    assert "new users · down · up · ✗" in body(case).plain
    hidden = body(case, hidden=True)
    assert "STEPS" not in hidden.plain
    assert not [span for span in hidden.spans if "underline" in str(span.style)]
    assert "STEPS" not in body(stepped()).plain


def test_hostile_and_long_steps_neither_act_nor_get_lost() -> None:
    hostile = step(part="[red]x[/]\x1b[2J\nnew\u202e", found="y" * 3000)
    text = step_block([hostile]).plain
    assert "[red]x[/]␛[2J new⟨202E⟩" in text
    assert "y" * 3000 in text
    assert "… and 3 more steps" in step_block([step(found="y" * 10_000)] * 5).plain
