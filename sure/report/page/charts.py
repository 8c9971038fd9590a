"""Charts of the page as SVG: score against trained parameters, and training curves."""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from sure.report.page.axis import Axis, short_number
from sure.report.page.html import Html, joined, tag
from sure.report.results import SCORES, Result, rows_of

PLOT, HEIGHT = 520, 380  # of the scores
CURVE, LOW = 260, 240  # of the training curves, which fit a phone
LEFT, TOP, BOTTOM = 58, 16, 48  # room for ticks
RIGHT = LEFT + PLOT  # names are to its right
LINE, LETTER = 16, 7.5  # pixels between names; width of a letter, of the widest fonts
LONGEST = 48  # letters of a name
COLORS = 8  # classes c0 to c7 of the page; further lines have other dashes
DASHES = ("", "6 3", "2 3", "9 3 2 3")


class Point(NamedTuple):
    name: str
    parameters: float  # trained, with head; mean over seeds
    score: float
    deviation: float  # over seeds


class Line(NamedTuple):
    name: str
    style: int  # lines of one style have the same colour and dashes
    points: Sequence[tuple[float, float]]


def pareto_chart(results: Sequence[Result]) -> Html:
    """Mean score of each row of one test set against its trained parameters, and a line along the Pareto front.

    Rows without trained parameters and upper bounds are dotted lines. Rows with a random backbone are left out, because
    their scores are far from the others. Empty without any point.
    """
    first, rows = results[0], rows_of(results)
    points = [point for name, row in rows.items() if (point := _point(name, row))]
    if not points:
        return Html()
    bounds = {
        name: row[0]["score"]
        for name, row in rows.items()
        if (row[0].is_upper_bound or row[0]["trained_parameters"] == 0) and _is_finite(row[0]["score"])
    }
    front = pareto_front(points, first["higher_is_better"])
    ends = [one.score + side * one.deviation for one in points for side in (-1, 1)]
    height = max(HEIGHT, TOP + BOTTOM + LINE * (len(points) + len(bounds)))
    across = Axis([point.parameters for point in points], LEFT, RIGHT, log=True)
    up = Axis([*ends, *bounds.values()], height - BOTTOM, TOP)
    label = SCORES.get(first["score_name"], first["score_name"])
    better = "higher" if first["higher_is_better"] else "lower"
    parts = [_axes(across, up, height, "trained parameters, with head", f"{label} ({better} is better)")]
    parts += [_path([(LEFT, up(score)), (RIGHT, up(score))], class_="bound") for score in bounds.values()]
    parts.append(_path([(across(one.parameters), up(one.score)) for one in front], class_="front"))
    ends = [(point.name, across(point.parameters), up(point.score)) for point in points]
    ends += [(name, RIGHT, up(score)) for name, score in bounds.items()]
    places = _apart([y for *_, y in ends], TOP + LINE / 2, height - BOTTOM)
    best = {point.name for point in front}
    parts += [_named(*end, place, end[0] in best) for end, place in zip(ends, places, strict=True)]
    parts += [_marked(point, across, up, point in front) for point in points]
    width = RIGHT + 20 + LETTER * min(LONGEST, max(len(name) for name, *_ in ends))
    chart = _svg(parts, width, height, f"{label} against trained parameters; line: Pareto front")
    hidden = [name for name, row in rows.items() if _is_random(row)]
    note = f"Not in the chart, with a random backbone: {', '.join(hidden)}."
    return joined([chart, tag("p", note, class_="note")] if hidden else [chart])


def pareto_front(points: Sequence[Point], higher_is_better: bool) -> list[Point]:
    """The points than which no other has a better score with at most as many parameters, fewest parameters first."""
    sign = -1 if higher_is_better else 1
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.parameters, sign * point.score)):
        if not front or sign * point.score < sign * front[-1].score:
            front.append(point)
    return front


def curve_chart(lines: Sequence[Line], label: str) -> Html:
    """Values over epochs; logarithmic where all are positive and they span more than a factor of 20."""
    values = [value for line in lines for _, value in line.points]
    if not values:
        return Html()
    log = min(values) > 0 and max(values) > 20 * min(values)
    across = Axis([epoch for line in lines for epoch, _ in line.points], LEFT, LEFT + CURVE, whole=True)
    up = Axis(values, LOW - BOTTOM, TOP, log)
    parts = [_axes(across, up, LOW, "epoch", label)]
    for line in lines:
        pixels = [(across(epoch), up(value)) for epoch, value in line.points]
        dots = [_dot(*pixel, f"{line.name}, epoch {epoch:g}: {value:.4g}", 2.5)
                for pixel, (epoch, value) in zip(pixels, line.points, strict=True)]  # fmt: skip
        parts.append(tag("g", _styled(pixels, line.style), *dots, class_=f"c{line.style % COLORS}"))
    return _svg(parts, LEFT + CURVE + 8, LOW, f"{label} by epoch")


def legend(names: Sequence[str]) -> Html:
    """The names of the styles of `curve_chart`, with their colours and dashes."""
    items = []
    for style, name in enumerate(names):
        line = tag("g", _styled([(0, 6), (28, 6)], style), class_=f"c{style % COLORS}")
        swatch = tag("svg", line, viewBox="0 0 28 12", aria_hidden="true")
        items.append(tag("li", swatch, name))
    return tag("ul", *items, class_="legend")


def _point(name: str, row: Sequence[Result]) -> Point | None:
    known = [one for one in row if one["trained_parameters"] and _is_finite(one["score"])]
    if not known or row[0].is_upper_bound or _is_random(row):
        return None
    scores = [one["score"] for one in known]
    parameters = statistics.fmean(one["trained_parameters"] for one in known)
    return Point(name, parameters, statistics.fmean(scores), statistics.stdev(scores) if len(scores) > 1 else 0.0)


def _is_random(row: Sequence[Result]) -> bool:
    return str(row[0]["backbone_weights"]).startswith("random")


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _apart(places: Sequence[float], low: float, high: float) -> list[float]:
    """The places moved, in their order, until neighbours are LINE apart within the bounds."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = [0.0] * len(places)
    for before, now in pairwise([None, *order]):
        moved[now] = max(places[now], low if before is None else moved[before] + LINE)
    for after, now in pairwise([None, *reversed(order)]):
        moved[now] = min(moved[now], high if after is None else moved[after] - LINE)
    return moved


def _named(name: str, x: float, y: float, place: float, on_front: bool) -> Html:
    """The name to the right of the plot at height `place`, and a line to its point."""
    leader = _path([(x, y), (RIGHT, y), (RIGHT + 12, place), (RIGHT + 16, place)], class_="leader")
    shown = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return tag("g", leader, _text(RIGHT + 20, place + 4, shown, "strong" if on_front else ""))


def _marked(point: Point, across: Axis, up: Axis, on_front: bool) -> Html:
    x, y = across(point.parameters), up(point.score)
    parts = []
    if point.deviation:
        parts.append(_path([(x, up(point.score - point.deviation)), (x, up(point.score + point.deviation))]))
    about = f"{point.name}: {point.score:.2f}, {point.parameters:,.0f} parameters"
    parts.append(_dot(x, y, about, 5, "best" if on_front else ""))
    return tag("g", *parts)


def _axes(across: Axis, up: Axis, height: float, below: str, left: str) -> Html:
    parts = []
    for value in across.ticks():
        x = across(value)
        parts += [_path([(x, TOP), (x, height - BOTTOM)], class_="grid")]
        parts += [_text(x, height - BOTTOM + 16, short_number(value), "middle")]
    for value in up.ticks():
        y = up(value)
        parts += [_path([(LEFT, y), (across.end, y)], class_="grid")]
        parts += [_text(LEFT - 6, y + 4, short_number(value), "end")]
    parts.append(_text((LEFT + across.end) / 2, height - 10, below, "middle"))
    middle = (TOP + height - BOTTOM) / 2
    turned = tag("g", _text(0, 0, left, "middle"), transform=f"translate(14 {middle}) rotate(-90)")
    return tag("g", *parts, turned)


def _path(points: Sequence[tuple[float, float]], **attributes: str) -> Html:
    given = {key: value for key, value in attributes.items() if value}
    return tag("polyline", points=" ".join(f"{x:g},{y:g}" for x, y in points), **given)


def _styled(points: Sequence[tuple[float, float]], style: int) -> Html:
    return _path(points, stroke_dasharray=DASHES[style // COLORS % len(DASHES)])


def _dot(x: float, y: float, about: str, radius: float, name: str = "") -> Html:
    return tag("circle", tag("title", about), cx=x, cy=y, r=radius, class_=name or False)


def _text(x: float, y: float, text: str, name: str = "") -> Html:
    return tag("text", text, x=f"{x:g}", y=f"{y:g}", class_=name or False)


def _svg(parts: Sequence[Html], width: float, height: float, label: str) -> Html:
    picture = tag("svg", joined(parts), width=f"{width:g}", height=f"{height:g}", role="img", aria_label=label)
    return tag("div", picture, class_="wide chart", tabindex=0, role="region", aria_label=label)
