"""Draws the charts of a report: inline SVG, built as a tree so that no text can break out of it.

All charts are 360 wide, so that their text can be read on a phone. Their colours are classes of the page's style
sheet. The data is in a table beside the chart too, or in its description.
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
# More points than this cannot be told apart in a curve: it shows the means of neighbours.
MAX_POINTS = 180


@dataclass(frozen=True, slots=True)
class Range:
    """A labelled fraction with its interval; None is unknown."""

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
    """Fractions with intervals, a line for each, on an axis from 0 to 100 %; `target` is drawn across."""
    left, right, top, step = 126.0, WIDTH - 24, 8.0, 22.0
    bottom = top + step * len(rows)
    description = "; ".join(f"{row.label} {format_percent(row.value)}" for row in rows)
    root = _svg(bottom + 24, title, description)

    def x(fraction: float) -> float:
        return left + (right - left) * fraction

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        _line(root, x(tick), top, x(tick), bottom, "grid")
        _text(
            root, x(tick), bottom + 16, f"{100 * tick:.0f} %" if tick in {0.0, 1.0} else f"{100 * tick:.0f}", "middle"
        )
    if target is not None:
        _line(root, x(target), top, x(target), bottom, "target")
    for position, row in enumerate(rows):
        y = top + step * (position + 0.5)
        _text(root, left - 8, y + 4, _truncate(row.label), "end")
        if row.value is None:
            _text(root, x(0.5), y + 4, "unknown", "middle")
            continue
        _line(root, x(row.low), y, x(row.high), y, "interval")
        _add(root, "circle", cx=x(row.value), cy=y, r=4.0, **{"class": "mark"})
    return _markup(root)


def reliability_chart(bins: Sequence[Bin], title: str) -> Markup:
    """How often answers were right (vertical) against the confidence in them (horizontal), with intervals."""
    left, right, top, bottom = 44.0, WIDTH - 12, 8.0, 300.0
    description = "; ".join(f"confidence {part.confidence:.2f}: right {part.right} of {part.n}" for part in bins)
    root = _svg(bottom + 38, title, description)

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
    for part in bins:
        _line(root, x(part.confidence), y(part.low), x(part.confidence), y(part.high), "interval")
        _add(root, "circle", cx=x(part.confidence), cy=y(part.accuracy), r=4.0, **{"class": "mark"})
    _text(root, (left + right) / 2, bottom + 32, "confidence, and upwards: how often right", "middle")
    return _markup(root)


def curve_chart(points: Sequence[Point], title: str, *, percent: bool = False) -> Markup:
    """A value over steps, with its intervals if it has any; with `percent`, the axis goes from 0 to 100 %."""
    shown = thin_out([point for point in points if math.isfinite(point.value)])
    left, right, top, bottom = 62.0, WIDTH - 12, 22.0, 128.0
    if not shown:
        root = _svg(44, title, "unknown")
        _text(root, left, 28, f"{title}: unknown", "start")
        return _markup(root)
    values = [point.value for point in shown]
    first, last = shown[0].step, max(shown[-1].step, shown[0].step + 1)
    low, high = (0.0, 1.0) if percent else (min(values), max(values))
    span = high - low or 1.0

    def label(value: float) -> str:
        return f"{100 * value:.0f} %" if percent else f"{value:.3g}"

    description = f"{label(values[0])} at step {shown[0].step:g}, {label(values[-1])} at step {shown[-1].step:g}; "
    root = _svg(bottom + 22, title, description + f"from {label(min(values))} to {label(max(values))}")

    def x(step: float) -> float:
        return left + (right - left) * (step - first) / (last - first)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / span

    _text(root, left, 14, title, "start", "name")
    for value in (low, high):
        _line(root, left, y(value), right, y(value), "grid")
        _text(root, left - 6, y(value) + 4, label(value), "end")
        if high == low:
            break
    _text(root, left, bottom + 16, f"{first:g}", "middle")
    _text(root, right, bottom + 16, f"{last:g}", "end")
    _add(
        root,
        "polyline",
        points=" ".join(f"{x(point.step):.1f},{y(point.value):.1f}" for point in shown),
        **{"class": "curve"},
    )
    for point in shown:
        if point.low is not None and point.high is not None:
            _line(root, x(point.step), y(point.low), x(point.step), y(point.high), "interval")
        if len(shown) <= 40:
            _add(root, "circle", cx=x(point.step), cy=y(point.value), r=2.5, **{"class": "mark"})
    return _markup(root)


def learning_chart(points: Sequence[Point], band: Sequence[Point], title: str, target: float) -> Markup:
    """Accuracy by number of examples, on a logarithmic axis: what was measured, with the range over seeds; the fitted
    curve with its band, as far as it is given; and a line at the target."""
    left, right, top, bottom = 62.0, WIDTH - 12, 22.0, 188.0
    if not points:
        root = _svg(44, title, "unknown")
        _text(root, left, 28, f"{title}: unknown", "start")
        return _markup(root)
    description = "; ".join(f"{format_percent(point.value)} with {point.step:,.0f} examples" for point in points)
    root = _svg(bottom + 38, title, description)
    first = min(point.step for point in [*points, *band])
    last = max(max(point.step for point in [*points, *band]), first + 1)

    def x(examples: float) -> float:
        return left + (right - left) * math.log(examples / first) / math.log(last / first)

    def y(fraction: float) -> float:
        return bottom - (bottom - top) * fraction

    _text(root, left, 14, title, "start", "name")
    for tick in (0.0, 0.5, 1.0):
        _line(root, left, y(tick), right, y(tick), "grid")
        _text(root, left - 6, y(tick) + 4, f"{100 * tick:.0f} %", "end")
    _line(root, left, y(target), right, y(target), "target")
    known = [(point.step, point.low, point.high) for point in band if point.low is not None and point.high is not None]
    edge = [(step, low) for step, low, _ in known] + [(step, high) for step, _, high in reversed(known)]
    for name, style, line in (("polygon", "band", edge), ("polyline", "curve", [(p.step, p.value) for p in band])):
        if line:
            corners = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in line)
            _add(root, name, points=corners, **{"class": style})
    for point in points:
        if point.low is not None and point.high is not None:
            _line(root, x(point.step), y(point.low), x(point.step), y(point.high), "interval")
        _add(root, "circle", cx=x(point.step), cy=y(point.value), r=3.5, **{"class": "mark"})
    for examples, anchor in ((first, "middle"), (last, "end")):
        _text(root, x(examples), bottom + 16, f"{examples:,.0f}", anchor)
    _text(root, (left + right) / 2, bottom + 32, "examples (logarithmic)", "middle")
    return _markup(root)


def quota_chart(quota: Quota, title: str) -> Markup:
    """How many examples there are, on an axis up to the maximum of the quota; the wanted range is marked."""
    left, right, y = 4.0, WIDTH - 4, 10.0
    end = max(quota.max, quota.have, 1)
    root = _svg(20, title, f"{quota.have} of {quota.min} to {quota.max}")

    def x(number: int) -> float:
        return left + (right - left) * number / end

    _add(root, "rect", x=left, y=y - 5, width=right - left, height=10.0, **{"class": "trough"})
    _add(root, "rect", x=left, y=y - 5, width=x(quota.have) - left, height=10.0, **{"class": "fill"})
    for bound in (quota.min, quota.max):
        _line(root, x(bound), y - 9, x(bound), y + 9, "target")
    return _markup(root)


def thin_out(points: Sequence[Point], max_points: int = MAX_POINTS) -> list[Point]:
    """At most `max_points` points: neighbours become their mean, at their mean step, without intervals."""
    group_size = math.ceil(len(points) / max_points) if points else 1
    if group_size == 1:
        return list(points)
    groups = [points[start : start + group_size] for start in range(0, len(points), group_size)]
    return [
        Point(sum(point.step for point in group) / len(group), sum(point.value for point in group) / len(group))
        for group in groups
    ]


def format_percent(fraction: float | None) -> str:
    return "unknown" if fraction is None else f"{100 * fraction:.1f} %"


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}…"


def _svg(height: float, title: str, description: str) -> Tree.Element:
    description = f"{title}: {description}"
    return Tree.Element("svg", {"viewBox": f"0 0 {WIDTH:g} {height:g}", "role": "img", "aria-label": description})


def _add(root: Tree.Element, name: str, **attributes: float | str) -> Tree.Element:
    formatted = {key: f"{value:.1f}" if isinstance(value, float) else str(value) for key, value in attributes.items()}
    return Tree.SubElement(root, name, formatted)


def _line(root: Tree.Element, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
    _add(root, "line", x1=x1, y1=y1, x2=x2, y2=y2, **{"class": style})


def _text(root: Tree.Element, x: float, y: float, text: str, anchor: str, style: str = "") -> None:
    extra = {"class": style} if style else {}
    _add(root, "text", x=x, y=y, **{"text-anchor": anchor}, **extra).text = text


def _markup(root: Tree.Element) -> Markup:
    # ElementTree escapes the texts and attributes of all elements.
    return Markup(Tree.tostring(root, encoding="unicode"))  # noqa: S704  a tree of ours, which escapes every text
