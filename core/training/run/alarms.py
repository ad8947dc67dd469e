"""The warning signs of a failing training, in words, each with a remedy. Pure functions of the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.statistics import wilson

# This many steps in a row have to show a sign; one alone is chance.
STEPS = 5
NO_SIGNAL, FAR, FLAT, CLIPPED, TRUNCATED_SHARE = 0.95, 2.0, 0.01, 0.3, 0.8
TAKEN_OVER, ALL_THE_SAME = 0.85, 0.03
# Fields of the steps are learned from this share on. A field stands still if so many looks are this close together.
LEARNED, LOOKS, STILL = 0.9, 4, 0.05
# Fewer fields or cases than these say nothing.
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Alarm:
    """A warning sign: a short name, the same for the same sign, and a sentence with meaning and remedy."""

    name: str
    sentence: str


def alarms(steps: Sequence[Mapping[str, float]], labels: Mapping[str, float]) -> list[Alarm]:
    """The alarms after `steps`, the figures of each, oldest first; `labels` is the share of each label in the data."""
    newest = steps[-1] if steps else {}
    found_alarms = []
    if not math.isfinite(newest.get("loss", 0.0)):
        found_alarms.append(
            Alarm("nan", "The loss is no number any more: resume from the last checkpoint with a lower rate.")
        )
    window = steps[-STEPS:]
    if len(window) < STEPS:
        return found_alarms

    def all_of(name: str, low: float = -math.inf, high: float = math.inf) -> bool:
        return all(name in figures and low <= figures[name] <= high for figures in window)

    def mean(name: str) -> float:
        return sum(figures[name] for figures in window) / len(window)

    if all_of("no_signal", low=NO_SIGNAL):
        found_alarms.append(
            Alarm(
                "no signal",
                f"All answers of a group earn the same in {mean('no_signal'):.0%} of the groups, which teach nothing: "
                "choose other levels (an adaptive curriculum does), a higher temperature or more generations.",
            )
        )
    if all_of("kl", low=FAR):
        found_alarms.append(
            Alarm("far off", f"KL is {mean('kl'):.1f}, far from where it began: raise kl, or lower the learning rate.")
        )
    if all_of("entropy", high=FLAT):
        found_alarms.append(
            Alarm(
                "collapsed",
                f"Entropy is {mean('entropy'):.3f}: it always writes the same. Go back to a checkpoint, with a "
                "lower rate or a higher temperature.",
            )
        )
    if all_of("clipped", low=CLIPPED):
        found_alarms.append(
            Alarm(
                "clipped", f"{mean('clipped'):.0%} of the tokens are clipped: the steps are too large, lower the rate."
            )
        )
    if all_of("cut", low=TRUNCATED_SHARE):
        found_alarms.append(
            Alarm(
                "cut off",
                f"{mean('cut'):.0%} of the answers are cut off before they decide: raise max_answer_tokens, run SFT "
                "first, or reward length.",
            )
        )
    found_alarms += _one_decision_alarm(window, labels)
    if all_of("confidence_sd", high=ALL_THE_SAME):
        found_alarms.append(
            Alarm(
                "one confidence",
                f"Confidence hardly varies any more (standard deviation {mean('confidence_sd'):.3f}): raise the weight "
                "of calibration.",
            )
        )
    return found_alarms


def unreadable_alarms(step: int, evaluation: Mapping[str, float | None]) -> list[Alarm]:
    """The alarm after a dev evaluation, `step` steps into the training, with many unparseable answers."""
    share, cut = evaluation.get("unread") or 0.0, evaluation.get("cut") or 0.0
    if not step or share < TRUNCATED_SHARE:
        return []
    remedy = (
        "raise max_answer_tokens, or train longer, so that answers get shorter"
        if cut >= share / 2
        else "train longer, or look at the answers and at the mode of the recipe"
    )
    sentence = (
        f"After {step} steps {share:.0%} of the answers to the dev split decide nothing that can be read, and "
        f"{cut:.0%} are cut off: its accuracy says nothing of what was learnt. {remedy.capitalize()}."
    )
    return [Alarm("dev unread", sentence)]


def field_alarms(looks: Sequence[Mapping[str, Any]], labels: Mapping[str, float]) -> list[Alarm]:
    """The alarms about steps and decision after `looks` at the dev split, oldest first; `labels` are their shares.

    A look has `right` of `n` decisions, `fields` {field: [right, n]} and `levels` {level: [right, n]}.
    """
    if not looks:
        return []
    newest = looks[-1]
    fields = {name: share for name, share in _shares(newest, "fields").items() if name != "concludes"}
    return [*_undecided_alarm(newest, fields, labels), *_still_alarms(looks, fields)]


def _undecided_alarm(
    newest: Mapping[str, Any], fields: Mapping[str, float], labels: Mapping[str, float]
) -> list[Alarm]:
    """The alarm that the rationale is learned, and the decision is not: no better than the most frequent label."""
    right, n = newest.get("right", 0), newest.get("n", 0)
    chance = max(labels.values(), default=1.0)
    if n < ENOUGH or not fields or min(fields.values()) <= LEARNED or wilson(right, n)[0] > chance:
        return []
    sentence = (
        f"Each field of the steps is right in {min(fields.values()):.0%} or more, and the decision in {right} of {n}, "
        f"no better than always the most frequent one ({chance:.0%}): the rationale is learned, the decision is not. "
        "Look at whether the decision follows from the steps by the task's rule, and whether max_answer_tokens leaves "
        "room for it."
    )
    return [Alarm("steps without decision", sentence)]


def _still_alarms(looks: Sequence[Mapping[str, Any]], fields: Mapping[str, float]) -> list[Alarm]:
    """An alarm for each field that is not learned, and has not moved in the last looks."""
    window = [_shares(look, "fields") for look in looks[-LOOKS:]]
    if len(window) < LOOKS:
        return []
    levels = {level: share for level, share in _shares(looks[-1], "levels").items() if share < LEARNED}
    weakest = min(levels, key=lambda level: levels[level], default="")
    where = f" Level {weakest} is the weakest, {levels[weakest]:.0%} of its decisions are right." if weakest else ""
    found_alarms = []
    for name, share in fields.items():
        values = [shares[name] for shares in window if name in shares]
        if len(values) == LOOKS and share < LEARNED and max(values) - min(values) <= STILL:
            sentence = (
                f"The field {name} does not move: {share:.0%} are right, within {STILL:.0%} over the last {LOOKS} "
                f"looks.{where} Add examples in which it is what decides, word it more simply, or raise the learning "
                "rate."
            )
            found_alarms.append(Alarm(f"still {name}", sentence))
    return found_alarms


def _shares(look: Mapping[str, Any], name: str) -> dict[str, float]:
    """The share that was right, of each field or level that was seen often enough."""
    return {key: right / n for key, (right, n) in look.get(name, {}).items() if n >= ENOUGH}


def _one_decision_alarm(window: Sequence[Mapping[str, float]], labels: Mapping[str, float]) -> list[Alarm]:
    """The alarm that one decision is given nearly always, though the data have others."""
    for label, share in labels.items():
        name = f"decided/{label}"
        if share < TAKEN_OVER - 0.1 and all(figures.get(name, 0.0) >= TAKEN_OVER for figures in window):
            mean_share = sum(figures[name] for figures in window) / len(window)
            sentence = (
                f"{mean_share:.0%} of the answers decide {label}, which {share:.0%} of the examples are: balance the "
                "decisions, give mistakes their costs, or lower the learning rate."
            )
            return [Alarm("one decision", sentence)]
    return []
