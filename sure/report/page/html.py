"""Parts of HTML whose texts are escaped unless they are made here."""

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Text that is HTML already. Every other text is escaped where it becomes part of a tag."""


def tag(name: str, *content: str, **attributes: str | float | bool) -> Html:
    """An element. attributes: `class_` is class, `aria_label` is aria-label; True has no value, False is left out."""
    words = []
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is not False:
            words.append(key if value is True else f'{key}="{escape(str(value))}"')
    return Html(f"<{' '.join([name, *words])}>{joined(content)}</{name}>")


def joined(parts: Iterable[str], separator: str = "") -> Html:
    return Html(separator.join(part if isinstance(part, Html) else escape(part) for part in parts))


def table(rows: Sequence[Sequence[str]], caption: str, kind: str = "sortable") -> Html:
    """A table that scrolls in a narrow window; the first row is the header, the first cell of each row its name.

    kind: its class on the page; in a sortable table, buttons in the header sort the rows.
    """
    header, *rest = rows
    heads = [tag("th", tag("button", one, type="button") if kind == "sortable" else one, scope="col") for one in header]
    lines = [tag("tr", tag("th", line[0], scope="row"), *(tag("td", cell) for cell in line[1:])) for line in rest]
    body = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *lines), class_=kind)
    return tag("div", body, class_="wide", tabindex=0, role="region", aria_label=caption)


def folded(title: str, *content: str, opened: bool = False) -> Html:
    return tag("details", tag("summary", title), *content, open=opened)
