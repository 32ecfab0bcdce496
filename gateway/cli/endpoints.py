"""Endpoints as operators write them: where a partner is called for which module."""

from collections.abc import Iterable

from sqlalchemy import Connection

from gateway.cli.opening import Refused
from gateway.domain.called import CALLED
from gateway.outgoing.guard import UrlRefused, check_url, plain_host
from gateway.store import endpoints


def read_module(module: str) -> str:
    if module not in CALLED:
        raise Refused(f"There is no endpoint {module!r} to call; there are {', '.join(CALLED)}.")
    return module


def read_url(module: str, url: str, *, allow_private: bool) -> str:
    """One that is called as it stands; ids are put behind it, so it ends with no query."""
    try:
        check_url(url, hosts=[plain_host(url)], allow_private=allow_private)
        if "?" in url:
            raise UrlRefused("It has a query, and ids are put behind it.")
    except UrlRefused as refusal:
        raise Refused(f"The URL {url!r} for {module} cannot be called: {refusal}") from None
    return url


def read_endpoints(given: Iterable[str], *, allow_private: bool) -> dict[str, str]:
    """``MODULE=URL``, each module once."""
    found: dict[str, str] = {}
    for one in given:
        module, assigned, url = one.partition("=")
        if not assigned:
            raise Refused(f"--endpoint is MODULE=URL, not {one!r}.")
        if read_module(module) in found:
            raise Refused(f"--endpoint names {module} twice.")
        found[module] = read_url(module, url, allow_private=allow_private)
    return found


def put(db: Connection, partner: int, module: str, url: str) -> None:
    endpoints.put(db, partner, module, CALLED[module], url)


def remove(db: Connection, partner: int, module: str) -> bool:
    return endpoints.remove(db, partner, module, CALLED[module])
