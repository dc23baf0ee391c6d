"""Templates without FRR: fragments and their places, where a line comes from, and other forms of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from core.test_render import DIALECT, config, network
from frrsync.agent.rendering import Rendering
from frrsync.core.frr_config import Neighbor
from frrsync.errors import ConfigError, RenderError
from frrsync.frr.render import Renderer
from frrsync.frr.reprint import Reprint, applied, learn, recognize, send_again
from frrsync.frr.tree import parse

if TYPE_CHECKING:
    from pathlib import Path

    from frrsync.core.frr_config import FrrConfig

ROUTER = "router bgp 64512"
IPV4 = "address-family ipv4 unicast"


def named() -> FrrConfig:
    """Return two neighbors with names, in two VRFs."""
    whole = config()
    router = whole.routers[0]
    first = replace(router.neighbors[0], description="tor1")
    second = Neighbor(peer="192.0.2.2", remote_as="64520", description="tor2")
    return replace(whole, routers=(replace(router, neighbors=(first, second)), replace(router, vrf="red")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of templates without any."""
    (tmp_path / "fragments").mkdir()
    return tmp_path


def write(folder: Path, **fragments: str) -> Path:
    """Write fragments; in names ``__`` stands for the dash."""
    for name, text in fragments.items():
        (folder / "fragments" / f"{name.replace('__', '-')}.j2").write_text(text, "utf-8")
    return folder


def test_fragments_stand_at_their_place(folder: Path) -> None:
    """The general one first, then the one of a name; where there is no such object, none."""
    write(
        folder,
        before="ip prefix-list a seq 5 permit any\n",
        after="ip prefix-list z seq 5 permit any\n",
        router=" bgp always-compare-med\n",
        router__default=" bgp deterministic-med\n",
        router__red=" bgp bestpath med missing-as-worst\n",
        router__blue="nonsense\n",
        neighbor=" neighbor {{ neighbor.peer }} weight {{ router.asn }}\n",
        neighbor__tor2=" neighbor {{ neighbor.peer }} passive\n",
        neighbor__tor3="nonsense\n",
        address_family="  maximum-paths 7\n",
        address_family__ipv4="  distance bgp 21 200 200\n",
        address_family__ipv6="nonsense\n",
    )
    rendered = Renderer(folder, DIALECT).render(named())
    tree, text = rendered.tree, rendered.text
    places = [text.index(one) for one in ("prefix-list a", "route-map frrsync", "router bgp", "prefix-list z")]
    assert places == sorted(places)
    assert "nonsense" not in text
    default, red = tree[ROUTER], tree[f"{ROUTER} vrf red"]
    assert "bgp always-compare-med" in default
    assert "bgp always-compare-med" in red
    assert ("bgp deterministic-med" in default) > ("bgp deterministic-med" in red)
    assert ("bgp bestpath med missing-as-worst" in default) < ("bgp bestpath med missing-as-worst" in red)
    assert "neighbor 192.0.2.1 weight 64512" in default
    assert "neighbor 192.0.2.2 passive" in default
    assert "neighbor 192.0.2.1 passive" not in default
    assert {"maximum-paths 7", "distance bgp 21 200 200"} <= default[IPV4].keys()


def test_a_fragment_survives_a_replaced_template(folder: Path) -> None:
    """Whoever replaces neighbor.j2 keeps the fragments of neighbors."""
    (folder / "neighbor.j2").write_text(" neighbor {{ neighbor.peer }} remote-as external\n", "utf-8")
    write(folder, neighbor=" neighbor {{ neighbor.peer }} passive\n")
    tree = Renderer(folder, DIALECT).render(config()).tree[ROUTER]
    assert {"neighbor 192.0.2.1 remote-as external", "neighbor 192.0.2.1 passive"} <= tree.keys()


@pytest.mark.parametrize("name", ["routers.j2", "neighbor", "neighbor-.j2", "README.md", "sub/router.j2", "ipv4.j2"])
def test_an_unknown_fragment_names_what_is_allowed(name: str, folder: Path) -> None:
    """A misspelt name must not silently mean nothing."""
    (folder / "fragments" / name).parent.mkdir(exist_ok=True)
    (folder / "fragments" / name).write_text("", "utf-8")
    with pytest.raises(RenderError, match=r"allowed: before.j2, after.j2, .*neighbor-NAME.j2") as caught:
        Renderer(folder, DIALECT)
    assert str(caught.value).startswith(f"{folder / 'fragments' / name}: found no place")


def test_backups_of_editors_are_no_fragments(folder: Path) -> None:
    """They come and go beside the file."""
    for name in (".router.j2.swp", "router.j2~", "#router.j2#"):
        (folder / "fragments" / name).write_text("nonsense\n", "utf-8")
    assert "nonsense" not in Renderer(folder, DIALECT).render(config()).text


def test_a_file_may_lack_the_end_of_its_last_line(folder: Path) -> None:
    """Else its last line and the next one would become one."""
    write(folder, router=" bgp deterministic-med", address_family="{% if true %}\n  maximum-paths 7\n{% endif %}")
    tree = Renderer(folder, DIALECT).render(config()).tree[ROUTER]
    assert "bgp deterministic-med" in tree
    assert "maximum-paths 7" in tree[IPV4]


def test_names_of_ours_cannot_be_taken(folder: Path) -> None:
    """``frrsync/`` always means our own templates."""
    (folder / "frrsync").mkdir()
    (folder / "frrsync" / "bfd.j2").write_text("", "utf-8")
    with pytest.raises(RenderError, match="are those of frrsync's own templates"):
        Renderer(folder, DIALECT)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """A file, or a link to nowhere."""
    (tmp_path / "file").write_text("", "utf-8")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(ConfigError, match="templates: found no folder"):
            Renderer(tmp_path / name, DIALECT)


def test_fragments_do_not_make_a_changed_prefix_dear(folder: Path) -> None:
    """One prefix more among many still renders few blocks."""
    write(folder, address_family="  maximum-paths 7\n", neighbor=" neighbor {{ neighbor.peer }} passive\n")
    renderer = Renderer(folder, DIALECT)
    networks = tuple(map(network, range(10_000)))
    renderer.render(config(networks=networks))
    before = renderer._run._parts
    renderer.render(config(networks=(*networks[:5000], network(70_000), *networks[5000:])))
    made = [key for key, part in renderer._run._parts.items() if before.get(key) is not part]
    assert len(made) <= 3, f"expected few new blocks, found {len(made)}"


# where a line comes from


def test_every_line_knows_its_template(folder: Path) -> None:
    """Of fragments, blocks, macros and loops; lines of ours come from nowhere."""
    write(
        folder,
        before="!\n{% for i in range(2) %}\nip prefix-list p{{ i }} seq 5 permit any\n{% endfor %}\n",
        neighbor="{% if true %}\n neighbor {{ neighbor.peer }} passive\n{% endif %}\n",
        router='{% from "macros.j2" import med %}\n{{ med("missing-as-worst") }}\n',
    )
    (folder / "macros.j2").write_text(
        "{% macro med(x) %}\n bgp bestpath med {{ x }}\n bgp deterministic-med{% endmacro %}\n", "utf-8"
    )
    (folder / "networks.j2").write_text("{% for n in networks %}\n  network {{ n.prefix }}\n{% endfor %}\n", "utf-8")
    (folder / "address_family.j2").write_text(
        '{% extends "frrsync/address_family.j2" %}\n{% block family_extra %}\n  maximum-paths 7\n{% endblock %}',
        "utf-8",
    )
    renderer = Renderer(folder, DIALECT)
    tree = renderer.render(config()).tree
    fragments, macros = folder / "fragments", folder / "macros.j2"
    assert renderer.origins() == {
        ("ip prefix-list p0 seq 5 permit any",): f"{fragments / 'before.j2'}:3",
        ("ip prefix-list p1 seq 5 permit any",): f"{fragments / 'before.j2'}:3",
        (ROUTER, "bgp bestpath med missing-as-worst"): f"{macros}:2",
        (ROUTER, "bgp deterministic-med"): f"{macros}:3",
        (ROUTER, "neighbor 192.0.2.1 passive"): f"{fragments / 'neighbor.j2'}:2",
        (ROUTER, IPV4, "network 10.0.0.1/32"): f"{folder / 'networks.j2'}:2",
        (ROUTER, IPV4, "maximum-paths 7"): f"{folder / 'address_family.j2'}:3",
    }
    assert tree[ROUTER]["bgp deterministic-med"] == {}


def test_templates_that_look_into_what_they_print_still_have_an_origin(folder: Path) -> None:
    """Then it is the folder, for each line that ours alone do not print."""
    write(
        folder,
        router="{% set text %} bgp deterministic-med{% endset %}\n{% if text|length == 22 %}\n{{ text }}\n{% endif %}",
    )
    renderer = Renderer(folder, DIALECT)
    renderer.render(config())
    assert renderer.origins() == {(ROUTER, "bgp deterministic-med"): str(folder)}


def test_without_templates_nothing_has_an_origin() -> None:
    """Also before anything was rendered."""
    renderer = Renderer(None, DIALECT)
    assert renderer.origins() == {}
    renderer.render(config())
    assert renderer.origins() == {}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("!\n neighbor {{ neighbor.peer }} description a\tb\n", 2, "found the character '\\t'"),
        ("{% if true %}\n!\n   neighbor x\n{% endif %}\n", 3, "is indented although"),
        ("!\n{{ 'x' * 1001 }}\n", 2, "has 1001 characters"),
        ("!\nend\n", 2, "ends no open context"),
        ("!\nrouter bgp 64512\n bgp router-id 192.0.2.1\n", 3, "context that was there before"),
        ("!\nexit\n", 2, "what follows it, line"),
        ("!\n do clear bgp *\n", 2, "is a command"),
        (" quit\n", 1, "is a command"),
        (" sh run\n", 1, "is a command"),
    ],
)
def test_text_that_is_refused_names_its_template(text: str, line: int, said: str, folder: Path) -> None:
    """Not the rendered line alone, which nobody has seen."""
    write(folder, neighbor=text)
    with pytest.raises(RenderError) as caught:
        Renderer(folder, DIALECT).render(named())
    assert str(caught.value).startswith(f"{folder / 'fragments' / 'neighbor.j2'}:{line}: "), str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("number", ["9", "999999", "9" * 5000])
def test_text_that_looks_like_a_mark_is_refused_like_any_other(number: str, folder: Path) -> None:
    """Whoever prints the characters by which lines are traced gets an error, and the agent goes on."""
    write(folder, neighbor=f"{{{{ '\ue000{number}\ue001' }}}} x|y\n")
    with pytest.raises(RenderError, match=r"found the character '\|'"):
        Renderer(folder, DIALECT).render(named())


def test_a_line_that_is_never_sent_is_a_mistake(folder: Path) -> None:
    """A misspelt line of the top level would wait in the file for FRR to start, and nobody would know."""
    write(folder, before="!\nip prefx-list a seq 5 permit any\nip prefix-list b seq 5 permit any\n")
    rendering = Rendering(folder)
    rendering.render(config(), DIALECT)
    (mistake,) = rendering.mistakes
    assert (mistake.file, mistake.line) == (str(folder / "fragments" / "before.j2"), 2)
    assert "'ip prefx-list a seq 5 permit any' is not sent to FRR" in mistake.message
    write(folder, before="hostname {{ routers[0].neighbors[0].password }}\n")
    secret = config()
    router = secret.routers[0]
    neighbors = (replace(router.neighbors[0], password="s3cret-word"), *router.neighbors[1:])
    rendering.renew()
    rendering.render(replace(secret, routers=(replace(router, neighbors=neighbors), *secret.routers[1:])), DIALECT)
    assert "s3cret-word" not in str(rendering.mistakes), f"found {rendering.mistakes}"
    assert "<hidden:" in str(rendering.mistakes), f"found {rendering.mistakes}"
    write(folder, before="ip prefix-list a seq 5 permit any\n")
    rendering.renew()
    rendering.render(config(), DIALECT)
    assert not rendering.mistakes, f"found {rendering.mistakes}"


@pytest.mark.parametrize(
    "text",
    [
        "  ! {{ neighbor.password }}\n    nonsense {{ neighbor.password }}\n",
        "{{ {}[neighbor.password] }}\n",
        "{% include neighbor.password %}\n",
        " neighbor {{ neighbor.peer }} wibble {{ neighbor.password }}\tx\n",
        "{{ fragments[neighbor.password] }}\n",
        "{{ neighbor.password.nothing }}\n",
    ],
)
def test_no_error_shows_a_password(text: str, folder: Path) -> None:
    """Wherever a template may have put it."""
    write(folder, neighbor=text)
    with pytest.raises(RenderError) as caught:
        Renderer(folder, DIALECT).render(config())
    assert "s3cret" not in str(caught.value)


# forms of lines


TIMERS = (ROUTER, "neighbor a timers 30 10")
FORM = (ROUTER, "neighbor a timers 3 10")


def test_a_line_is_learned_with_the_form_that_came_for_it() -> None:
    """Two lines of one context are told apart by their words."""
    wanted = parse("router bgp 64512\n neighbor a timers 30 10\n neighbor b timers 40 12\n")
    running = parse("router bgp 64512\n neighbor b timers 4 12\n neighbor a timers 3 10\n")
    other = (ROUTER, "neighbor b timers 40 12")
    found = learn(parse("router bgp 64512\n"), running, wanted, {TIMERS, other})
    assert set(found) == {
        Reprint(wanted=TIMERS, runs=(FORM,)),
        Reprint(wanted=other, runs=((ROUTER, "neighbor b timers 4 12"),)),
    }
    assert applied(wanted, found) == running
    assert wanted == parse("router bgp 64512\n neighbor a timers 30 10\n neighbor b timers 40 12\n")


def test_a_line_that_is_not_printed_is_learned_as_such() -> None:
    """Nothing is wanted for it any more, and everything else stays."""
    wanted = parse("router bgp 64512\n neighbor a timers 30 10\n neighbor a passive\n")
    found = learn({}, parse("router bgp 64512\n neighbor a passive\n"), wanted, {TIMERS})
    assert found == (Reprint(wanted=TIMERS, runs=()),)
    assert applied(wanted, found) == parse("router bgp 64512\n neighbor a passive\n")


def test_a_line_that_brings_another_is_learned_with_it() -> None:
    """The line itself stays wanted."""
    wanted = parse("router bgp 64512\n neighbor a bfd check-control-plane-failure\n")
    running = parse("router bgp 64512\n neighbor a bfd\n neighbor a bfd check-control-plane-failure\n")
    path = (ROUTER, "neighbor a bfd check-control-plane-failure")
    found = learn(parse("router bgp 64512\n"), running, wanted, {path})
    assert found == (Reprint(wanted=path, runs=(path, (ROUTER, "neighbor a bfd"))),)
    assert applied(wanted, found) == running


@pytest.mark.parametrize(
    ("before", "running", "wanted"),
    [
        ("", "router bgp 64512\n neighbor a timers 3 10\n", "router bgp 64512\n neighbor a timers 3 9\n"),
        ("", "router bgp 64512\n", "router bgp 64512\n neighbor a timers 3 9\n neighbor a timers 30 10\n"),
        ("", "router bgp 64512\n neighbor z shutdown\n", "router bgp 64512\n"),
        ("access x\n", "access x\nrouter bgp 64512\n", "router bgp 64512\n neighbor a timers 30 10\n"),
        ("", "something\nrouter bgp 64512\n", "router bgp 64512\n neighbor a timers 30 10\n"),
    ],
    ids=["a line of ours", "one of ours besides", "an unasked line", "one that was there before", "another context"],
)
def test_other_differences_are_not_learned(before: str, running: str, wanted: str) -> None:
    """Only lines of the operator's, and only what can be a form of them."""
    assert learn(parse(before), parse(running), parse(wanted), {TIMERS}) == ()


def test_forms_apply_only_where_the_line_is_printed() -> None:
    """A neighbor that went takes nothing with it, and leaves nothing."""
    tree = parse("router bgp 64512\n neighbor b passive\n")
    assert applied(tree, [Reprint(wanted=TIMERS, runs=(FORM,))]) == tree


def test_a_form_in_another_context_takes_its_context_with_it() -> None:
    """An empty one goes, one with other lines stays."""
    wanted = parse("router bgp 64512\n address-family ipv6\n  maximum-paths 7\n")
    running = parse("router bgp 64512\n address-family ipv6 unicast\n  maximum-paths 7\n")
    short = (ROUTER, "address-family ipv6")
    found = learn(parse("router bgp 64512\n"), running, wanted, {short, (*short, "maximum-paths 7")})
    assert applied(wanted, found) == running


def test_a_line_that_is_not_printed_is_sent_again_to_be_sure() -> None:
    """It may have gone with its other form, or by somebody else's hand; a context is no line to send."""
    line = "ip prefix-list a permit 192.0.2.0/24"
    before = parse("ip prefix-list a seq 5 permit 192.0.2.0/24\n")
    again = send_again(before, {}, parse(f"{line}\n"), {(line,)})
    assert [(command.context, command.line) for command in again] == [((), line)]
    assert send_again(before, {}, parse(f"{line}\n"), ()) == ()
    assert send_again({}, parse("ip prefix-list a seq 5 permit 192.0.2.0/24\n"), parse(f"{line}\n"), {(line,)}) == ()
    wanted = parse("router bgp 64512\n address-family ipv6\n  maximum-paths 7\n")
    short = (ROUTER, "address-family ipv6")
    again = send_again({}, parse("router bgp 64512\n"), wanted, {short, (*short, "maximum-paths 7")})
    assert [(command.context, command.line) for command in again] == [(short, "maximum-paths 7")]


@pytest.mark.parametrize(
    ("wanted", "running", "is_same"),
    [
        ("neighbor a timers 30 10", "neighbor a timers 3 10", True),
        ("neighbor a timers 30 10", "neighbor a timers 3 12", False),
        ("neighbor a timers 2 10", "neighbor a timers 3 10", False),
        ("neighbor a ebgp-multihop", "neighbor a ebgp-multihop 255", True),
        ("neighbor a ebgp-multihop", "neighbor a ebgp-multihop 254", False),
        ("neighbor a ebgp-multihop", "neighbor b ebgp-multihop 255", False),
        ("neighbor a allowas-in 3", "neighbor a allowas-in", True),
        ("neighbor a allowas-in 4", "neighbor a allowas-in", False),
        ("neighbor a enforce-multihop", "neighbor a disable-connected-check", True),
        ("neighbor FD00:0::1 passive", "neighbor fd00::1 passive", True),
        ("neighbor a description x  y", "neighbor a description x y", True),
        ("set community 1:2 1:1", "set community 1:1 1:2", True),
        ("set community 1:2 1:1", "set community 1:1", False),
        ("set as-path prepend 1 2", "set as-path prepend 2 1", False),
        ("aggregate-address ::/8 route-map a summary-only", "aggregate-address ::/8 summary-only route-map a", True),
        ("ip prefix-list a permit any", "ip prefix-list a seq 5 permit any", False),
    ],
)  # fmt: skip
def test_a_form_that_runs_is_recognized_only_if_it_means_the_same(wanted: str, running: str, is_same: bool) -> None:
    """Without having seen what became of the line; the same line of ours is never taken for a form."""
    have, want = parse(f"router bgp 64512\n {running}\n"), parse(f"router bgp 64512\n {wanted}\n")
    found = recognize(have, want, lambda: {(ROUTER, wanted)})
    assert (applied(want, found) == have) == is_same, found
    assert recognize(have, want, lambda: ()) == ()


def test_what_was_learned_outlives_the_agent_and_not_the_version(folder: Path, tmp_path: Path) -> None:
    """The record is beside the socket; a broken one is as good as none."""
    write(folder, neighbor=" neighbor {{ neighbor.peer }} timers 30 10\n")
    record, told = tmp_path / "record", []
    agent = Rendering(folder, record, lambda: told.append(1))
    wanted = agent.render(config(), DIALECT).tree
    running = {line: dict(content) for line, content in wanted.items()}
    del running[ROUTER]["neighbor 192.0.2.1 timers 30 10"]
    running[ROUTER]["neighbor 192.0.2.1 timers 3 10"] = {}
    assert agent.learn({}, running, wanted) == running
    assert told == [1]
    assert agent.render(config(), DIALECT).tree == running
    assert agent.render(config(), DIALECT) is agent.render(config(), DIALECT)
    assert len(agent.mistakes) == 1
    assert Rendering(folder, record).render(config(), DIALECT).tree == running
    assert Rendering(folder, record).render(config(), replace(DIALECT, version=(10, 4))).tree == wanted
    record.write_text("{", "utf-8")
    assert Rendering(folder, record).render(config(), DIALECT).tree == wanted


def test_a_template_that_stays_wrong_is_not_run_again(folder: Path) -> None:
    """Retries cost nothing as long as neither the files nor the configuration changed."""
    agent = Rendering(folder)
    agent.render(config(), DIALECT)
    loops = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"
    write(folder, router=loops)
    agent.renew()
    agent.render(config(), DIALECT)
    failed = agent._failed
    assert "endless loop" in agent.problem
    agent.renew()
    agent.render(config(), DIALECT)
    agent.renew()
    agent.render(named(), DIALECT)  # too slow for one configuration is too slow for the next
    assert agent._failed is failed
    write(folder, router=" bgp deterministic-med\n")
    agent.renew()
    assert "bgp deterministic-med" in agent.render(config(), DIALECT).tree[ROUTER]
    assert not agent.problem
