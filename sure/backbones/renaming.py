"""A table of module names, ours and those of the library a backbone comes from, for both directions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


class Names:
    """Module names, ours -> theirs; `#` stands for a number, and the rest of a longer name is kept.

    `layers.#.attn.q` <-> `encoder.layers.#.attention.q_proj` also renames `layers.3.attn.q.weight`.
    """

    def __init__(self, table: Mapping[str, str]):
        self.table = dict(table)

    def ours(self, name: str) -> str:
        """Our name for theirs; a name that is not in the table is returned unchanged."""
        return _renamed(name, ((theirs, ours) for ours, theirs in self.table.items()))

    def theirs(self, name: str) -> str:
        """Their name for ours; a name that is not in the table is returned unchanged."""
        return _renamed(name, self.table.items())


def _renamed(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        found = re.match(re.escape(old).replace(r"\#", r"(\d+)") + r"(?=\.|$)", name)
        if found:
            return new.replace("#", found[1] if found.groups() else "#") + name[found.end() :]
    return name
