"""``docs/templates.md`` is a contract: what it lists is there, and what is there it lists."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from jinja2 import Environment, meta

from core.test_render import DIALECT, config
from frrsync.core import frr_config
from frrsync.core.frr_config import FrrConfig
from frrsync.frr import allowance, render, sandbox, template_files, template_filters, text_check
from frrsync.frr.dialect import Dialect
from frrsync.frr.render import Renderer

PAGE = Path(__file__).parents[2] / "docs" / "templates.md"
OUR_FOLDER = Path(__file__).parents[2] / "templates"
TYPES = {
    item.__name__: item
    for item in (*vars(frr_config).values(), Dialect)
    if isinstance(item, type) and dataclasses.is_dataclass(item) and item is not FrrConfig
}
EXAMPLES = {"text": str, "whole number": int, "true or false": bool, "list": list, "two whole numbers": list}


def section(title: str) -> str:
    """Return the part of the page below a heading."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"{PAGE} has no section {title!r}"
    return found[1]


def rows(title: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def names(cell: str) -> set[str]:
    """Return the names in a cell."""
    return set(re.findall(r"`([^`]+)`", cell))


def spelled(annotation: Any) -> str:
    """Return a type as the page writes it."""
    arguments = get_args(annotation)
    if type(None) in arguments:
        return spelled(next(item for item in arguments if item is not type(None))) + " or none"
    if get_origin(annotation) is tuple:
        return "two whole numbers" if arguments == (int, int) else f"list of {spelled(arguments[0])}"
    if dataclasses.is_dataclass(annotation):
        return f"`{getattr(annotation, '__name__', annotation)}`"
    return {str: "text", int: "whole number", bool: "true or false"}[annotation]


@pytest.mark.parametrize("name", TYPES)
def test_every_field_is_on_the_page_and_no_other(name: str) -> None:
    """With its type as the code has it, and an example of that type."""
    hints = get_type_hints(TYPES[name])
    expected = {f"`{field.name}`": spelled(hints[field.name]) for field in dataclasses.fields(TYPES[name])}
    table = rows(name)
    assert {row[0]: row[1] for row in table} == expected
    for field, kind, unit, example, meaning in table:
        assert meaning != "-" or unit != "-" or name == "BfdProfileConfig", f"{field}: expected a meaning"
        if "`" in kind:
            continue
        value = json.loads(example.strip("`"))
        wanted = next(found for word, found in EXAMPLES.items() if kind.startswith(word))
        assert type(value) is wanted, f"{field}: expected an example of {kind}, found {example}"


def test_every_type_has_its_table() -> None:
    """A type that no code has must not stay on the page."""
    found = re.findall(r"^### (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(found) == sorted(TYPES)


def test_the_variables_everywhere_are_those_of_the_configuration() -> None:
    """Each field of the whole, and the dialect."""
    hints = get_type_hints(FrrConfig)
    expected = {f"`{field.name}`": spelled(hints[field.name]) for field in dataclasses.fields(FrrConfig)}
    found = {row[0]: row[1] for row in rows("Variables") if row[2] == "everywhere"}
    assert found == expected


FRAGMENTS = [(f"fragments/{row[0].strip('`')}", row[2]) for row in rows("Adding lines: fragments")]
TEMPLATES = [(row[0].strip("`"), row[2]) for row in rows("Replacing and extending")]


def test_the_places_are_those_of_the_program() -> None:
    """Fragments as the program names them, templates as the folder has them."""
    assert [name.removeprefix("fragments/") for name, _ in FRAGMENTS] == list(template_files.FRAGMENT_NAMES)
    assert sorted(name for name, _ in TEMPLATES) == sorted(file.name for file in OUR_FOLDER.iterdir())


@pytest.mark.parametrize(("name", "sees"), [*FRAGMENTS, *TEMPLATES])
def test_a_place_sees_exactly_what_the_page_says(name: str, sees: str, tmp_path: Path) -> None:
    """Every variable of the page is asked for at every place, and whether it is there."""
    groups = set(sees.split(", "))
    variables = {row[0].strip("`"): bool(groups & set(row[2].split(", "))) for row in rows("Variables")}
    asked = "".join(f"! seen {one} {{{{ '{one}' if {one} is defined else '-' }}}}\n" for one in variables)
    file = tmp_path / name.replace("VRF", "default").replace("NAME", "tor1")
    file.parent.mkdir(exist_ok=True)
    file.write_text(asked, "utf-8")
    wanted = config()
    router = wanted.routers[0]
    named = tuple(replace(neighbor, description="tor1") for neighbor in router.neighbors)
    families = (*router.address_families, replace(router.address_families[0], name="ipv6"))
    router = replace(router, neighbors=named, address_families=families)
    text = Renderer(tmp_path, DIALECT).render(replace(wanted, routers=(router,))).text
    found = {one: seen == one for one, seen in re.findall(r"! seen (\w+) (\S+)", text)}
    assert found == variables


@pytest.mark.parametrize("name", [name for name, _ in TEMPLATES])
def test_our_templates_use_no_other_variables(name: str) -> None:
    """What ours use, an operator's copy of it may use."""
    source = (OUR_FOLDER / name).read_text("utf-8")
    environment = Environment(autoescape=False)  # noqa: S701 - nothing is rendered
    environment.filters["blocks"] = list
    used = meta.find_undeclared_variables(environment.parse(source))
    known = {row[0].strip("`") for row in rows("Variables")} | names(rows("Functions, filters and methods")[0][1])
    assert used <= known, f"expected only names of the page, found {used - known}"


def test_blocks_are_those_of_our_templates() -> None:
    """Each block is named, and no other."""
    found = {row[0].strip("`"): names(row[3]) for row in rows("Replacing and extending")}
    expected = {
        file.name: set(re.findall(r"{%\s*block (\w+)", file.read_text("utf-8"))) for file in OUR_FOLDER.iterdir()
    }
    assert found == expected


def test_functions_filters_and_methods_are_complete() -> None:
    """The closed list of the sandbox is the list of the page."""
    found = {kind: names(cell) for kind, cell in rows("Functions, filters and methods")}
    run = Renderer(None, DIALECT)._run._environment
    assert found["functions"] == set(run.globals)
    assert found["filters"] == set(run.filters) == set(template_filters.NAMES)
    assert found["methods of texts"] == sandbox._METHODS[str]
    assert found["methods of mappings"] == sandbox._METHODS[dict]
    assert found["methods of lists"] == sandbox._METHODS[list] == sandbox._METHODS[tuple]


def test_limits_are_those_of_the_program() -> None:
    """In the order of the table."""
    found = [cell.split(" ")[0].replace(",", "") for _, cell in rows("Limits")]
    assert found == [
        f"{render.RENDER_SECONDS:g}",
        str(allowance.CHARACTERS),
        str(allowance.LARGEST_VALUE),
        str(allowance.LARGEST_NUMBER_BITS),
        str(template_files.LARGEST_FILE),
        str(template_files.MOST_FILES),
        str(text_check.LONGEST_LINE),
    ]


def examples() -> dict[str, str]:
    """Return the templates at the end of the page by the name in their first line."""
    found = re.findall(r"^```jinja\n{# (\S+) #}\n(.*?)^```$", section("Examples"), re.MULTILINE | re.DOTALL)
    assert len(found) == section("Examples").count("```jinja"), "expected a name in the first line of every example"
    return dict(found)


def test_the_examples_of_the_page_are_rendered(tmp_path: Path) -> None:
    """All of them in one folder; the golden tests load what they print."""
    (tmp_path / "fragments").mkdir()
    for name, text in examples().items():
        (tmp_path / name).write_text(text, "utf-8")
    text = Renderer(tmp_path, DIALECT).render(config()).text
    for expected in ("ip prefix-list fabric", " bgp deterministic-med\n", " maximum-prefix 10\n", "missing-as-worst"):
        assert expected in text, f"expected {expected!r}, found {text}"
