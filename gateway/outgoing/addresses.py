"""IP addresses the gateway never calls, and those it calls only where private callbacks are allowed."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Own networks: fine on a test bench or inside one company, when the setting says so.
PRIVATE: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "127.0.0.0/8",  # loopback
        "::1/128",
        "fc00::/7",  # unique local, RFC 4193
    )
)

#: No partner lives here, whatever the settings say (IANA special-purpose registries).
NEVER: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # "this" network; 0.0.0.0 reaches the own machine
        "169.254.0.0/16",  # link-local, and the clouds' metadata services
        "168.63.129.16/32",  # a cloud's platform service behind a public-looking address
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "198.51.100.0/24",
        "203.0.113.0/24",
        "192.88.99.0/24",  # 6to4 relays, retired
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "fd00:ec2::/32",  # a cloud's metadata service among the unique local addresses
        "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "3fff::/20",
    )
)

#: IPv6 addresses that stand for an IPv4 address: its last 32 bits.
TRANSLATED: tuple[IPv6Network, ...] = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))  # mapped, NAT64
SIX_TO_FOUR = IPv6Network("2002::/16")
#: All that is assigned as global unicast; link-local, site-local, multicast and IPv4-compatible lie outside.
GLOBAL_UNICAST = IPv6Network("2000::/3")


def forbidden_address(address: Address | str, *, allow_private: bool = False) -> bool:
    """Whether a stranger's URL must not lead to ``address``; what is not a plain address is forbidden too."""
    if isinstance(address, str):
        try:
            address = ip_address(address)
        except ValueError:
            return True
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return True
        embedded = _embedded(address)
        if embedded is not None:
            return forbidden_address(embedded, allow_private=allow_private)
    if any(address in network for network in NEVER):
        return True
    if any(address in network for network in PRIVATE):
        return not allow_private
    return isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in TRANSLATED):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour if address in SIX_TO_FOUR else None
