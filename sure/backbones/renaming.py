"""One table of names that is read both ways: ours, and those of the library a backbone comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


class Names:
    """Module names, ours -> theirs; `#` stands for a number. What follows a module's name stays as it is.

    `layers.#.attn.q` <-> `encoder.layers.#.attention.q_proj` says `layers.3.attn.q.weight` too.
    """

    def __init__(self, table: Mapping[str, str]):
        self.table = dict(table)

    def ours(self, name: str) -> str:
        """Their name in our words; a name that the table does not have stays."""
        return _renamed(name, ((theirs, ours) for ours, theirs in self.table.items()))

    def theirs(self, name: str) -> str:
        """Our name in their words; a name that the table does not have stays."""
        return _renamed(name, self.table.items())


def _renamed(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        found = re.match(re.escape(old).replace(r"\#", r"(\d+)") + r"(?=\.|$)", name)
        if found:
            return new.replace("#", found[1] if found.groups() else "#") + name[found.end() :]
    return name
