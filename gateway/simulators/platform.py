"""A simulated eMSP's versions, credentials and tokens: it registers and is registered with, and may do so oddly."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession, web

from gateway.simulators.exchanges import envelope, parsed
from gateway.simulators.quirks import Quirks
from gateway.simulators.verdicts import authorization
from ocpi.dialects import NEWEST
from ocpi.headers import Party
from ocpi.status import StatusCode

ROOT = "/ocpi/emsp"
#: What it offers, beside credentials.
MODULES = {"sessions": "RECEIVER", "cdrs": "RECEIVER", "tokens": "SENDER", "commands": "SENDER"}
_EARLIEST = "1970-01-01T00:00:00Z"

Wire = dict[str, Any]


class Refused(Exception):
    """The other side did not do what was asked; the message tells what it answered."""


@dataclass
class Platform:
    """One side of a connection; ``root`` is where its server is (scheme, host, port)."""

    root: str
    party: Party
    client: Callable[[], ClientSession]
    name: str = "A simulated eMSP"
    quirks: Quirks = field(default_factory=Quirks)
    #: Raw tokens that we take, and the one among them that is for registration.
    accepted: list[str] = field(default_factory=list)
    token_a: str | None = None
    #: The raw token that we show, and where: versions URL, and endpoints by (identifier, role).
    token: str | None = None
    their_versions_url: str = ""
    endpoints: dict[tuple[str, str], str] = field(default_factory=dict)
    their_roles: list[Wire] = field(default_factory=list)
    version: str = NEWEST.version
    #: Its tokens, oldest first; pages of so many.
    tokens: list[Wire] = field(default_factory=list)
    page: int = 50
    #: Called whenever the tokens that we take have changed.
    on_tokens: Callable[[list[str]], None] = lambda tokens: None

    # What it serves

    def routes(self) -> list[web.RouteDef]:
        credentials = {"GET": self._shown, "POST": self._exchanged, "PUT": self._exchanged, "DELETE": self._left}
        places: list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] = [
            ("GET", ROOT + "/versions", self._versions),
            ("GET", ROOT + "/{version}", self._details),
            ("GET", ROOT + "/{version}/tokens", self._listed),
            ("POST", ROOT + "/{version}/tokens/{uid}/authorize", self._authorized),
            *((method, ROOT + "/{version}/credentials", handler) for method, handler in credentials.items()),
        ]
        return [
            web.route(
                method, f"{path}{slash}", self._door(handler), **({"allow_head": False} if method == "GET" else {})
            )
            for method, path, handler in places
            for slash in ("", "/")
        ]

    @property
    def versions_url(self) -> str:
        return self.quirks.versions_url or self._url("versions")

    def invite(self) -> str:
        """A token A for whoever is to register with it."""
        self.token_a = secrets.token_urlsafe(16)
        self._accept(self.token_a)
        return self.token_a

    def _url(self, path: str) -> str:
        written = f"{self.root}{ROOT}/{path}"
        return written if self.quirks.slash is not False else f"{written}/"

    def _accept(self, *tokens: str) -> None:
        self.accepted.extend(tokens)
        self.on_tokens(self.accepted)

    def _only(self, token: str) -> None:
        self.accepted[:] = [token]
        self.on_tokens(self.accepted)

    def _door(
        self, module: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def receive(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(self.quirks.delay)
            if self.quirks.slash is not None and request.path.endswith("/") is not self.quirks.slash:
                return envelope(request, StatusCode.CLIENT_ERROR, status=404)
            if self._shown_token(request) is None:
                return envelope(request, StatusCode.CLIENT_ERROR, status=401)
            return await module(request)

        return receive

    def _shown_token(self, request: web.Request) -> str | None:
        forms = ("base64", "raw") if self.quirks.encoding is None else (self.quirks.encoding,)
        header = request.headers.get("Authorization")
        return next((one for one in self.accepted for form in forms if header == authorization(one, form)), None)

    async def _versions(self, request: web.Request) -> web.StreamResponse:
        told = [{"version": one, "url": self._url(one)} for one in self.quirks.versions]
        return envelope(request, StatusCode.SUCCESS, data=told)

    async def _details(self, request: web.Request) -> web.StreamResponse:
        version = request.match_info["version"]
        if version not in self.quirks.versions:
            return envelope(request, StatusCode.CLIENT_ERROR, status=404)
        known = {"credentials": "SENDER"} | MODULES
        endpoints = [
            {"identifier": module, "role": role, "url": self._url(f"{version}/{module}")}
            for module, role in known.items()
            if module not in self.quirks.lacks
        ]
        told = {"version": version, "endpoints": endpoints}
        return envelope(request, StatusCode.SUCCESS, data=[told] if self.quirks.wraps else told)

    async def _shown(self, request: web.Request) -> web.StreamResponse:
        token = self._shown_token(request)
        return envelope(request, StatusCode.SUCCESS, data=self._credentials(str(token)))

    async def _exchanged(self, request: web.Request) -> web.StreamResponse:
        """POST or PUT: we read where the other side is by the token that it gives, and give it another."""
        is_first = request.method == "POST"
        if is_first is (self._shown_token(request) != self.token_a):
            return envelope(request, StatusCode.CLIENT_ERROR, status=405)
        if self.quirks.refusing:
            self.quirks.refusing -= 1
            http, code = self.quirks.refusal
            return envelope(request, code, status=http)
        theirs = parsed(await request.read())
        try:
            await self._learn(theirs, request.match_info["version"])
        except Refused:
            return envelope(request, StatusCode.UNUSABLE_CLIENT_API)
        given = secrets.token_urlsafe(16)
        if self.quirks.upgrades_token_a:
            self.token_a = None
        if self.quirks.forgets_token_a:
            self._only(given)
        else:
            self._accept(given)
        if self.quirks.losing_answers and request.transport is not None:
            self.quirks.losing_answers -= 1
            request.transport.abort()
        told = self._credentials(given)
        return envelope(request, StatusCode.SUCCESS, data=[told] if self.quirks.wraps else told)

    async def _left(self, request: web.Request) -> web.StreamResponse:
        self.accepted.clear()
        self.on_tokens(self.accepted)
        self.token = None
        return envelope(request, StatusCode.SUCCESS)

    async def _listed(self, request: web.Request) -> web.StreamResponse:
        since = request.query.get("date_from", _EARLIEST)
        offset = int(request.query.get("offset", "0"))
        limit = min(int(request.query.get("limit", self.page)), self.page)
        found = [one for one in self.tokens if str(one.get("last_updated", since)) >= since]
        headers = {"X-Total-Count": str(len(found)), "X-Limit": str(self.page)}
        if offset + limit < len(found):
            query = {**request.query, "offset": str(offset + limit), "limit": str(limit)}
            following = request.url.with_query(query)
            headers["Link"] = f'<{following}>; rel="next"'
        return envelope(request, StatusCode.SUCCESS, data=found[offset : offset + limit], headers=headers)

    async def _authorized(self, request: web.Request) -> web.StreamResponse:
        uid, type_ = request.match_info["uid"], request.query.get("type", "RFID")
        for one in self.tokens:
            if (str(one.get("uid")).lower(), one.get("type")) == (uid.lower(), type_):
                word = "ALLOWED" if one.get("valid") else "BLOCKED"
                return envelope(request, StatusCode.SUCCESS, data={"allowed": word, "token": one})
        return envelope(request, StatusCode.UNKNOWN_TOKEN, status=404)

    def _credentials(self, token: str) -> Wire:
        party = {"country_code": self.party.country_code, "party_id": self.party.party_id}
        role = {"role": "EMSP", "business_details": {"name": self.name}} | party
        return {"token": token, "url": self.versions_url, "roles": [role]}

    def card(self, uid: str) -> Wire:
        """An RFID card of ours, whose holder need not be asked about."""
        return {
            "country_code": self.party.country_code,
            "party_id": self.party.party_id,
            "uid": uid,
            "type": "RFID",
            "contract_id": f"{self.party.country_code}-{self.party.party_id}-{uid}"[:36],
            "issuer": self.name,
            "valid": True,
            "whitelist": "ALWAYS",
            "last_updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def headers(self) -> dict[str, str]:
        """With these, others may call in our name."""
        shown = {"Authorization": authorization(str(self.token), self.quirks.encoding or "base64")}
        return shown | self._routing() | {"Content-Type": "application/json"}

    def _routing(self) -> dict[str, str]:
        ours = {"OCPI-from-country-code": self.party.country_code, "OCPI-from-party-id": self.party.party_id}
        theirs = self.their_roles[0] if self.their_roles else {}
        to = {f"OCPI-to-{name.replace('_', '-')}": theirs[name] for name in ("country_code", "party_id") if theirs}
        return ours | to

    # What it asks for

    async def register(self, versions_url: str, token_a: str, version: str = NEWEST.version) -> None:
        """We begin, by the token that the other side has made."""
        self.their_versions_url, self.token = versions_url, token_a
        await self._find(versions_url, version)
        await self.exchange("POST")

    async def exchange(self, method: str = "PUT", version: str | None = None) -> None:
        """Give the other side a new token, and take the one that it gives; raises Refused, and nothing has changed."""
        if version is not None:
            await self._find(self.their_versions_url, version)
        before, ours = list(self.accepted), secrets.token_urlsafe(16)
        if not self.quirks.late_token:
            self._accept(ours)
        try:
            told = await self.ask(method, self.endpoints["credentials", "SENDER"], self._credentials(ours))
        except Refused:
            self.accepted[:] = before
            self.on_tokens(self.accepted)
            raise
        if self.quirks.losing_answers:
            self.quirks.losing_answers -= 1
            self.accepted[:] = [*before, ours]
            self.on_tokens(self.accepted)
            raise Refused("the answer was lost")
        self._only(ours)
        self.token, self.their_roles = told["token"], told["roles"]

    async def push_token(self, token: Wire) -> None:
        """The other side is told of one of ours."""
        owner = f"{token['country_code']}/{token['party_id']}/{quote(token['uid'], safe='')}"
        url = f"{self.endpoints['tokens', 'RECEIVER'].rstrip('/')}/{owner}?type={token['type']}"
        await self.ask("PUT", url, token, **self._routing())

    async def leave(self) -> None:
        await self.ask("DELETE", self.endpoints["credentials", "SENDER"])

    async def ask(self, method: str, url: str, body: Any = None, **headers: str) -> Any:
        """``data`` of the answer; raises Refused for any but a good one."""
        sent = {
            "Authorization": authorization(str(self.token), self.quirks.encoding or "base64"),
            "X-Request-ID": secrets.token_hex(8),
            "X-Correlation-ID": secrets.token_hex(8),
        } | headers
        async with self.client().request(method, url, json=body, headers=sent) as answer:
            said = parsed(await answer.read())
        if not isinstance(said, dict) or answer.status >= 300 or said.get("status_code") != StatusCode.SUCCESS:
            raise Refused(f"{method} {url}: HTTP {answer.status}, {said}")
        return said.get("data")

    async def _learn(self, theirs: Wire, version: str) -> None:
        """As whoever is asked: the version is that of the URL that was called (credentials §POST)."""
        before = (self.token, self.endpoints)
        self.token = theirs["token"]
        try:
            await self._find(theirs["url"], version)
        except Refused:
            self.token, self.endpoints = before
            raise
        self.their_versions_url, self.their_roles = theirs["url"], theirs["roles"]

    async def _find(self, versions_url: str, version: str) -> None:
        offered = {one["version"]: one["url"] for one in await self.ask("GET", versions_url)}
        if version not in offered:
            raise Refused(f"{version} is not offered")
        details = await self.ask("GET", offered[version])
        self.endpoints = {(one["identifier"], one["role"]): one["url"] for one in details["endpoints"]}
        self.version = version
