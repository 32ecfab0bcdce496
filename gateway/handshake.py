"""Handshakes, the asking half: what a platform speaks and where its modules are (credentials §Registration)."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gateway.calling import Line, call
from gateway.domain.called import missing
from gateway.office import Office
from gateway.outgoing.client import Posted
from gateway.outgoing.guard import UrlRefused, plain_host
from ocpi.envelope import Received, read_envelope
from ocpi.headers import Encoding, Routing
from ocpi.status import NoMatchingEndpoints, UnsupportedVersion, UnusableClientApi
from ocpi.versions import Endpoint, ModuleID, read_endpoints, read_versions

#: Answers that may mean: not here, but under the same URL with a slash more or less.
_ELSEWHERE = frozenset({301, 302, 303, 307, 308, 404, 405})


@dataclass(frozen=True)
class Way:
    """How a platform is called."""

    #: As it is, not in Base64.
    token: str
    encoding: Encoding = Encoding.BASE64
    #: Whether its URLs are there with a slash at their end or without one; None: as they are told.
    trailing_slash: bool | None = None

    def spelt(self, url: str) -> str:
        return url if self.trailing_slash is None else url.rstrip("/") + "/" * self.trailing_slash


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What a platform was found to offer."""

    versions_url: str
    version: str
    endpoints: tuple[Endpoint, ...]
    #: The way in which it answered.
    way: Way

    @property
    def credentials_url(self) -> str:
        return next(one.url for one in self.endpoints if one.identifier == ModuleID.CREDENTIALS)

    @property
    def hosts(self) -> set[str]:
        """Where it is at home; all of its URLs are plain ones."""
        return {plain_host(url).lower() for url in (self.versions_url, *(one.url for one in self.endpoints))}


async def explore(office: Office, url: str, ways: Sequence[Way], versions: Sequence[str]) -> Platform:
    """The first of ``versions`` that the platform speaks, and its endpoints, asked in the first way that it answers.

    Many peers write the token as it is, some have a slash more or less than they say; all of it within the setting's
    time. Raises UnusableClientApi, UnsupportedVersion, NoMatchingEndpoints.
    """
    settings = office.rules.settings
    end = time.monotonic() + settings.registration_timeout.total_seconds()
    told, way = await _get(office, url, list(_spelt(ways)), end)
    offered = {one.version: one.url for one in reversed(read_versions(told.data))}
    if not offered:
        raise UnusableClientApi(f"There is no list of versions at {url}")
    version = next((one for one in versions if one in offered), None)
    if version is None:
        raise UnsupportedVersion(f"{', '.join(versions)} is not among the versions at {url}")
    told, way = await _get(office, offered[version], [way, *_spelt([way])], end)
    readable = (one for one in read_endpoints(told.one) if _is_plain(one.url))
    endpoints = tuple(one.model_copy(update={"url": way.spelt(one.url)}) for one in readable)
    if lacking := missing({ModuleID.CREDENTIALS: None} | dict.fromkeys(settings.expected_modules), endpoints):
        raise NoMatchingEndpoints(f"Missing in the version details at {offered[version]}: {', '.join(lacking)}")
    return Platform(versions_url=way.spelt(url), version=version, endpoints=endpoints, way=way)


def _spelt(ways: Sequence[Way]) -> Iterator[Way]:
    """Each way with the token written as it says, then otherwise."""
    for way in ways:
        yield way
        yield replace(way, encoding=Encoding.RAW if way.encoding is Encoding.BASE64 else Encoding.BASE64)


async def _get(office: Office, url: str, ways: Sequence[Way], end: float) -> tuple[Received, Way]:
    """Raises UnusableClientApi, with what the first way met."""
    problems = []
    for way in ways:
        for written, slash in _written(url, way):
            posted = await _ask(office, written, way, end)
            if posted.http_status is None:
                raise UnusableClientApi(f"{url} cannot be fetched: {posted.error}")
            told = _succeeded(posted)
            if told is not None:
                return told, replace(way, trailing_slash=slash)
            problems.append(f"{url} answers with HTTP {posted.http_status}{_code(posted)}")
            if posted.http_status not in _ELSEWHERE:
                break
    raise UnusableClientApi(problems[0])


def _written(url: str, way: Way) -> list[tuple[str, bool | None]]:
    """The URL as the platform tells it, or as it was found to mean it, and with a slash more or less."""
    url = way.spelt(url)
    other = not url.endswith("/")
    return [(url, way.trailing_slash), (replace(way, trailing_slash=other).spelt(url), other)]


async def _ask(office: Office, url: str, way: Way, end: float) -> Posted:
    line = Line(
        url=url, token_out=office.rules.secrets.seal(way.token), encoding=way.encoding, routing=Routing()
    )  # versions are no functional module: nothing is routed
    return await call(office, line, "GET", None, timedelta(seconds=max(0.0, end - time.monotonic())))


def _succeeded(posted: Posted) -> Received | None:
    try:
        told = read_envelope(posted.body)
    except ValueError:
        return None
    good = posted.http_status is not None and 200 <= posted.http_status < 300
    return told if good and told.succeeded else None


def _code(posted: Posted) -> str:
    try:
        return f", OCPI {read_envelope(posted.body).status_code}"
    except ValueError:
        return " and no OCPI envelope"


def _is_plain(url: str) -> bool:
    """One that could be called; what else a platform offers is of no use to us."""
    try:
        return bool(plain_host(url))
    except UrlRefused:
        return False
