"""Numbers to small drawings in SVG, made here so that no page needs a library; colours are the stylesheet's."""

from collections.abc import Sequence

from markupsafe import Markup, escape

HEIGHT = 48  # of a chart of bars; widths stretch
LEAST = 1.5  # so that what is not nothing can be seen


def bars(values: Sequence[tuple[int, int]], meaning: str) -> Markup:
    """A bar for each (all, of these failed), the failed part at the bottom in the colour of trouble."""
    top = max((number for number, _ in values), default=0) or 1
    drawn = [
        _rect(3 * place, HEIGHT - _size(part, top), 2.2, _size(part, top), kind)
        for place, (number, failed) in enumerate(values)
        for part, kind in ((number, "bar"), (failed, "bar trouble"))
        if part
    ]
    floor = f'<line class="floor" x1="0" x2="{3 * len(values)}" y1="{HEIGHT}" y2="{HEIGHT}"/>'
    return _svg("chart", 3 * len(values), HEIGHT, [floor, *drawn], meaning)


def meter(half: float, most: float, top: float, meaning: str) -> Markup:
    """Two bars over each other on a scale up to `top`: the median, and the 95th of a hundred."""
    half, most = (100 * min(one / top, 1.0) if top > 0 and one > 0 else 0.0 for one in (half, most))
    drawn = [_rect(0, 0, 100, 8, "track"), _rect(0, 0, most, 8, "most"), _rect(0, 0, half, 8, "bar")]
    return _svg("meter", 100, 8, drawn, meaning)


def interval(low: float, mean: float, high: float, bounds: tuple[float, float], meaning: str) -> Markup:
    """A mean with its interval, between the same bounds as those above and below it; a line at zero if it is inside."""
    left, right = bounds
    scale = 100 / ((right - left) or 1.0)
    zero = [_rect((0 - left) * scale - 0.2, 0, 0.4, 16, "zero")] if left < 0 < right else []
    drawn = [
        *zero,
        _rect((low - left) * scale, 6, max((high - low) * scale, 0.4), 4, "most"),
        _rect((mean - left) * scale - 0.5, 2, 1.0, 12, "bar"),
    ]
    return _svg("interval", 100, 16, drawn, meaning)


def _size(part: int, top: int) -> float:
    return max(LEAST, part / top * (HEIGHT - 2))


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'


def _svg(kind: str, width: float, height: float, drawn: Sequence[str], meaning: str) -> Markup:
    title = escape(meaning)
    head = f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" preserveAspectRatio="none" role="img"'
    return Markup(f'{head} aria-label="{title}"><title>{title}</title>{"".join(drawn)}</svg>')
