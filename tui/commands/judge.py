"""`judge`: ask any model of the project about cases, from arguments or from stdin."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import click

from core.config.case import Mode
from core.llm.limits import BudgetExhaustedError
from core.models import resolve
from core.models.judge_cases import CaseError, CaseInput, CaseJudge, CaseJudgement, parse_case, parse_evidence
from storage.schema import PredictionOutcome
from tui.as_json import json_value
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.output import print_json, say, show

# So many lines are judged together at most; with fewer, none is waited for.
MAX_CHUNK = 256


@click.command()
@click.option("--hypothesis", help="The claim; without it cases are read from stdin.")
@click.option("--evidence", multiple=True, metavar="'SOURCE: TEXT'", help="A piece of evidence; may be repeated.")
@click.option("--model", help="A name that `models list` shows.  [default: what was trained last, else the student]")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="How it is asked.  [default: by model]")
@json_option
@pass_context
@verb
def judge(
    context: Context,
    hypothesis: str | None,
    evidence: tuple[str, ...],
    model: str | None,
    mode: str | None,
    as_json: bool,
) -> None:
    """Ask a model to judge a case, or many.

    Without --hypothesis, stdin holds {"hypothesis": ..., "evidence": [{"source": ..., "content": ...}], "id": ...}: one
    object, or one a line; lines are answered as they come, and with --json each with a line. Exit status 1: a case has
    no answer.
    """
    if hypothesis is None and evidence:
        raise RefusedError("--evidence goes with --hypothesis: without that, cases are read from stdin")
    if hypothesis is None and sys.stdin.isatty():
        raise RefusedError("nothing to judge: give --hypothesis and --evidence, or cases as JSON on stdin")
    project, connection = context.open()
    newest = resolve.newest_trained(project, connection)
    name = model or (newest.name if newest else project.task.roles.student)
    resolved_mode = Mode(mode) if mode else resolve.default_mode(project, connection, name)
    try:
        case = (
            None
            if hypothesis is None
            else parse_case({"hypothesis": hypothesis, "evidence": [*map(parse_evidence, evidence)]})
        )
    except ValueError as error:
        raise RefusedError(str(error)) from None
    lines = iter(()) if case else iter(sys.stdin)
    if case is None:
        case, lines = _first_case(lines)
    if not model:
        say(f"{name} is asked; --model names another")
    case_judge = CaseJudge(project, connection, name, resolved_mode)
    try:
        answered = asyncio.run(
            _judge_one(case_judge, case, as_json) if case else _judge_lines(case_judge, lines, as_json)
        )
    except BudgetExhaustedError as error:
        say(f"sidequest: {error}")
        answered = False
    raise SystemExit(0 if answered else 1)


def _first_case(lines: Iterator[str]) -> tuple[CaseInput | None, Iterator[str]]:
    """The one case that stdin holds over several lines; or None, and the lines of many cases."""
    first = next((line for line in lines if line.strip()), "")
    if not first:
        raise RefusedError("nothing to judge: stdin is empty")
    try:
        json.loads(first)
    except ValueError:
        try:
            return parse_case(json.loads(first + "".join(lines))), iter(())
        except CaseError:
            raise
        except ValueError as error:
            raise RefusedError(f"stdin holds no JSON ({error}): give one object, or one a line") from None
    return None, _prepend(first, lines)


def _prepend(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


async def _judge_one(judge: CaseJudge, case: CaseInput, as_json: bool) -> bool:
    """Answer one case; returns whether it has an answer."""
    try:
        async for answer in judge.answers([case]):
            if as_json:
                print_json(answer)
            else:
                _print_judgement(answer)
            return answer.outcome is PredictionOutcome.ANSWERED
    finally:
        await judge.close()
    return False


async def _judge_lines(judge: CaseJudge, lines: Iterator[str], as_json: bool) -> bool:
    """Answer the cases of `lines` as they come in; returns whether all of them have an answer."""
    all_answered, number = True, 0
    try:
        async for chunk in _chunks(lines):
            cases = []
            for line in chunk:
                number += 1
                try:
                    case = parse_case(_parse_json(line))
                except CaseError as error:
                    all_answered = False
                    _print_bad_line(number, str(error), as_json)
                else:
                    cases.append(case if case.id is not None else case.model_copy(update={"id": number}))
            async for answer in judge.answers(cases):
                all_answered &= answer.outcome is PredictionOutcome.ANSWERED
                if as_json:
                    _print_json_line(answer)
                else:
                    _print_judgement(answer)
    finally:
        await judge.close()
    return all_answered


def _parse_json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise CaseError(f"not JSON: {error}") from None


async def _chunks(lines: Iterator[str]) -> AsyncIterator[list[str]]:
    """The lines in chunks of those that have arrived, so that whoever writes one and waits for its answer gets it."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read_lines() -> None:
        for line in lines:
            if line.strip():
                loop.call_soon_threadsafe(queue.put_nowait, line)
        loop.call_soon_threadsafe(queue.put_nowait, None)

    # A thread that waits for stdin cannot be ended: as a daemon it keeps nobody from leaving.
    threading.Thread(target=read_lines, name="stdin", daemon=True).start()
    ended = False
    while not ended:
        chunk = [await queue.get()]
        while len(chunk) < MAX_CHUNK and not queue.empty():
            chunk.append(queue.get_nowait())
        ended = chunk[-1] is None
        yield [line for line in chunk if line is not None]


def _print_bad_line(number: int, problem: str, as_json: bool) -> None:
    if as_json:
        _print_json_line({"id": number, "outcome": "no case", "detail": problem})
    else:
        say(f"line {number} is no case: {problem}")


def _print_json_line(value: Any) -> None:
    """One line of JSON, at once."""
    click.echo(json.dumps(json_value(value)))


def _print_judgement(answer: CaseJudgement) -> None:
    label = "" if answer.id is None else f"{answer.id}: "
    if answer.decision is None:
        show(f"{label}no answer ({answer.outcome.value}){f': {answer.detail}' if answer.detail else ''}")
        if answer.raw:
            show(f"  it said: {answer.raw.strip()}")
        return
    basis = " by the probability of the decision" if answer.basis == "probability" else ""
    confidence = "no confidence" if answer.confidence is None else f"confidence {answer.confidence:.2f}{basis}"
    show(f"{label}{answer.decision} · {confidence}")
    if answer.reasoning:
        show(f"  {answer.reasoning.strip()}")
    if answer.probabilities:
        show("  " + ", ".join(f"{name} {share:.2f}" for name, share in answer.probabilities.items()))
