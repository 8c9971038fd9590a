"""Learning rates: one spelling for each, and the table of conf/rates.yaml."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sure.errors import SureError

ALL = "all"  # in the table: every task without a rate of its own
KEYS = ("lr_adapter", "lr_head")


def spell_rate(text: str) -> str:
    """A rate as in names of folders: `1e-3` for 0.001, 1E-03 and .001. Raises ValueError where it is not a number."""
    if not re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?", text):
        raise ValueError(f"{text!r} is not a rate")
    return f"{Decimal(repr(float(text))).normalize():e}".replace("e+", "e")


def rates_of(table: Any, task: str, method: str, check_name: Callable[[str, str], object]) -> dict[str, Any]:
    """Rates for one method and task, keys of the config's section `train`; empty where the table has none.

    table: {task or `all`: {method: rate}}; a rate is a number for `lr_adapter`, or a mapping of the two keys.
    check_name: called with ("tasks" or "petl", name) for every name; it raises SureError for an unknown one.
    """
    found: dict[str, dict[str, Any]] = {ALL: {}, task: {}}
    for row, rates in _items(table, "rates"):
        if row != ALL:
            check_name("tasks", row)
        for names, rate in _items(rates, f"rates.{row}"):
            for name in str(names).split("+"):
                check_name("petl", name)
            given = dict(rate) if isinstance(rate, Mapping) else {"lr_adapter": rate}
            if rate is None or isinstance(rate, list) or not given.keys() <= set(KEYS):
                raise SureError(
                    f"rates.{row}.{names}: expected a rate such as 1e-3 or {{lr_adapter: 1e-3, lr_head: 5e-3}}, "
                    f"found {rate!r}"
                )
            if names == method and row in found:
                found[row] = given
    return {**found[ALL], **found[task]}


def _items(value: Any, key: str) -> Any:
    if not isinstance(value, Mapping):
        raise SureError(f"{key}: expected names with their rates such as {{lora: 1e-3}}, found {value!r}")
    return value.items()
