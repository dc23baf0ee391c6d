"""IP addresses, ranges and prefixes of pools."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network, summarize_address_range
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Network

Address = IPv4Address | IPv6Address

_EMBEDDED_IPV4 = (IPv6Network("::/96"), IPv6Network("::ffff:0:0/96"))
_LINK_LOCAL = IPv6Network("fe80::/10")


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses from ``first`` to ``last``, both included and of one family."""

    first: Address
    last: Address

    @property
    def version(self) -> int:
        """Return 4 or 6."""
        return self.first.version

    @property
    def size(self) -> int:
        """Return the number of addresses."""
        return int(self.last) - int(self.first) + 1

    def __contains__(self, address: Address) -> bool:
        """Say whether the address lies in the range."""
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def overlaps(self, other: AddressRange) -> bool:
        """Say whether the two ranges share an address."""
        return (
            self.version == other.version and int(self.first) <= int(other.last) and int(other.first) <= int(self.last)
        )

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the fewest prefixes that cover exactly this range, ascending."""
        if isinstance(self.first, IPv4Address) and isinstance(self.last, IPv4Address):
            return tuple(summarize_address_range(self.first, self.last))
        return tuple(summarize_address_range(IPv6Address(int(self.first)), IPv6Address(int(self.last))))

    def __str__(self) -> str:
        """Return a prefix where the range is one, else ``first-last``."""
        networks = self.networks()
        return str(networks[0]) if len(networks) == 1 else f"{self.first}-{self.last}"


def parse_range(text: str) -> AddressRange:
    """Read an entry of ``IPAddressPool.spec.addresses``: a prefix or ``first-last``.

    Host bits of a prefix are cleared, as MetalLB does. Raises ValueError with a text that says what is
    wrong and what is allowed.
    """
    if "-" in text:
        start, _, end = text.partition("-")
        first, last = parse_address(start.strip()), parse_address(end.strip())
        if first.version != last.version:
            raise ValueError(f"range {text!r} has ends of different families; both must be IPv4 or both IPv6")
        if int(first) > int(last):
            raise ValueError(f"range {text!r} ends before it starts; the lower address comes first")
        return _announceable(AddressRange(first, last), text)
    if "/" not in text:
        raise ValueError(f"{text!r} is neither a prefix such as 192.0.2.0/24 nor a range such as 192.0.2.1-192.0.2.9")
    address, _, length = text.partition("/")
    parsed = parse_address(address)
    if not (length.isascii() and length.isdigit() and len(length) <= 3 and int(length) <= parsed.max_prefixlen):
        raise ValueError(f"{text!r} has prefix length {length!r}; allowed are 0 to {parsed.max_prefixlen}")
    network = ip_network(f"{parsed}/{length}", strict=False)
    return _announceable(AddressRange(network.network_address, network.broadcast_address), text)


def _announceable(found: AddressRange, text: str) -> AddressRange:
    """Return the range; raises ValueError for addresses that FRR cannot announce, or no Service can have.

    FRR 8.4 and 10.3 print embedded IPv4 in different forms, and refuse ``network`` lines with link-local prefixes.
    """
    for network in _EMBEDDED_IPV4:
        if found.version == 6 and found.overlaps(AddressRange(network[0], network[-1])):
            raise ValueError(f"{text!r} has addresses of {network}, which stand for IPv4; allowed are others")
    if found.overlaps(AddressRange(_LINK_LOCAL[0], _LINK_LOCAL[-1])):
        raise ValueError(
            f"{text!r} has addresses of {_LINK_LOCAL}, which are valid on one link only; allowed are others"
        )
    for word, is_so in (("multicast", "is_multicast"), ("loopback", "is_loopback")):
        if getattr(found.first, is_so) and getattr(found.last, is_so):
            raise ValueError(f"{text!r} has {word} addresses, which no Service can have; allowed are others")
    return found


def parse_address(text: str) -> Address:
    """Read one IP address; raises ValueError that quotes what was found.

    A zone (``fe80::1%eth0``) is refused: no resource of ours has a place for it.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError(f"{text!r} has a zone; give the address without it")
    return address


def is_embedded_ipv4(address: Address) -> bool:
    """Say whether an IPv6 address stands for an IPv4 one: FRR 8.4 and 10.3 print it in different forms."""
    return address.version == 6 and any(address in network for network in _EMBEDDED_IPV4)


def prefix_of(address: Address, length: int) -> str:
    """Return the prefix of that length around an address, host bits cleared, in canonical text."""
    if length == address.max_prefixlen:
        return f"{address}/{length}"
    return str(ip_network(f"{address}/{length}", strict=False))
