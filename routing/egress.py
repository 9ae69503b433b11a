"""Where deployments may send: never to metadata services, to private networks only where the operator says so. Pure but for `resolve`."""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Services that hand out a machine's own credentials: AWS, its containers and pods, Google, Azure, Alibaba, Oracle.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192",
        "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    )
)  # fmt: skip
METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"})
LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal")
# Networks whose last 32 bits are an IPv4 address: IPv4-compatible, NAT64 and its local form.
_EMBEDDING = tuple(ipaddress.IPv6Network(text) for text in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48"))


class EgressRefused(ValueError):
    """An address that a deployment may not have; the text says why."""


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address carries in one of the standard ways."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if int(address) > 1 and any(address in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def refused(address: str, allowed: Sequence[str] = (), *, is_operators: bool = False) -> str:
    """Why a connection to this IP address is refused, or an empty text. `is_operators`: the address stands in the operator's own file."""
    outer = ipaddress.ip_address(address.partition("%")[0])
    inner = _inner(outer)
    if {inner, outer} & METADATA:
        return f"{address} is a metadata service; nothing may be sent there."
    if is_operators or (inner.is_global and not inner.is_multicast and not inner.is_reserved):
        return ""
    if any(inner in network for network in _networks(allowed)):
        return ""
    return f"{address} is a private or reserved address. The operator can allow its range in TALLYGATE_EGRESS_ALLOW."


def _networks(allowed: Iterable[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text, strict=False) for text in allowed]


def literal_address(host: str) -> str:
    """The IP address that a host name is, in any spelling that the system's resolver takes (127.1, 0x7f000001, …), or an empty text."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError, ValueError):
        return ""


def url_problem(url: str, allowed: Sequence[str] = (), *, is_operators: bool = False) -> str:
    """Why a deployment may not have this base URL, as far as its text tells, or an empty text. Names are checked again once resolved."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "This is no valid address."
    is_plain = parts.scheme == "http" and (is_operators or allowed)
    if not (parts.scheme == "https" or is_plain) or not host:
        return "An address starts with https:// and names a host. Plain http is for networks that TALLYGATE_EGRESS_ALLOW lists."
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment or "#" in url or "?" in url:
        return "An address has no user name, no query and no fragment."
    if literal := literal_address(host):
        return refused(literal, allowed, is_operators=is_operators)
    if host in METADATA_NAMES:
        return f"{host} is a metadata service; nothing may be sent there."
    is_local = host == LOCAL_NAMES[0] or host.endswith(LOCAL_NAMES[1:])
    if is_local and not allowed and not is_operators:
        return f"{host} is a name inside your own network. The operator can allow its range in TALLYGATE_EGRESS_ALLOW."
    return ""


def resolve(host: str, port: int) -> list[str]:
    """Every address of the host, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_address(addresses: Sequence[str], allowed: Sequence[str] = (), *, is_operators: bool = False) -> str:
    """The first address, when all of them may be reached: a name with one private address among public ones is refused."""
    for address in addresses:
        if problem := refused(address, allowed, is_operators=is_operators):
            raise EgressRefused(problem)
    if not addresses:
        raise EgressRefused("The host has no address.")
    return addresses[0]
