"""The fitted curve, the sizes and the subsets: known curves are found again, and what is not known is said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.config.case import Mode
from core.config.recipe import Algorithm, Curriculum, Recipe
from core.runs.params import CurveParams
from core.training.curve.cells import BASELINE, cell_recipe, planned_cells, quick_first
from core.training.curve.fit import HORIZON, CurveCell, CurveVerdict, LearningCurve, fit_curve
from core.training.curve.job import baseline_figures
from core.training.curve.results import SizeResult, format_size
from core.training.curve.subsets import curve_sizes, fingerprint, nested_order, subset
from storage.schema import Example
from tests.conftest import example

pytestmark = pytest.mark.pure
SIZES = [20, 40, 80, 160, 320]


def cells(
    floor: float, drop: float, rate: float, *, of: int = 400, seeds: int = 3, noise: int | None = None
) -> list[CurveCell]:
    """The cells of error = floor + drop * (n / 320) ** -rate: as they are, or with chance from the seed `noise`."""
    rng = np.random.default_rng(noise)
    made = []
    for seed in range(seeds):
        for size in SIZES:
            accuracy = 1 - min(1.0, floor + drop * (size / SIZES[-1]) ** -rate)
            right = round(accuracy * of) if noise is None else int(rng.binomial(of, accuracy))
            made.append(CurveCell(size, seed, size, right, of))
    return made


def measured(rates: list[float], *, of: int = 200, seeds: int = 3, sizes: list[int] = SIZES) -> list[CurveCell]:
    """Cells with these accuracies, the same for all seeds."""
    return [
        CurveCell(size, seed, size, round(rate * of), of)
        for seed in range(seeds)
        for size, rate in zip(sizes, rates, strict=True)
    ]


def fitted(points: list[CurveCell], resamples: int = 300) -> LearningCurve:
    curve = fit_curve(points, resamples=resamples)
    assert curve is not None
    return curve


@settings(max_examples=40)
@given(floor=st.floats(0.0, 0.4), drop=st.floats(0.02, 0.12), rate=st.floats(0.3, 0.7))
def test_a_known_curve_is_found_again(floor: float, drop: float, rate: float) -> None:
    """Without chance in it, the fit is the curve: at each size, at twice the largest, and in how many it takes."""
    assume(floor + drop * 16**rate < 1)  # where it has no error above 1
    curve = fitted(cells(floor, drop, rate, of=1_000_000), resamples=50)
    for n in (*SIZES, 640):
        assert curve.accuracy(n) == pytest.approx(1 - floor - drop * (n / 320) ** -rate, abs=0.004)
    target = 1 - floor - drop * 2**-rate
    needed = curve.forecast(target)
    assert needed.verdict is CurveVerdict.MORE
    assert needed.more == pytest.approx(320, rel=0.08)


@settings(max_examples=30)
@given(floor=st.floats(0.0, 0.3), drop=st.floats(0.03, 0.12), rate=st.floats(0.3, 0.7), noise=st.integers(0, 10**6))
def test_a_fit_is_in_order(floor: float, drop: float, rate: float, noise: int) -> None:
    """More examples never make it worse, the band holds the curve, and a higher target never takes fewer."""
    curve = fitted(cells(floor, drop, rate, of=150, noise=noise), resamples=200)
    band = curve.band([20, 80, 320, 640, 3200])
    assert [point.accuracy for point in band] == sorted(point.accuracy for point in band)
    for point in band:
        assert 0 <= point.low <= point.accuracy <= point.high <= 1
    forecasts = [curve.forecast(target) for target in (0.3, 0.5, 0.7, 0.8, 0.9)]
    needed = [forecast.examples for forecast in forecasts if forecast.examples is not None]
    assert needed == sorted(needed)
    for forecast in forecasts:
        if forecast.examples is not None and forecast.low is not None and forecast.more is not None:
            assert forecast.low <= forecast.examples
            assert forecast.high is None or forecast.examples <= forecast.high <= HORIZON * 320
            assert forecast.more == max(0, forecast.examples - 320)
        assert forecast.levels_off_low is not None
        assert forecast.levels_off_high is not None
        assert forecast.levels_off_low <= (forecast.levels_off or 0.0) <= forecast.levels_off_high


def test_the_band_holds_the_truth_about_as_often_as_it_says() -> None:
    inside = 0
    for noise in range(60):
        point = fitted(cells(0.05, 0.12, 0.5, of=200, noise=noise)).band([640])[0]
        inside += point.low <= 1 - 0.05 - 0.12 * 2**-0.5 <= point.high
    assert inside >= 54


def test_the_same_cells_give_the_same_curve() -> None:
    points = cells(0.1, 0.1, 0.5, noise=3)
    first, second = fitted(points), fitted(points)
    assert first.forecast(0.85) == second.forecast(0.85)
    assert first.band([100]) == second.band([100])


def test_how_many_more_in_words() -> None:
    forecast = fitted(cells(0.02, 0.18, 0.6, of=20_000), resamples=2000).forecast(0.85)
    assert forecast.verdict is CurveVerdict.MORE
    assert forecast.more == pytest.approx(320 * ((0.18 / 0.13) ** (1 / 0.6) - 1), rel=0.05)
    assert forecast.low is not None
    assert forecast.high is not None
    assert forecast.sentence.startswith("about 240 more examples for 85 % (1")
    assert 450 < forecast.low < 550 < forecast.high < 660
    wide = fitted(cells(0.02, 0.18, 0.6, of=40, noise=1)).forecast(0.85)
    assert wide.high is None
    assert wide.sentence.endswith("at least; the band is too wide to say how many at most, or whether they are enough)")


def test_a_student_that_levels_off_below() -> None:
    forecast = fitted(measured([0.55, 0.7, 0.765, 0.78, 0.78], of=1000)).forecast(0.85)
    assert forecast.verdict is CurveVerdict.NOT_REACHED
    assert forecast.levels_off == pytest.approx(0.79, abs=0.01)
    assert (forecast.examples, forecast.more) == (None, None)
    assert forecast.sentence.startswith("85 % is not reached by this student (levels off at 79 %; 7")
    few = fitted(measured([0.5, 0.6, 0.7, 0.72, 0.73], of=30)).forecast(0.85)
    assert few.verdict is CurveVerdict.UNSETTLED
    assert few.sentence.startswith("whether 85 % is reached is not settled (by the fit it levels off at 7")


def test_a_target_that_was_reached() -> None:
    forecast = fitted(cells(0.02, 0.05, 0.6, of=20_000)).forecast(0.85)
    assert (forecast.verdict, forecast.more) == (CurveVerdict.REACHED, 0)
    assert forecast.examples == pytest.approx(320 * (0.05 / 0.13) ** (1 / 0.6), rel=0.05)
    assert forecast.sentence == "85 % is reached with about 65 examples (61 to 69)"


@pytest.mark.parametrize(
    ("rate", "verdict", "words"),
    [
        (1.0, CurveVerdict.REACHED, "85 % is reached with about"),
        (0.0, CurveVerdict.NOT_REACHED, "85 % is not reached by this student (levels off at 0 %; 0–"),
        (0.6, CurveVerdict.NOT_REACHED, "85 % is not reached by this student (levels off at 60 %; 5"),
    ],
)
def test_always_the_same(rate: float, verdict: CurveVerdict, words: str) -> None:
    """All right, all wrong, and flat: the curve is a level, and nothing is divided by zero."""
    curve = fitted(measured([rate] * 5))
    assert [curve.accuracy(n) for n in (20, 320, 10_000)] == pytest.approx([rate] * 3)
    forecast = curve.forecast(0.85)
    assert forecast.verdict is verdict
    assert forecast.sentence.startswith(words)


def test_accuracy_that_falls() -> None:
    curve = fitted(measured([0.7, 0.65, 0.6, 0.5, 0.45]))
    assert curve.accuracy(20) == curve.accuracy(3200) == pytest.approx(0.58, abs=0.02), "a law of errors never rises"
    forecast = curve.forecast(0.85)
    assert forecast.verdict is CurveVerdict.FALLS
    assert forecast.sentence.startswith("accuracy falls with more examples, and is below 85 %: look at the recipe")


def test_a_curve_of_another_form_says_so() -> None:
    """A student that learns nothing for long, and then all at once, has no power law."""
    curve = fitted(measured([0.34, 0.33, 0.35, 0.36, 0.97], of=400))
    assert curve.poor_at
    assert curve.forecast(0.85).sentence.endswith(": do not rely on it")
    assert fitted(cells(0.05, 0.1, 0.5, noise=1)).poor_at == []


@pytest.mark.parametrize("sizes", [0, 1, 2])
def test_too_few_sizes_to_tell(sizes: int) -> None:
    assert fit_curve([cell for cell in cells(0.1, 0.1, 0.5) if cell.size in SIZES[:sizes]]) is None
    assert fit_curve([cell._replace(of=0, right=0) for cell in cells(0.1, 0.1, 0.5)]) is None


def test_seeds_that_are_far_apart_make_the_band_wide() -> None:
    alike = cells(0.1, 0.1, 0.5, of=2000)
    apart = [cell._replace(right=cell.right + 200 * (cell.seed - 1)) for cell in alike]
    near, far = (fitted(points).band([320])[0] for points in (alike, apart))
    assert near.accuracy == pytest.approx(far.accuracy, abs=0.01)
    assert near.high - near.low < 0.05
    assert far.high - far.low > 0.12


def test_one_seed_and_a_curve_that_is_not_complete() -> None:
    points = cells(0.1, 0.1, 0.5, seeds=1, noise=2)
    band = fitted(points).band([320])[0]
    assert band.high - band.low > 0.02, "one seed does not make it certain"
    two_begun = [*points, points[0]._replace(seed=1)]
    assert fitted(two_begun).forecast(0.85).verdict is not CurveVerdict.TOO_FEW


# ------------------------------------------------------------ sizes and subsets


def test_sizes_are_halves() -> None:
    assert curve_sizes(1280, 5, 3) == [80, 160, 320, 640, 1280]
    assert curve_sizes(24, 5, 3) == [6, 8, 12, 17, 24]
    assert curve_sizes(24, 1, 3) == [24]
    assert curve_sizes(4, 5, 3) == [4]


@given(largest=st.integers(1, 5000), number=st.integers(1, 20), decisions=st.integers(2, 6))
def test_sizes_go_up_to_all(largest: int, number: int, decisions: int) -> None:
    sizes = curve_sizes(largest, number, decisions)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == largest
    assert 1 <= len(sizes) <= number
    assert sizes[0] >= min(largest, 2 * decisions)


def pool(families: list[tuple[int, int]]) -> list[Example]:
    """Examples in families, each of so many members with decisions in turn, at a level."""
    labels = ("VALIDATED", "REJECTED", "REFINED")
    return [
        example(family=f"f{family}", decision=labels[(family + member) % 3], level=level, split="train")
        for family, (members, level) in enumerate(families)
        for member in range(members)
    ]


@settings(max_examples=40)
@given(
    families=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=60), seed=st.integers(0, 99)
)
def test_subsets_are_nested_and_families_whole(families: list[tuple[int, int]], seed: int) -> None:
    examples = pool(families)
    order = nested_order(examples, seed)
    assert nested_order(list(reversed(examples)), seed) == order, "the order of reading does not matter"
    earlier: set[str] = set()
    for size in (1, 3, 9, 27, len(examples)):
        chosen = subset(order, size)
        names = {one.id for one in chosen}
        assert earlier <= names
        assert names == {one.id for one in examples if one.family in {one.family for one in chosen}}
        if size <= len(examples):
            assert abs(len(chosen) - size) <= 2
        earlier = names
    assert earlier == {one.id for one in examples}


def test_subsets_have_decisions_and_levels_in_their_shares() -> None:
    examples = pool([(1, 1 + family % 2) for family in range(240)])
    first = nested_order(examples, 0)
    for size in (24, 60, 120):
        counts = Counter((one.decision, one.level) for one in subset(first, size))
        assert len(counts) == 6
        assert all(abs(count - size / 6) <= 1 for count in counts.values())
    assert subset(first, 24) != subset(nested_order(examples, 1), 24), "another seed learns from others"


def test_a_later_version_is_another_set() -> None:
    examples = pool([(2, 1)])
    assert fingerprint(examples) == fingerprint(examples[::-1])
    assert fingerprint(examples) != fingerprint([examples[0], examples[1].model_copy(update={"version": 2})])
    assert fingerprint(examples) != fingerprint(examples[:1])


# ------------------------------------------------------------ cells


REASON = Recipe(algorithm=Algorithm.SFT, steps=100, batch=8, patience=2, evaluate_every=10, evaluate_on=60)
DIRECT = Recipe(algorithm=Algorithm.SFT, mode=Mode.DIRECT)
CLASSIFIER = Recipe(algorithm=Algorithm.CLASSIFY)


def test_quick_kinds_come_first_and_the_baseline_before_all() -> None:
    recipes = quick_first({"reason": REASON, "classifier": CLASSIFIER, "direct": DIRECT})
    assert list(recipes) == ["classifier", "direct", "reason"]
    params = CurveParams(recipes=recipes, students=dict.fromkeys(recipes, "tiny"), sizes=[10, 20], seeds=[0, 1])
    planned = planned_cells(params)
    assert [cell.recipe for cell in planned][::4] == [BASELINE, "classifier", "direct", "reason"]
    assert [(cell.seed, cell.size) for cell in planned[:4]] == [(0, 10), (0, 20), (1, 10), (1, 20)]
    assert len({cell.name for cell in planned}) == 16
    assert {cell.steps for cell in planned if cell.recipe == "reason"} == {100}


def test_steps_of_a_cell() -> None:
    plain = {"recipes": {"reason": REASON}, "students": {"reason": "tiny"}, "sizes": [10, 20, 40], "seeds": [0]}

    def steps(**change: object) -> list[int]:
        planned = planned_cells(CurveParams.model_validate(plain | change))
        return [cell.steps for cell in planned if cell.recipe == "reason"]

    assert steps() == [100, 100, 100]
    assert steps(scale_steps=True) == [25, 50, 100]
    assert steps(fresh=40) == [2, 3, 5]


def test_a_cell_is_measured_on_all_of_dev_at_its_end_alone() -> None:
    plain = {"recipes": {"reason": REASON}, "students": {"reason": "tiny"}, "sizes": [10], "seeds": [4]}
    cell = planned_cells(CurveParams.model_validate(plain))[-1]
    recipe = cell_recipe(REASON, cell, 77)
    assert (recipe.seed, recipe.steps, recipe.evaluate_every, recipe.evaluate_on, recipe.patience) == (
        4,
        100,
        100,
        77,
        None,
    )
    ladder = REASON.model_copy(update={"curriculum": Curriculum(order="ladder")})
    assert cell_recipe(ladder, cell, 77).evaluate_every == 10, "a ladder climbs by its looks"


def test_the_baseline_learns_words() -> None:
    train = [
        example(hypothesis=f"{word} {number}", decision=decision, family=f"{word}{number}")
        for word, decision in (("rises", "VALIDATED"), ("falls", "REJECTED"))
        for number in range(6)
    ]
    dev = [
        example(hypothesis="rises 9", decision="VALIDATED"),
        example(hypothesis="falls 9", decision="REJECTED"),
        example(hypothesis="falls 8", decision="VALIDATED"),
    ]
    numbers = baseline_figures(["VALIDATED", "REJECTED", "REFINED"], train, dev)
    assert (numbers["right"], numbers["n"]) == (2, 3)
    only = baseline_figures(["VALIDATED", "REJECTED", "REFINED"], train[:6], dev)
    assert (only["right"], only["n"]) == (2, 3), "of one decision alone it decides always that"


def test_a_size_in_words() -> None:
    row = SizeResult(40, 3, 40.0, 486, 600, 0.81, 0.021, 0.786, 0.824, 0.75, 0.86, 12.0)
    assert format_size(row) == "81.0 % ± 2.1 (78.6–82.4, 3 seeds)"
    one = SizeResult(40, 1, 40.0, 162, 200, 0.81, None, 0.81, 0.81, 0.75, 0.86, 12.0)
    assert format_size(one) == "81.0 % (75.0–86.0, 1 seed)"
