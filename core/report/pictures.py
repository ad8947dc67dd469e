"""The pictures of a report: inline SVG, made as a tree so that no text can break out of it.

All are 360 wide, so that their words can be read on a phone; their colours are classes of the page's style sheet.
What they show stands in a table beside them, or in their description.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Tree

from markupsafe import Markup

from core.benchmark.calibration import Bin
from core.curriculum.plan import Quota

WIDTH = 360.0
MAX_LABEL = 17
# More points than this are not told apart in a curve: neighbours are shown as their mean.
MAX_POINTS = 180


@dataclass(frozen=True, slots=True)
class Range:
    """A fraction with its interval under a label; None is unknown."""

    label: str
    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a step, with its interval if it has one."""

    step: float
    value: float
    low: float | None = None
    high: float | None = None


def range_chart(rows: Sequence[Range], title: str, target: float | None = None) -> Markup:
    """Fractions on an axis from 0 to 100 %, a line each, with intervals; `target` is a line across."""
    left, right, top, step = 126.0, WIDTH - 24, 8.0, 22.0
    bottom = top + step * len(rows)
    told = "; ".join(f"{row.label} {_percent(row.value)}" for row in rows)
    root = _picture(bottom + 24, title, told)

    def x(fraction: float) -> float:
        return left + (right - left) * fraction

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        _line(root, x(tick), top, x(tick), bottom, "grid")
        _text(
            root, x(tick), bottom + 16, f"{100 * tick:.0f} %" if tick in {0.0, 1.0} else f"{100 * tick:.0f}", "middle"
        )
    if target is not None:
        _line(root, x(target), top, x(target), bottom, "target")
    for at, row in enumerate(rows):
        y = top + step * (at + 0.5)
        _text(root, left - 8, y + 4, _short(row.label), "end")
        if row.value is None:
            _text(root, x(0.5), y + 4, "unknown", "middle")
            continue
        _line(root, x(row.low), y, x(row.high), y, "interval")
        _add(root, "circle", cx=x(row.value), cy=y, r=4.0, **{"class": "mark"})
    return _markup(root)


def reliability_chart(bins: Sequence[Bin], title: str) -> Markup:
    """How often answers were right (upwards) against the confidence in them (to the right), with intervals."""
    left, right, top, bottom = 44.0, WIDTH - 12, 8.0, 300.0
    told = "; ".join(f"confidence {one.confidence:.2f}: right {one.right} of {one.n}" for one in bins)
    root = _picture(bottom + 38, title, told)

    def x(fraction: float) -> float:
        return left + (right - left) * fraction

    def y(fraction: float) -> float:
        return bottom - (bottom - top) * fraction

    for tick in (0.0, 0.5, 1.0):
        _line(root, x(tick), top, x(tick), bottom, "grid")
        _line(root, left, y(tick), right, y(tick), "grid")
        _text(root, x(tick), bottom + 16, f"{tick:g}", "middle")
        _text(root, left - 6, y(tick) + 4, f"{tick:g}", "end")
    _line(root, x(0), y(0), x(1), y(1), "target")
    for one in bins:
        _line(root, x(one.confidence), y(one.low), x(one.confidence), y(one.high), "interval")
        _add(root, "circle", cx=x(one.confidence), cy=y(one.accuracy), r=4.0, **{"class": "mark"})
    _text(root, (left + right) / 2, bottom + 32, "confidence, and upwards: how often right", "middle")
    return _markup(root)


def curve_chart(points: Sequence[Point], title: str, *, percent: bool = False) -> Markup:
    """A value over steps, with its intervals where it has them; `percent` has an axis from 0 to 100 %."""
    drawn = thin_out([one for one in points if math.isfinite(one.value)])
    left, right, top, bottom = 62.0, WIDTH - 12, 22.0, 128.0
    if not drawn:
        root = _picture(44, title, "unknown")
        _text(root, left, 28, f"{title}: unknown", "start")
        return _markup(root)
    values = [one.value for one in drawn]
    first, last = drawn[0].step, max(drawn[-1].step, drawn[0].step + 1)
    low, high = (0.0, 1.0) if percent else (min(values), max(values))
    span = high - low or 1.0

    def word(value: float) -> str:
        return f"{100 * value:.0f} %" if percent else f"{value:.3g}"

    told = f"{word(values[0])} at step {drawn[0].step:g}, {word(values[-1])} at step {drawn[-1].step:g}; "
    root = _picture(bottom + 22, title, told + f"from {word(min(values))} to {word(max(values))}")

    def x(step: float) -> float:
        return left + (right - left) * (step - first) / (last - first)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / span

    _text(root, left, 14, title, "start", "name")
    for value in (low, high):
        _line(root, left, y(value), right, y(value), "grid")
        _text(root, left - 6, y(value) + 4, word(value), "end")
        if high == low:
            break
    _text(root, left, bottom + 16, f"{first:g}", "middle")
    _text(root, right, bottom + 16, f"{last:g}", "end")
    _add(
        root,
        "polyline",
        points=" ".join(f"{x(one.step):.1f},{y(one.value):.1f}" for one in drawn),
        **{"class": "curve"},
    )
    for one in drawn:
        if one.low is not None and one.high is not None:
            _line(root, x(one.step), y(one.low), x(one.step), y(one.high), "interval")
        if len(drawn) <= 40:
            _add(root, "circle", cx=x(one.step), cy=y(one.value), r=2.5, **{"class": "mark"})
    return _markup(root)


def stock(quota: Quota, title: str) -> Markup:
    """How many examples there are, on an axis that reaches to the quota's end; the wanted range is marked."""
    left, right, y = 4.0, WIDTH - 4, 10.0
    most = max(quota.max, quota.have, 1)
    root = _picture(20, title, f"{quota.have} of {quota.min} to {quota.max}")

    def x(number: int) -> float:
        return left + (right - left) * number / most

    _add(root, "rect", x=left, y=y - 5, width=right - left, height=10.0, **{"class": "trough"})
    _add(root, "rect", x=left, y=y - 5, width=x(quota.have) - left, height=10.0, **{"class": "fill"})
    for end in (quota.min, quota.max):
        _line(root, x(end), y - 9, x(end), y + 9, "target")
    return _markup(root)


def thin_out(points: Sequence[Point], max_points: int = MAX_POINTS) -> list[Point]:
    """At most `most` points: neighbours become their mean, at their mean step; intervals are kept only unthinned."""
    each = math.ceil(len(points) / max_points) if points else 1
    if each == 1:
        return list(points)
    groups = [points[at : at + each] for at in range(0, len(points), each)]
    return [
        Point(sum(one.step for one in group) / len(group), sum(one.value for one in group) / len(group))
        for group in groups
    ]


def _percent(fraction: float | None) -> str:
    return "unknown" if fraction is None else f"{100 * fraction:.1f} %"


def _short(text: str) -> str:
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}…"


def _picture(height: float, title: str, told: str) -> Tree.Element:
    told = f"{title}: {told}"
    return Tree.Element("svg", {"viewBox": f"0 0 {WIDTH:g} {height:g}", "role": "img", "aria-label": told})


def _add(root: Tree.Element, name: str, **attributes: float | str) -> Tree.Element:
    told = {key: f"{value:.1f}" if isinstance(value, float) else str(value) for key, value in attributes.items()}
    return Tree.SubElement(root, name, told)


def _line(root: Tree.Element, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
    _add(root, "line", x1=x1, y1=y1, x2=x2, y2=y2, **{"class": style})


def _text(root: Tree.Element, x: float, y: float, text: str, anchor: str, style: str = "") -> None:
    more = {"class": style} if style else {}
    _add(root, "text", x=x, y=y, **{"text-anchor": anchor}, **more).text = text


def _markup(root: Tree.Element) -> Markup:
    # A tree of elements: ElementTree escapes what stands in their texts and attributes.
    return Markup(Tree.tostring(root, encoding="unicode"))  # noqa: S704  a tree of ours, which escapes every text
