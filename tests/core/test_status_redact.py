"""Passwords are hidden wherever FRR or a person may have written them; everything else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frrsync.core.redact import redact

PASSWORD = "c0rrect horse"  # noqa: S105 - made up


@pytest.mark.parametrize(
    "line",
    [
        f" neighbor 192.0.2.1 password {PASSWORD}",
        f"neighbor 2001:db8::1 password {PASSWORD}",
        f"no neighbor eth1 password {PASSWORD}",
        f"+  neighbor 192.0.2.1 password {PASSWORD}",
        f"bgpd refused a line with status 2: neighbor 192.0.2.1 password {PASSWORD}",
        f"password {PASSWORD}",
        f"enable password {PASSWORD}",
        f"  key-string {PASSWORD}",
        f" ip ospf message-digest-key 1 md5 {PASSWORD}",
        f" ip ospf authentication-key {PASSWORD}",
        f" ip rip authentication string {PASSWORD}",
        f" area-password clear {PASSWORD}",
        f" isis password md5 {PASSWORD}",
        f" msdp peer 192.0.2.1 password {PASSWORD}",
        f" neighbor fabric password {PASSWORD}",
        f" neigh 192.0.2.1 passw {PASSWORD}",
        f" nei 192.0.2.1 pas {PASSWORD}",
        f"   neighbor 192.0.2.1 password {PASSWORD}",
        f" openfabric password clear {PASSWORD}",
        f" domain-password md5 {PASSWORD}",
        f" ipv6 ospf6 authentication key-id 1 hash-algo md5 key {PASSWORD}",
        f" ip nhrp authentication {PASSWORD}",
        f"  tcp-md5-auth {PASSWORD}",
        f" area 1 virtual-link 192.0.2.1 authentication message-digest message-digest-key 1 md5 {PASSWORD}",
        f"router bgp 1 / neighbor 192.0.2.1 password {PASSWORD}",
        f"no neighbor 192.0.2.1 password {PASSWORD}",
    ],
)
def test_a_password_is_hidden_to_the_end_of_its_line(line: str) -> None:
    """A password may hold blanks, so the rest of the line goes and the next line stays."""
    found = redact(f"! before\n{line}\n! after\n")
    before, middle, after, _ = found.split("\n")
    assert (before, after) == ("! before", "! after")
    assert "c0rrect" not in middle
    assert "horse" not in middle
    assert middle.startswith(line.removesuffix(PASSWORD))
    assert middle.endswith(">")


@pytest.mark.parametrize(
    "text",
    [
        "router bgp 64512\n neighbor 192.0.2.1 remote-as 64513\n",
        " neighbor 192.0.2.1 description ask Ann for the password of tor1\n",
        "service password-encryption\n",
        " neighbor 192.0.2.1 passive\n neighbor 192.0.2.1 passive mode\n",
        " ip ospf authentication key-chain mine\n",
        " neighbor 192.0.2.1 path-attribute discard 26\n",
        "key chain mine\n key 1\n",
    ],
)
def test_everything_else_stays(text: str) -> None:
    """Only the argument of a command that takes a secret is one."""
    assert redact(text) == text


def test_equal_passwords_look_equal_and_others_differ() -> None:
    """So a difference shows that a password changes."""
    one, same, other = (
        redact(f"neighbor {peer} password {secret}") for peer, secret in [("a", "x"), ("b", "x"), ("c", "y")]
    )
    assert one.split()[-1] == same.split()[-1]
    assert one.split()[-1] != other.split()[-1]


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64))
def test_hiding_twice_is_hiding_once(secret: str) -> None:
    """A text may pass through several doors; a password that looks hidden is hidden again."""
    once = redact(f"neighbor 192.0.2.1 password {secret}")
    assert redact(once) == once
    assert once.startswith("neighbor 192.0.2.1 password <hidden:")
