"""Rewards, the mix of levels, the alarms: what is decided in a training, without a model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.case import Mode
from core.config.recipe import Algorithm, Curriculum, Recipe
from core.models.decoding import out_of_memory
from core.models.student_format import StudentFormat
from core.training.data.rewards import BUILT_IN, RewardError, find_reward, grade_answer, with_rewards
from core.training.data.sampler import CasePosition, CurriculumSampler, LevelSignal, level_shares
from core.training.run.alarms import STEPS, alarms, unreadable_alarms
from core.training.run.phase import truncation_warning
from storage.schema import Evidence, Finding, Holds, Step

LABELS = ["VALIDATED", "REJECTED", "REFINED"]
PIECES = [Evidence(source="Cohort analysis", content="Conversion rose by half.", relevance=0.9)]


def reward_of(name: str, text: str, *, whole: bool = True, costs: dict[str, dict[str, float]] | None = None) -> float:
    """What a reward gives an answer to a case that is VALIDATED."""
    return BUILT_IN[name](grade_answer(text, whole, "VALIDATED", PIECES, LABELS, costs or {}))


def answer_text(decision: str = "VALIDATED", confidence: float = 0.8, reasoning: str = "It rose.") -> str:
    return f"Reasoning: {reasoning}\nDecision: {decision}\nConfidence: {confidence}\n"


@pytest.mark.parametrize(
    ("name", "text", "worth"),
    [
        ("correct", answer_text(), 1.0),
        ("correct", answer_text("REJECTED"), 0.0),
        ("correct", "It depends.", 0.0),
        ("format", answer_text(), 1.0),
        ("format", "VALIDATED", 0.5),
        ("format", "It depends.", 0.0),
        ("calibration", answer_text(confidence=1.0), 1.0),
        ("calibration", answer_text(confidence=0.8), 1 - 0.04),
        ("calibration", answer_text("REJECTED", 0.8), -0.64),
        ("calibration", "VALIDATED", -1.0),
        ("length", answer_text(), 1.0),
        ("length", "word " * 160, 0.0),
        ("evidence", answer_text(reasoning="Cohort analysis says so."), 1.0),
        ("evidence", answer_text(reasoning='It says "rose by half" and "fell by two thirds".'), 0.5),
        ("evidence", answer_text(reasoning="It is so."), 0.0),
    ],
)
def test_what_an_answer_is_worth(name: str, text: str, worth: float) -> None:
    assert reward_of(name, text) == pytest.approx(worth)


def test_an_answer_that_was_cut_off_decides_nothing() -> None:
    assert reward_of("correct", answer_text(), whole=False) == 0.0
    assert reward_of("calibration", answer_text(), whole=False) == -1.0


def test_mistakes_may_cost_more_or_less() -> None:
    costs = {"VALIDATED": {"REFINED": 0.3, "REJECTED": 2.0}}
    assert reward_of("correct", answer_text("REFINED"), costs=costs) == pytest.approx(0.7)
    assert reward_of("correct", answer_text("REJECTED"), costs=costs) == pytest.approx(-1.0)
    assert reward_of("correct", answer_text(), costs=costs) == pytest.approx(1.0)


@given(st.floats(0, 1))
def test_the_calibration_reward_is_proper(truth: float) -> None:
    """Who is right with probability p earns most by saying p."""
    sure = [index / 100 for index in range(101)]
    worth = {value: truth * (1 - (value - 1) ** 2) + (1 - truth) * (-(value**2)) for value in sure}
    assert abs(max(sure, key=lambda value: worth[value]) - truth) <= 0.0051


def test_a_reward_of_ones_own(tmp_path: Path) -> None:
    name = "core.training.data.rewards:length"
    assert find_reward(name, tmp_path, allow_project_code=True) is BUILT_IN["length"]
    for wrong, message in (("kindness", "no reward"), ("os:nothing", "cannot be imported"), ("os:sep", "no function")):
        with pytest.raises(RewardError, match=message):
            find_reward(wrong, tmp_path, allow_project_code=True)


@given(st.sampled_from(["mixed", "easy-to-hard"]), st.floats(0, 0.3), st.integers(1, 6), st.floats(0, 1))
def test_shares_sum_to_one(order: str, floor: float, count: int, progress: float) -> None:
    shares = level_shares(
        Curriculum.model_validate({"order": order, "floor": floor}), list(range(1, count + 1)), progress
    )
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= 0


def test_easy_levels_come_first_and_fade() -> None:
    easy_first = Curriculum(order="easy-to-hard")
    levels = [1, 2, 3]
    begin, middle, end = (level_shares(easy_first, levels, index) for index in (0.0, 0.5, 1.0))
    assert begin[1] == 1.0
    assert middle[2] > middle[1] > 0
    assert end[3] > 0.8
    assert end[1] > 0


def test_an_adaptive_mix_goes_where_answers_differ() -> None:
    signal = LevelSignal()
    for _ in range(20):
        signal.update(1, 1.0)
        signal.update(2, 0.5)
        signal.update(3, 0.0)
    shares = signal.shares(Curriculum(order="adaptive", floor=0.1), [1, 2, 3])
    assert shares[2] > 0.7
    assert min(shares.values()) >= 0.1


def drawn(order: str = "mixed", steps: int = 12, seed: int = 1) -> tuple[CurriculumSampler, list[CasePosition]]:
    positions = [CasePosition(1 + index % 3, LABELS[index % 2 + (index % 12 == 0)]) for index in range(90)]
    return CurriculumSampler(
        positions, Curriculum.model_validate({"order": order}), batch=9, steps=steps, seed=seed
    ), positions


@given(st.sampled_from(["mixed", "easy-to-hard", "adaptive"]), st.integers(1, 11))
def test_a_resumed_draw_goes_on_as_if_nothing_had_been(order: str, index: int) -> None:
    uninterrupted, _ = drawn(order)
    expected = [uninterrupted.step(number) for number in range(12)]
    first_run, _ = drawn(order)
    for number in range(index):
        first_run.step(number)
    resumed, _ = drawn(order)
    resumed.restore(first_run.state(), index)
    assert [resumed.step(number) for number in range(12)] == expected


def test_decisions_are_in_balance_and_no_case_comes_twice_before_the_others() -> None:
    draw, positions = drawn(steps=10)
    chosen = [index for number in range(10) for index in draw.step(number)]
    labels = Counter(positions[index].label for index in chosen)
    assert max(labels.values()) - min(labels.values()) <= 12
    for label in labels:
        times = [
            chosen.count(index)
            for index, position in enumerate(positions)
            if position.label == label and position.level == 1
        ]
        assert max(times) - min(times) <= 1


def test_a_spare_case_is_another_one() -> None:
    draw, _ = drawn()
    used = draw.step(0)
    spare = draw.draw_replacements(0, used, 3)
    assert not set(spare) & set(used)
    assert spare == draw.draw_replacements(0, used, 3)


FINE = {
    "loss": 0.1, "no_signal": 0.2, "kl": 0.02, "entropy": 0.5, "clipped": 0.01, "cut": 0.0, "confidence_sd": 0.2,
    "decided/VALIDATED": 0.4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, None),
        ({"loss": float("nan")}, "nan"),
        ({"no_signal": 1.0}, "no signal"),
        ({"kl": 3.0}, "far off"),
        ({"entropy": 0.005}, "collapsed"),
        ({"clipped": 0.4}, "clipped"),
        ({"cut": 0.9}, "cut off"),
        ({"decided/VALIDATED": 0.95}, "one decision"),
        ({"confidence_sd": 0.01}, "one confidence"),
    ],
)
def test_alarms(change: dict[str, float], name: str | None) -> None:
    steps = [FINE | change] * STEPS
    assert [alarm.name for alarm in alarms(steps, {"VALIDATED": 0.4})] == ([name] if name else [])


def test_one_bad_step_is_chance() -> None:
    assert alarms([FINE] * STEPS + [FINE | {"kl": 3.0}], {"VALIDATED": 0.4}) == []


def test_answers_to_learn_from_that_are_too_long_to_be_written_are_counted() -> None:
    assert truncation_warning([3, 160], 160) == ""
    assert "1 of 2 answers" in truncation_warning([3, 200], 160)
    assert "200 holds them all" in truncation_warning([3, 200], 160)


def test_answers_to_the_dev_split_that_cannot_be_read_are_an_alarm() -> None:
    assert unreadable_alarms(0, {"unread": 1.0, "cut": 1.0}) == []
    assert unreadable_alarms(20, {"unread": 0.5, "cut": 0.5}) == []
    (cut,) = unreadable_alarms(20, {"unread": 1.0, "cut": 0.9})
    assert "100% of the answers" in cut.sentence
    assert "Raise max_answer_tokens" in cut.sentence
    (strange,) = unreadable_alarms(20, {"unread": 0.9, "cut": 0.1})
    assert "look at the answers" in strange.sentence


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes", True),
        ("could not create a primitive", True),
        ("could not create a primitive descriptor for the matmul primitive", False),
        ("shape '[32, 0]' is invalid", False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(text: str, is_so: bool) -> None:
    assert out_of_memory(RuntimeError(text)) is is_so


PART = Finding(piece=1, quote="Conversion rose", source="", says="up")
EXAMPLE_STEPS = [
    Step(part="new", findings=[PART], against=[], why="", found="up", claimed="up", holds=Holds.YES),
    Step(part="old", findings=[PART], against=[], why="", found="same", claimed="up", holds=Holds.NO),
]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("new: up, claimed up, right.\nold: same, claimed up, wrong.\nDecision: REFINED", 1.0),
        # What is found in one part is misread: 7 of the 8 fields, and whether it holds is judged by what was written.
        ("new: up, claimed up, right.\nold: up, claimed up, right.\nDecision: VALIDATED", 6 / 7),
        ("new: up, claimed up, right.\nDecision: VALIDATED", 4 / 8),
        (
            "new: up, claimed up, right.\nold: same, claimed up, wrong.\nx: a, claimed b, open.\nDecision: REFINED",
            2 / 3,
        ),
        ("new: up, claimed up, right.\nold: same, claimed up, wrong.", 0.0),
        ("Decision: REFINED", 0.0),
    ],
)
def test_each_field_of_the_steps_is_paid(text: str, share: float) -> None:
    graded = grade_answer(text, True, "REFINED", PIECES, LABELS, {}, EXAMPLE_STEPS)
    assert BUILT_IN["steps"](graded) == pytest.approx(share)
    assert BUILT_IN["steps"](grade_answer(text, True, "REFINED", PIECES, LABELS, {})) == 0.0


@pytest.mark.parametrize(
    ("rationale", "mode", "rewards"),
    [
        ("steps", Mode.REASON, {"correct": 1.0, "steps": 0.5, "format": 0.1}),
        ("full", Mode.REASON, {"correct": 1.0, "calibration": 0.5, "format": 0.1}),
        ("none", Mode.REASON, {"correct": 1.0, "format": 0.1}),
        ("full", Mode.DIRECT, {"correct": 1.0, "format": 0.1}),
    ],
)
def test_a_recipe_without_rewards_pays_what_its_student_states(
    rationale: Literal["steps", "full", "none"], mode: Mode, rewards: dict[str, float]
) -> None:
    answer_format = StudentFormat(rationale=rationale, mode=mode)
    recipe = Recipe(algorithm=Algorithm.GRPO)
    assert with_rewards(recipe, answer_format).rewards == rewards
    own = recipe.model_copy(update={"rewards": {"length": 2.0}})
    assert with_rewards(own, answer_format) == own
    assert with_rewards(Recipe(algorithm=Algorithm.SFT), answer_format).rewards == {}


def test_the_mix_of_a_step_is_that_of_its_share_of_the_way() -> None:
    """Of 11 steps the first is at 0, the sixth halfway, the last at 1."""
    curriculum = Curriculum(order="easy-to-hard")
    positions = [CasePosition(level, label) for level in (1, 2, 3) for label in LABELS]
    sampler = CurriculumSampler(positions, curriculum, batch=3, steps=11, seed=0)
    for step, progress in ((0, 0.0), (5, 0.5), (10, 1.0)):
        assert sampler.mix(step) == level_shares(curriculum, [1, 2, 3], progress)
    assert sampler.mix(0)[1] > sampler.mix(5)[1] > sampler.mix(10)[1]
