"""The renderer without FRR: operators' templates, what is refused, and what is reused."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from frrsync.core.frr_config import (
    Activation,
    AddressFamily,
    BfdProfileConfig,
    BgpRouter,
    ClassMap,
    FrrConfig,
    Neighbor,
    Network,
    OutboundEntry,
    OutboundMap,
)
from frrsync.errors import ConfigError, FrrUnavailable, RenderError
from frrsync.frr.dialect import Dialect, dialect_of
from frrsync.frr.render import Renderer
from frrsync.frr.text_check import check_text, check_values
from frrsync.frr.tree import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIALECT = Dialect(version=(10, 3), prints_resolve_via_default=False, maximum_paths=256)
OLD_DIALECT = Dialect(version=(8, 4), prints_resolve_via_default=True, maximum_paths=256)
CLASS = "frrsync-class-f0000001"
OUT = "frrsync-out-0123456789"


def network(number: int) -> Network:
    """Return the network line of one address."""
    return Network(prefix=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/32", class_map=CLASS)


def config(networks: tuple[Network, ...] = (network(1),), peers: tuple[str, ...] = ("192.0.2.1",)) -> FrrConfig:
    """Return a small complete configuration."""
    return FrrConfig(
        bfd_profiles=(BfdProfileConfig(name="fast", transmit_interval=100),),
        class_maps=(ClassMap(name=CLASS, tag=1, description="web"),),
        outbound_maps=(OutboundMap(name=OUT, entries=(OutboundEntry(sequence=1, tag=1, description="web"),)),),
        routers=(
            BgpRouter(
                asn=64512,
                router_id="192.0.2.11",
                neighbors=tuple(Neighbor(peer=peer, remote_as="64520", password="s3cret") for peer in peers),
                address_families=(
                    AddressFamily(
                        name="ipv4",
                        networks=networks,
                        activations=tuple(Activation(peer=peer, outbound_map=OUT) for peer in peers),
                    ),
                ),
            ),
        ),
    )


def with_neighbor(**changes: Any) -> FrrConfig:
    """Return the small configuration with other values in its neighbor."""
    whole = config()
    router = whole.routers[0]
    return replace(whole, routers=(replace(router, neighbors=(replace(router.neighbors[0], **changes),)),))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Provide a function that writes an operator's template and returns the folder."""

    def write_template(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, "utf-8")
        return tmp_path

    return write_template


def render(templates: Path | None, wanted: FrrConfig | None = None) -> str:
    """Return the text that a new renderer makes."""
    return Renderer(templates, DIALECT, seconds=0.3).render(wanted or config()).text


def test_operator_file_replaces_ours_by_name(write: Callable[[str, str], Path]) -> None:
    """A file of the same name is used instead, everything else stays."""
    text = render(write("bfd.j2", "bfd\n profile mine\n exit\nexit\n"))
    assert " profile mine\n" in text
    assert "profile fast" not in text
    assert "router bgp 64512\n" in text


def test_operator_template_extends_a_block_of_ours(write: Callable[[str, str], Path]) -> None:
    """Text for each neighbor is added without repeating our template."""
    folder = write(
        "neighbor.j2",
        '{% extends "frrsync/neighbor.j2" %}\n{% block neighbor_extra %}\n'
        " neighbor {{ neighbor.peer }} capability extended-nexthop\n{% endblock %}\n",
    )
    text = render(folder, config(peers=("192.0.2.1", "192.0.2.2")))
    for peer in ("192.0.2.1", "192.0.2.2"):
        expected = f" neighbor {peer} password s3cret\n neighbor {peer} capability extended-nexthop\n"
        assert expected in text


@pytest.mark.parametrize("block", ["before", "after"])
def test_operator_text_stands_before_or_after_everything(block: str, write: Callable[[str, str], Path]) -> None:
    """The two outer blocks take whole sections."""
    folder = write(
        "frr.conf.j2",
        f'{{% extends "frrsync/frr.conf.j2" %}}\n{{% block {block} %}}\n'
        "ip prefix-list mine seq 5 permit any\n!\n{% endblock %}\n",
    )
    text = render(folder)
    place, router = text.index("ip prefix-list mine"), text.index("router bgp")
    assert (place < router) == (block == "before")


@pytest.mark.parametrize(
    ("template", "text", "line", "said"),
    [
        ("bfd.j2", "!\n{{ bfd_profile.name }}\n", 2, "'bfd_profile' is undefined"),
        ("bfd.j2", "{% for a in bfd_profiles %}\n{{ a.nmae }}\n{% endfor %}\n", 2, "nmae"),
        ("neighbor.j2", "!\n!\n{{ neighbor.hold_time + 1 }}\n", 3, "unsupported operand"),
        ("router_bgp.j2", "!\n{% if %}\n", 2, "Expected an expression"),
        ("bfd.j2", '!\n{% include "missing.j2" %}\n', 2, "no template named missing.j2"),
        ("bfd.j2", '{% include "../secret" %}\n', 1, "no template named ../secret"),
        ("bfd.j2", '{% include "/etc/passwd" %}\n', 1, "no template named /etc/passwd"),
        ("bfd.j2", "{{ ''.__class__.__mro__ }}\n", 1, "unsafe"),
        ("bfd.j2", "{{ dialect.__init__.__globals__ }}\n", 1, "unsafe"),
        ("bfd.j2", "!\n{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}\n", 2, "endless"),
        ("bfd.j2", "{% macro f() %}{{ f() }}{% endmacro %}\n{{ f() }}\n", 1, "recursion"),
        ("bfd.j2", "{{ 'x' * 900000000 }}\n", 1, "too large"),
        ("bfd.j2", "{{ 9 ** (9 ** 9) }}\n", 1, "too large"),
        ("bfd.j2", '{% include "bfd.j2" %}\n', 1, "recursion"),
    ],
)
def test_template_error_names_file_and_line(
    template: str, text: str, line: int, said: str, write: Callable[[str, str], Path]
) -> None:
    """The operator finds the place without reading a traceback."""
    folder = write(template, text)
    with pytest.raises(RenderError, match=said) as caught:
        render(folder)
    assert f"{folder / template}:{line}: " in str(caught.value)


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("bad\ttab\n", "'\\\\t'"),
        ("bad\x1bescape\n", "x1b"),
        ("show | include x\n", r"'\|'"),
        ("neighbor ?\n", r"'\?'"),
        ("bad \u2028 separator\n", "u2028"),
        ("x" * 1001 + "\n", "1001 characters"),
        ("router bgp 64512\n bgp router-id 1.1.1.1\nexit\n", "a context that was there before"),
        (f"route-map {OUT} deny 1\n", "a context that was there before"),
        ("exit\n", "ends no open context"),
        ("end\n", "ends no open context"),
        ("vrf a\n profile a\n exit\nexit\nexit\n", "ends no open context"),
        ("bfd\n   profile a\n", "is indented"),
        ("bfd\nexit\n profile a\n", "is indented"),
    ],
)
def test_output_that_frr_must_not_see_is_refused(printed: str, said: str, write: Callable[[str, str], Path]) -> None:
    """Whatever a template prints is looked at; the line is named."""
    folder = write(
        "frr.conf.j2", '{% extends "frrsync/frr.conf.j2" %}\n{% block after %}\n' + printed + "{% endblock %}\n"
    )
    with pytest.raises(RenderError, match=rf"line \d+ of the rendered configuration.*{said}"):
        render(folder)


def test_output_of_unlimited_size_is_stopped(write: Callable[[str, str], Path]) -> None:
    """A template that prints without end meets the size or the time limit."""
    folder = write("bfd.j2", "{% for a in range(90) %}\n{{ '!' * 900000 }}\n{% endfor %}\n")
    with pytest.raises(RenderError, match="more than 33554432 characters"):
        render(folder)


def test_error_about_a_line_hides_its_password() -> None:
    """A structural error shows the line, but never a password."""
    with pytest.raises(RenderError) as caught:
        check_text("router bgp 1\n   neighbor 192.0.2.1 password s3cret\n")
    assert "s3cret" not in str(caught.value)
    assert "<hidden:" in str(caught.value)


def test_missing_template_folder_is_an_error(tmp_path: Path) -> None:
    """A misspelt folder must not silently mean our own templates."""
    with pytest.raises(ConfigError, match="templates: found no folder"):
        Renderer(tmp_path / "missing", DIALECT)


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\ud800", "|", "?"])
@pytest.mark.parametrize("field", ["peer", "remote_as", "description", "bfd_profile", "password", "update_source"])
def test_value_that_breaks_out_of_its_line_is_refused(field: str, character: str) -> None:
    """Every text of a neighbor is looked at before rendering; the field is named, the value is not."""
    with pytest.raises(
        ConfigError, match=rf"^routers\[0\]\.neighbors\[[^]]+\]\.{field}: found the character"
    ) as caught:
        check_values(with_neighbor(**{field: f"value{character}exit"}))
    assert "value" not in str(caught.value)


@pytest.mark.parametrize("field", ["peer", "bfd_profile", "password"])
def test_value_of_two_words_is_refused(field: str) -> None:
    """FRR would take the second word for something else."""
    with pytest.raises(ConfigError, match=field):
        check_values(with_neighbor(**{field: "two words"}))


@pytest.mark.parametrize("text", [" x", "x ", "two  blanks"])
def test_description_that_frr_would_rewrite_is_refused(text: str) -> None:
    """FRR keeps single blanks only, so another text would differ for ever."""
    with pytest.raises(ConfigError, match="description"):
        check_values(with_neighbor(description=text))


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (config(networks=(network(1), replace(network(2), prefix="10.0.0.2/32\nexit"))), r"networks\[1\]\.prefix"),
        (config(networks=(replace(network(1), class_map="a b"),)), r"networks\[10\.0\.0\.1/32\]\.class_map"),
        (
            replace(config(), class_maps=(ClassMap(name="a", tag=1, description="x|y"),)),
            r"class_maps\[a\]\.description",
        ),
        (
            replace(
                config(),
                outbound_maps=(
                    OutboundMap(
                        name="o", entries=(OutboundEntry(sequence=1, tag=1, description="", communities=("1:1\n",)),)
                    ),
                ),
            ),
            r"outbound_maps\[o\]\.entries\[0\]\.communities\[0\]",
        ),
        (replace(config(), bfd_profiles=(BfdProfileConfig(name="x y"),)), r"bfd_profiles\[0\]\.name"),
        (replace(config(), class_maps=(ClassMap(name="a", tag=1, description="x" * 901),)), "901 characters"),
    ],
)
def test_bad_value_is_named_by_its_place(bad: FrrConfig, field: str) -> None:
    """Lists say which item, by its name where that can be shown."""
    with pytest.raises(ConfigError, match=field):
        Renderer(None, DIALECT).render(bad)


def test_lines_that_one_version_hides_follow_the_dialect() -> None:
    """FRR 8.4 must be told to resolve by the default route; 10.3 does it and never prints it."""
    lines = ("ip nht resolve-via-default", "ipv6 nht resolve-via-default")
    old, new = (Renderer(None, dialect).render(config()).tree for dialect in (OLD_DIALECT, DIALECT))
    assert [line in old for line in lines] == [True, True]
    assert [line in new for line in lines] == [False, False]


def test_same_configuration_is_not_rendered_again() -> None:
    """An equal configuration gives the very same object."""
    renderer = Renderer(None, DIALECT)
    assert renderer.render(config()) is renderer.render(config())


def test_reused_blocks_give_what_a_fresh_rendering_gives() -> None:
    """Random changes among many prefixes: text and tree equal those of a renderer without a past."""
    seed = random.randrange(2**32)
    print("seed", seed)
    choose = random.Random(seed)
    renderer = Renderer(None, DIALECT)
    numbers = set(range(3000))
    for _ in range(20):
        for number in choose.sample(range(4000), choose.choice([1, 2, 50])):
            numbers ^= {number}
        wanted = config(networks=tuple(map(network, sorted(numbers))))
        rendered = renderer.render(wanted)
        assert rendered.text == Renderer(None, DIALECT).render(wanted).text
        assert rendered.tree == parse(rendered.text)


@pytest.mark.parametrize(
    "networks_template",
    [
        "",
        (
            "{% for network in networks %}\n"
            "  network {{ network.prefix }}\n  network {{ network.prefix }} backdoor\n"
            "{% endfor %}\n"
        ),
    ],
    ids=["prints nothing", "prints two lines"],
)
def test_tree_follows_an_operators_block_of_prefixes(networks_template: str, write: Callable[[str, str], Path]) -> None:
    """Whatever the template of a block prints, tree and text say the same; in two VRFs with equal beginnings too."""
    folder = write("networks.j2", networks_template)
    first, second = config(networks=(network(1), network(2))), config(networks=(network(1), network(3)))
    both = replace(first, routers=(*first.routers, replace(second.routers[0], vrf="red")))
    rendered = Renderer(folder, DIALECT).render(both)
    assert rendered.tree == parse(rendered.text)
    assert ("  network 10.0.0.3/32 backdoor\n" in rendered.text) == bool(networks_template)


def test_one_more_prefix_among_ten_thousand_renders_few_lines() -> None:
    """Only the block of the new prefix is made; a border may move, so two blocks more are allowed."""
    renderer = Renderer(None, DIALECT)
    networks = tuple(map(network, range(10_000)))
    renderer.render(config(networks=networks))
    before = set(map(id, renderer._run._parts.values()))
    kept = renderer._run._parts  # keeps the old blocks alive, so that an identity is not given out twice
    renderer.render(config(networks=(*networks[:5000], network(70_000), *networks[5000:])))
    made = [part for part in renderer._run._parts.values() if id(part) not in before]
    assert kept is not renderer._run._parts
    assert 1 <= len(made) <= 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FRRouting 8.4.4 (vm) on Linux(6.1).\n '--enable-multipath=256'", ((8, 4), True, 256)),
        ("frr version 9.1_git\n", ((9, 1), False, 16)),
        ("FRRouting 10.3 (n1) on Linux(6.12).\n '--enable-multipath=64'", ((10, 3), False, 64)),
        ("10.8.0-dev", ((10, 8), False, 16)),
    ],
)
def test_dialect_is_read_from_the_version(text: str, expected: tuple[tuple[int, int], bool, int]) -> None:
    """Version, default of next-hop tracking, and the paths that this build has."""
    found = dialect_of(text)
    assert (found.version, found.prints_resolve_via_default, found.maximum_paths) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [("FRRouting 8.3.1 (a) on Linux", "FRR 8.3 is too old: allowed is 8.4"), ("Quagga", "'Quagga'"), ("", "''")],
)
def test_unknown_or_old_frr_is_refused(text: str, said: str) -> None:
    """The text says what was found and what is allowed."""
    with pytest.raises(FrrUnavailable, match=said):
        dialect_of(text)
