"""The guard: which URLs of strangers the gateway calls, judged by their text.

A ``response_url`` makes us POST a credentials token to wherever a partner says, and nothing in the specification limits
where (mod_commands §Sender). The addresses behind a name are judged when a socket is opened, in ``names``.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address

from gateway.outgoing.addresses import forbidden_address

#: OCPI's type URL, string(255).
LONGEST_URL = 255

# One spelling for each thing, so that no two parsers can read two different hosts out of one text.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f.]*:[0-9a-f:.]*\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?][!-~]*)?",
    re.IGNORECASE,
)
# A last label that is a number makes the whole host an IPv4 address to some parsers: 2130706433, 0x7f.1, 127.1.
_NUMBER_LAST = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.*", re.IGNORECASE)


class UrlRefused(ValueError):
    """The gateway does not call this URL; the message says why in one sentence."""


def check_url(url: str, *, hosts: Collection[str], allow_private: bool) -> None:
    """Raise UrlRefused unless ``url`` is one we may call: a plain https URL to one of ``hosts``, any port.

    ``hosts`` are written as in URLs: names, IPv4, [IPv6]. ``allow_private`` also allows http and private addresses.
    """
    host = plain_host(url)
    check_target(url[: url.index(":")].lower(), host, allow_private=allow_private)
    if _same(host) not in {_same(each) for each in hosts}:
        raise UrlRefused(f"The host {host} is not registered for this connection.")


@lru_cache(1024)
def check_target(scheme: str, host: str, *, allow_private: bool) -> None:
    """Raise UrlRefused for a scheme or a literal address we do not call; a name is left to the resolver."""
    if scheme != "https" and not (scheme == "http" and allow_private):
        raise UrlRefused("Only https URLs are called.")
    if literal(host) and forbidden_address(_bare(host), allow_private=allow_private):
        raise UrlRefused(f"The address {host} is not one that partners may name.")


def literal(host: str) -> bool:
    """Whether ``host`` is an address in some spelling, and so never asked of a name service."""
    return ":" in host or _NUMBER_LAST.fullmatch(host) is not None


def plain_host(url: str) -> str:
    """The host of a URL in the one plain spelling that is accepted."""
    if len(url) > LONGEST_URL:
        raise UrlRefused(f"The URL is longer than {LONGEST_URL} characters.")
    if not all("!" <= character <= "~" for character in url):
        raise UrlRefused("The URL has characters other than printable ASCII.")
    if "#" in url or "\\" in url:
        raise UrlRefused("The URL has a fragment or a backslash.")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise UrlRefused("Not a plain URL: https, a host, perhaps a port and a path; no user name.")
    if parts["port"] is not None and not 1 <= int(parts["port"]) <= 65535:
        raise UrlRefused(f"There is no port {parts['port']}.")
    return parts["host"]


@lru_cache(1024)
def _same(host: str) -> str:
    """One spelling for a host, whatever its case and however its IPv6 address is shortened."""
    try:
        return str(ip_address(_bare(host)))
    except ValueError:
        return host.lower()


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")
