"""Which IP addresses belong to the public internet."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# The special-purpose registries of IANA, spelled out: what the standard library counts as global changed with its
# versions, and holds multicast, site-local and translated addresses.
_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by carriers, and by one cloud's metadata service
            "127.0.0.0/8",
            "168.63.129.16/32",  # looks public, and is the host's agent on every machine of Azure
            "169.254.0.0/16",  # link-local; metadata services of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
# 6to4 and Teredo have an IPv4 address inside, which a router may take out.
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_TRANSLATED = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, by what is inside for an IPv4 address written as IPv6."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        inside = parsed.ipv4_mapped or (IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in _TRANSLATED else None)
        if inside is None:
            return parsed in _PUBLIC_6 and not any(parsed in network for network in _NOT_PUBLIC_6)
        parsed = inside
    return not any(parsed in network for network in _NOT_PUBLIC_4)
