"""What a template cannot do: leave its folder, reach Python, or use up the machine."""

from __future__ import annotations

import os
import resource
import time
from typing import TYPE_CHECKING

import pytest

from core.test_render import DIALECT, config
from frrsync.errors import RenderError
from frrsync.frr.render import Renderer

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 0.2
"""Of the processor, for one rendering in these tests."""
MOST_SECONDS = 2.5
"""Until it is stopped: the machine is busy, and a single step may take a moment more."""
MOST_MIB = 700


def refused(folder: Path, text: str, name: str = "bfd.j2") -> str:
    """Write a template and return why it is refused; it must not take long or much."""
    (folder / name).write_text(text, "utf-8")
    began, memory = time.thread_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RenderError) as caught:
        Renderer(folder, DIALECT, seconds=SECONDS).render(config())
    took = time.thread_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    assert took < MOST_SECONDS, f"expected an end within {MOST_SECONDS} s, found {took:.1f} s"
    assert grown < MOST_MIB, f"expected less than {MOST_MIB} MiB, found {grown:.0f} MiB"
    return str(caught.value)


REACHING_OUT = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ().__class__.__base__ }}",
    "{{ [dialect]|map(attribute='__class__')|list }}",
    "{{ [dialect]|map(attribute='version.__class__')|first }}",
    "{{ [dialect]|groupby('__class__') }}",
    "{{ [dialect]|sort(attribute='__class__') }}",
    "{{ [dialect]|selectattr('__class__')|list }}",
    "{{ [dialect]|sum(attribute='__class__') }}",
    "{{ [1]|map('attr', '__class__')|list }}",
    "{{ dialect.__init__.__globals__ }}",
    "{{ dialect.__dataclass_fields__ }}",
    "{{ dialect.__slots__ }}",
    "{{ dialect.version.__class__ }}",
    "{{ routers.__class__ }}",
    "{{ '{0.__class__}'.format(dialect) }}",
    "{{ '{0.__class__.__mro__}'|format(dialect) }}",
    "{{ '{x.__class__}'.format_map({'x': dialect}) }}",
    "{{ ''['format'](1) }}",
    "{{ '%s' % dialect }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self }}",
    "{% macro m() %}{% endmacro %}{{ m.__call__ }}",
    "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "{% macro m() %}{% endmacro %}{{ m }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% for a in [1] %}{{ loop.__init__ }}{% endfor %}",
    "{% for a in [1] %}{{ loop._iterable }}{% endfor %}",
    "{% for a in [1] %}{{ loop }}{% endfor %}",
    "{{ part.__globals__ }}",
    "{{ part.__self__ }}",
    "{{ part.__func__ }}",
    "{{ fragments.__self__._files }}",
    "{{ range.__self__ }}",
    "{{ range }}",
    "{{ namespace.__init__ }}",
    "{{ namespace(a=1).__class__ }}",
    "{{ namespace(a=1)['_Namespace__attrs'] }}",
    "{{ namespace.mro() }}",
    "{{ dict.fromkeys(['a']) }}",
    "{{ dict.__base__ }}",
    "{{ cycler(1, 2).__init__.__globals__ }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ lipsum(n=3) }}",
    "{{ url_for.__globals__ }}",
    "{{ config }}",
    "{{ environment }}",
    "{{ context }}",
    "{{ [].append(1) }}",
    "{{ [].extend([1]) }}",
    "{{ {}.update({1: 2}) }}",
    "{{ {}.setdefault(1, 2) }}",
    "{{ {}.pop(1) }}",
    "{{ routers.append(1) }}",
    "{{ (1).to_bytes(100000, 'big') }}",
    "{{ (1).real.__class__ }}",
    "{{ ''.encode() }}",
    "{{ ''.join(['a']) }}",
    "{{ ''.maketrans({}) }}",
    "{{ 'a'.translate({97: 'b' * 1000}) }}",
    "{{ 'a'.replace('a', 'b') }}",
    "{{ ''.isdigit.__self__ }}",
    "{{ caller }}",
    "{{ super }}",
    "{{ dialect() }}",
    "{{ 'x'() }}",
    "{{ 'x'|map('format')|list }}",
    "{{ 'x'|safe }}",
    "{{ 'x'|pprint }}",
    "{{ {}|tojson }}",
    "{{ {}|xmlattr }}",
    "{{ 'x'|urlize }}",
    "{{ 'x'|striptags }}",
    "{{ 'x'|random }}",
    "{% autoescape true %}{{ '<' }}{% endautoescape %}",
    "{% import 'frrsync/bfd.j2' as own with context %}{{ own.__name__.__class__ }}",
    "{% import 'frrsync/bfd.j2' as own with context %}{{ own._body_stream }}",
    "{% import 'frrsync/bfd.j2' as own with context %}{{ own }}",
    "{% do 1 %}",
    "{% debug %}",
]


@pytest.mark.parametrize("text", REACHING_OUT)
def test_template_cannot_reach_what_is_not_on_the_list(text: str, tmp_path: Path) -> None:
    """Neither Python's insides, nor functions and methods that nobody allowed, nor objects as text."""
    said = refused(tmp_path, f"!\n{text}\n")
    assert said.startswith(f"{tmp_path / 'bfd.j2'}:2: "), f"expected file and line, found {said}"


LEAVING = [
    '{% include "../secret" %}',
    '{% include "./../secret" %}',
    '{% include "fragments/../../secret" %}',
    '{% include "/etc/passwd" %}',
    '{% include "//etc/passwd" %}',
    '{% include "frrsync/../../pyproject.toml" %}',
    '{% include "frrsync//etc/passwd" %}',
    r'{% include "..\\secret" %}',
    '{% include "secret\\0.j2" %}',
    '{% include "" %}',
    '{% include "." %}',
    '{% include ".." %}',
    '{% include "folder" %}',
    '{% include "file:///etc/passwd" %}',
    '{% include ["/etc/passwd", "../secret"] %}',
    "{% include 7 %}",
    "{% include dialect %}",
    '{% extends "/etc/passwd" %}',
    '{% import "/etc/passwd" as p %}',
    '{% from "../secret" import x %}',
    '{{ part("/etc/passwd", networks=routers) }}',
    '{% include "link" %}',
    '{% include "folder-link/passwd" %}',
    '{% include "chain" %}',
    '{% include "circle" %}',
    '{% include "dangling" %}',
    '{% include "pipe" %}',
    '{% include "zero" %}',
    '{% include "latin" %}',
    '{% include "large" %}',
    '{% include ".hidden" %}',
]


@pytest.mark.parametrize("text", LEAVING)
def test_template_cannot_leave_its_folder(text: str, tmp_path: Path) -> None:
    """Not by a name, not by a link; what is no text file of a sensible size is refused as well."""
    folder = tmp_path / "templates"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret\n", "utf-8")
    (folder / ".hidden").write_text("secret\n", "utf-8")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "folder-link").symlink_to("/etc")
    (folder / "chain").symlink_to(folder / "link")
    (folder / "circle").symlink_to("circle")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "zero").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    (folder / "latin").write_bytes(b"\xe4\xf6\xfc\n")
    (folder / "large").write_bytes(b"!" * 70_000)
    said = refused(folder, f"!\n{text}\n")
    assert said.startswith(str(folder)), f"expected a file of the folder, found {said}"
    assert "secret\n" not in said
    assert "root:" not in said


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    """That is how Kubernetes mounts a ConfigMap: ``name`` leads to ``..data/name`` and that to a dated folder."""
    (tmp_path / "..2026_11_21").mkdir()
    (tmp_path / "..data").symlink_to("..2026_11_21")
    (tmp_path / "..2026_11_21" / "bfd.j2").write_text("bfd\n profile mine\n exit\nexit\n", "utf-8")
    (tmp_path / "..2026_11_21" / "fragments").mkdir()
    (tmp_path / "..2026_11_21" / "fragments" / "after.j2").write_text("ip prefix-list a seq 5 permit any\n", "utf-8")
    (tmp_path / "bfd.j2").symlink_to("..data/bfd.j2")
    (tmp_path / "fragments").symlink_to("..data/fragments")
    text = Renderer(tmp_path, DIALECT).render(config()).text
    assert " profile mine\n" in text
    assert "ip prefix-list a seq 5 permit any\n" in text


GROWING = [
    "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
    "{% for a in range(90000) if a < 0 %}{% endfor %}" * 50 + "{% for a in range(90000) %}{% for b in range(90000)"
    " if false %}{% endfor %}{% endfor %}",
    "{{ range(99999)|map('string')|map('length')|map('string')|list|length }}" * 400,
    "{% for a in range(999999999) %}{% endfor %}",
    "{{ range(100000)|map('list')|list }}",
    "{% macro f(n) %}{% for i in range(9) %}{{ f(n + 1) if n < 90 }}{% endfor %}{% endmacro %}{{ f(0) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    '{% include "bfd.j2" %}',
    '{% include "bfd.j2" %}{% include "bfd.j2" %}',
    "{% block again %}{{ self.again() }}{% endblock %}",
    '{% extends "bfd.j2" %}',
    '{% import "bfd.j2" as b %}',
    "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
    "{{ 'x' * 900000000 }}",
    "{{ 900000000 * 'x' }}",
    "{{ [1] * 900000000 }}",
    "{{ ('x' * 1000) * 1000 * 1000 }}",
    "{{ [['x'] * 1000] * 1000 * 1000 }}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{% set ns = namespace(n=7) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    "{% set ns = namespace(n=7) %}{% for i in range(99999) %}{% set ns.n = ns.n + ns.n %}{% endfor %}",
    "{{ ('9' * 900000)|int(base=16) }}",
    "{{ ('9' * 4000)|int }}",
    "{{ '%0900000000d' % 1 }}",
    "{{ '%0900000000d'|format(1) }}",
    "{{ '{:>900000000}'.format(1) }}",
    "{{ '{:>900000000}'.format_map({}) }}",
    "{{ 'x'.center(900000000) }}",
    "{{ 'x'.ljust(900000000) }}",
    "{{ 'x'.rjust(900000000) }}",
    "{{ '1'.zfill(900000000) }}",
    "{{ '\\t'.expandtabs(900000000) }}",
    "{{ 'x'|center(900000000) }}",
    "{{ 'x\\nx'|indent(900000000) }}",
    "{{ ('x ' * 400000)|wordwrap(1) }}",
    "{{ ('<' * 900000)|striptags }}",
    "{{ ('www.' * 200000)|urlize }}",
    "{{ ('x ' * 400000)|wordcount }}",
    "{{ [1]|batch(900000000, 'x')|list }}",
    "{{ [1]|slice(900000000)|list }}",
    "{{ ('a' * 900000)|replace('a', 'b' * 900000) }}",
    "{{ ('a' * 900000)|replace('', 'b' * 900000) }}",
    "{{ ('a' * 900000)|list|join('b' * 900000) }}",
    "{{ range(99999)|join('b' * 900000) }}",
    "{{ [['a' * 1000] * 500] * 900 }}",
    "{{ range(99999)|sum(start='') }}",
    "{{ lipsum(n=900000000) }}",
    "{% set ns = namespace(x='x') %}{% for i in range(90) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}",
    "{% set n = namespace(x='x') %}{% for i in range(90) %}{% set n.x = (n.x, n.x) %}{% endfor %}{{ {n.x: 1}|length }}",
    "{% set ns = namespace(x='x') %}{% for i in range(90) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(90) %}{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}",
    "{% set ns = namespace(x=['x']) %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(90) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
    "{% set n = namespace(x=[]) %}{% for i in range(9) %}{% set n.x = n.x + ['x' * 900000] %}{% endfor %}",
    "{% set big = 'x' * 900000 %}{% set x = [" + "big[1:], " * 4000 + "] %}",
    "{% set big = 'x' * 900000 %}{{ [" + "big.upper(), " * 4000 + "]|length }}",
    "{% set big = 'x' * 900000 %}" + "".join(f"{{% set x{i} = big[1:] %}}" for i in range(2000)),
    "{% set big = 'x' * 900000 %}{{ " + "big == big[1:] or " * 3000 + "false }}",
    "{% set a = 'x' * 900000 %}{% set b = 'x' * 400000 ~ 'y' %}{% if " + "b in a or " * 4000 + "false %}{% endif %}!",
    "{% macro f(n) %}{% set x = 'x' * 900000 %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "{% macro f() %}" + "! text " * 8000 + "{% endmacro %}{% for i in range(90000) %}{% set x = f() %}{% endfor %}",
    "{% set x %}{% for i in range(90000) %}" + "! text " * 8000 + "{% endfor %}{% endset %}",
    "{% for i in range(90000) %}" + "! text " * 8000 + "\n{% endfor %}",
    "{% for i in range(90) %}\n{{ '!' * 900000 }}\n{% endfor %}",
    "{% filter replace('!', '!' * 900000) %}" + "!" * 60000 + "{% endfilter %}",
    "{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}",
    "{{ " + "not " * 9000 + "1 }}",
    "{{ " + "-" * 30000 + "1 }}",
    "{{ " + "[" * 9000 + "]" * 9000 + " }}",
    "{{ 1" + " + 1" * 15000 + " }}{{ missing }}",
    "{{ 'a'" + " ~ 'a'" * 9000 + " }}{{ missing }}",
    "{{ x" + ".x" * 20000 + " }}",
    "{% if 1 %}" * 4000 + "{% endif %}" * 4000 + "{{ missing }}",
    "{% for a in [1] %}" * 1500 + "{% endfor %}" * 1500 + "{{ missing }}",
    "{{ 5|round(-100000000) }}",
    "{{ 1|round(100000000, 'ceil') }}",
    "{#" * 30000,
    "{{" * 30000,
    "{% raw %}" * 7000,
    "{{ '" + "\\" * 60000,
    "{{ " + "'a' " * 15000 + "}}{{ missing }}",
]


@pytest.mark.parametrize("number", range(len(GROWING)))
def test_template_that_asks_for_too_much_is_stopped(number: int, tmp_path: Path) -> None:
    """Also where all of it happens within one expression, and the error has a place."""
    said = refused(tmp_path, f"!\n{GROWING[number]}\n")
    assert said.startswith(str(tmp_path / "bfd.j2")), f"expected the file, found {said}"


def test_template_of_our_own_cannot_be_made_to_loop(tmp_path: Path) -> None:
    """A template of the operator's that calls ours again and again is stopped like any other."""
    text = "{% for i in range(90000) %}{% include 'frrsync/outbound_maps.j2' %}{% endfor %}"
    assert "bfd.j2:1: " in refused(tmp_path, text)
    text = "{% for i in range(90000) %}{{ part('networks.j2', networks=routers[0].address_families[0].networks) }}\n"
    assert "bfd.j2:1: " in refused(tmp_path, text + "{% endfor %}")


@pytest.mark.parametrize(
    "expression",
    ["none", "true", "1.5", "[1]", "{}", "routers", "dialect", "neighbor.hold_time", "neighbor.port", "3 / 1"],
)
def test_only_text_and_whole_numbers_are_printed(expression: str, tmp_path: Path) -> None:
    """``None`` in frr.conf is always a mistake; the error says what was found."""
    said = refused(tmp_path, f" ! x\n ! {{{{ {expression} }}}}\n", "neighbor.j2")
    assert said.startswith(f"{tmp_path / 'neighbor.j2'}:2: found "), said
    assert said.endswith("where text is printed, allowed are text and whole numbers"), said


def test_everything_that_a_template_needs_is_allowed(tmp_path: Path) -> None:
    """The other side: ordinary templates are not in the way of any limit."""
    (tmp_path / "parts.j2").write_text(
        "{% macro line(text, number=1) %}! {{ text|upper }} {{ number }}{{ caller() if caller is defined }}\n"
        "{% endmacro %}\n",
        "utf-8",
    )
    (tmp_path / "bfd.j2").write_text(
        """{% extends "frrsync/bfd.j2" %}
{% from "parts.j2" import line %}
{% import "parts.j2" as parts %}
""",
        "utf-8",
    )
    (tmp_path / "class_maps.j2").write_text(
        """{% import "parts.j2" as parts %}
{% set ns = namespace(count=0, seen=[]) %}
{% for router in routers %}
{%     for neighbor in router.neighbors if neighbor.peer.startswith("192") and "." in neighbor.peer %}
{%         set ns.count = ns.count + 1 %}
{%         set ns.seen = ns.seen + [neighbor.peer] %}
{{ parts.line(neighbor.peer, number=loop.index) }}
{%         call parts.line("x" ~ router.asn) %} called {{ loop.first|string|lower if false else "" }}{% endcall %}
{%     endfor %}
{% endfor %}
! {{ ns.count * 2 + 10 // 3 - 2 ** 3 }} {{ ns.seen|join(",") }} {{ ns.seen|first|replace(".", "-") }}
! {{ {"a": 1}.get("a") }} {{ [3, 1, 2]|sort|map("string")|join(" ") }} {{ range(3)|sum }} {{ "a b".split(" ")[1:][0] }}
! {{ routers|map(attribute="asn")|map("string")|join }} {{ routers|selectattr("vrf", "equalto", "")|list|length }}
! {{ "%s"|length }} {{ loop is defined and 1 or 2 }} {{ dialect.version[0] }} {{ missing|default("no") }}
{% for asn, group in routers|groupby("asn") %}
! {{ asn }}: {{ group|length }} {{ loop.cycle("a", "b") }}
{% endfor %}
{% filter upper %}! text{% endfilter %}

{% set captured %}! {{ "captured" }}{% endset %}
{{ captured }}
{% include ["missing.j2", "frrsync/class_maps.j2"] %}
{% include "missing.j2" ignore missing %}
""",
        "utf-8",
    )
    text = Renderer(tmp_path, DIALECT).render(config()).text
    lines = (
        "! 192.0.2.1 1", "! X64512 1 called", "! -3 192.0.2.1 192-0-2-1", "! 1 1 2 3 3 b", "! 64512 1", "! 2 2 10 no",
        "! 64512: 1 a", "! TEXT", "! captured", "route-map frrsync-class-f0000001",
    )  # fmt: skip
    for expected in lines:
        assert expected in text, f"expected {expected!r}, found {text}"
