"""The reasoning for a decision, in prose for people: it follows the steps."""

from __future__ import annotations

from random import Random

from core.generation.procedural.bodies import Aside, Body, Role
from core.generation.procedural.naming import DIRECTION
from core.generation.procedural.wording import sentence
from core.generation.procedural.worlds import REFINED, REJECTED, VALIDATED, World
from storage.schema import Evidence, Holds, Step

_CLOSING = {
    VALIDATED: ("All of the claim holds as stated: VALIDATED", "Nothing in the claim has to change: VALIDATED"),
    REFINED: (
        "Some of the claim holds, the rest has to be restated: REFINED",
        "A part holds, and with the other put right the claim stands: REFINED",
    ),
    REJECTED: ("Neither part holds: REJECTED", "Neither part holds, so the claim is contradicted: REJECTED"),
}
# If the claim rests on a direction, what qualifies it means nothing without the direction.
_CARRIED = (
    "The direction carries the claim, and it is wrong: REJECTED",
    "With the wrong direction nothing of the claim is left: REJECTED",
)
_REASONS: dict[Aside, tuple[str, str]] = {
    Aside.NONE: ("", ""),
    Aside.HEARSAY: ("is too thin to count against it", "are too thin to count against it"),
    Aside.IMPRESSION: ("has no count behind it", "have no count behind them"),
    Aside.ELSEWHERE: ("is about another place", "are about another place"),
    Aside.CHOSEN: ("covers only those who chose for themselves", "cover only those who chose for themselves"),
    Aside.OTHER_MEASURE: ("is about another measure", "are about another measure"),
    Aside.EARLIER: ("is about an earlier time", "are about an earlier time"),
}


def write_reasoning(
    world: World, body: Body, steps: list[Step], decision: str, evidence: list[Evidence], rng: Random
) -> str:
    """The reasoning for `decision`, which follows from `steps` over `body`, whose pieces are `evidence`."""
    # Where a person has removed what decides, there is nothing to name.
    weighing = [_weighing_sentence(steps, evidence, rng)] if any(step.findings for step in steps) else []
    lines = [*weighing, *(_compare(step) for step in steps)]
    lines += _set_aside(body, evidence)
    carried = decision == REJECTED and world.shape.carried
    return " ".join(sentence(line) for line in [*lines, rng.choice(_CARRIED if carried else _CLOSING[decision])])


def _weighing_sentence(steps: list[Step], evidence: list[Evidence], rng: Random) -> str:
    numbers = dict.fromkeys(finding.piece for step in steps for finding in step.findings)
    names = [f'"{evidence[number - 1].source}"' for number in numbers][:2]
    joined = any(len({finding.piece for finding in step.findings}) > 1 for step in steps)
    if joined and len(names) > 1:
        return rng.choice(
            (
                f"The answer takes several facts put together, the main ones from {' and '.join(names)}",
                f"Neither {' nor '.join(names)} settles it alone; taken together they do",
            )
        )
    return rng.choice((f"What weighs most is {' and '.join(names)}", f"What decides comes from {' and '.join(names)}"))


def _compare(step: Step) -> str:
    """One step in prose.

    The finding comes before the claim: a model that writes them the other way round finds what the claim wants.
    """
    says = ", ".join(dict.fromkeys(finding.says for finding in step.findings))
    ground = f"{says}, so {step.found}" if says and says != step.found else step.found
    subject = "the direction" if step.part == DIRECTION else f'"{step.part}"'
    verdict = "holds" if step.holds is Holds.YES else "does not hold"
    return f"On {subject}: {ground}; the claim has {step.claimed}: this part {verdict}"


def _set_aside(body: Body, evidence: list[Evidence]) -> list[str]:
    lines = []
    pairs = list(zip(body.pieces, evidence, strict=True))
    for aside, (one, several) in _REASONS.items():
        names = [f'"{piece.source}"' for part, piece in pairs if part.role == Role.CONTRARY and part.aside == aside]
        if names:
            verb = ("points", "point")[len(names) > 1]
            lines.append(f"{' and '.join(names)} {verb} another way but {several if len(names) > 1 else one}")
    names = [f'"{piece.source}"' for part, piece in pairs if part.role == Role.IRRELEVANT]
    if names:
        lines.append(f"{' and '.join(names)} {'does' if len(names) == 1 else 'do'} not bear on the claim")
    return lines
