"""Label selectors, from plain data to ``core.selector``, held to the rules of Kubernetes and MetalLB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from frrsync.core.grammar import label_key, label_value
from frrsync.core.selector import LabelSelector, Operator, Requirement

if TYPE_CHECKING:
    from frrsync.core.fields import Fields

_SELECTOR: Final = frozenset({"matchLabels", "matchExpressions"})
_EXPRESSION: Final = frozenset({"key", "operator", "values"})


def read_selectors(parent: Fields, name: str) -> tuple[LabelSelector, ...]:
    """Return a list of selectors; equal ones in one list are a mistake, as in MetalLB."""
    result: list[LabelSelector] = []
    for fields in parent.fields_list(name, _SELECTOR):
        selector = read_selector(fields)
        if selector in result:
            fields.add(None, "the same selector stands in this list twice, once is allowed")
        result.append(selector)
    return tuple(result)


def read_selector(fields: Fields) -> LabelSelector:
    """Return one selector."""
    labels = fields.text_map("matchLabels", label_key, label_value)
    expressions: list[Requirement] = []
    for item in fields.fields_list("matchExpressions", _EXPRESSION):
        requirement = _read_requirement(item)
        if requirement is not None:
            if requirement in expressions:
                item.add(None, "the same expression stands in this selector twice, once is allowed")
            expressions.append(requirement)
    return LabelSelector(
        match_labels=tuple(sorted((key, value) for key, value in labels.items() if isinstance(value, str))),
        match_expressions=tuple(expressions),
    )


def _read_requirement(item: Fields) -> Requirement | None:
    """Return one expression with its values sorted, so that equal ones compare equal, or None."""
    mistakes = len(item.report.mistakes)
    item.require("key")
    item.require("operator")
    key = item.parsed("key", label_key, "")
    operator = item.choice("operator", Operator, None)
    values = item.texts("values", label_value, unique=True)
    if operator is None or len(item.report.mistakes) > mistakes:
        return None
    if operator in {Operator.IN, Operator.NOT_IN} and not values:
        item.add("values", f"operator {operator} needs at least one value, found none")
    if operator in {Operator.EXISTS, Operator.DOES_NOT_EXIST} and values:
        item.add("values", f"operator {operator} takes no values, found {len(values)}")
    return Requirement(key=key, operator=operator, values=tuple(sorted(values)))
