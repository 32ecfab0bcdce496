"""A simulated eMSP's Sessions, CDRs and Locations: what it is told is judged, and kept as the specification says."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.simulators.exchanges import Received, envelope, parsed
from gateway.simulators.places import LEVELS, Places
from gateway.simulators.push_verdicts import (
    Wire,
    change_problems,
    object_problems,
    patch_problems,
    patched,
    place_problems,
    routing_problems,
)
from gateway.simulators.verdicts import Tokens, message_problems
from ocpi.dialect import Dialect
from ocpi.dialects import DIALECTS
from ocpi.headers import REQUEST_ID, Party
from ocpi.status import StatusCode

ROOT = "/ocpi/emsp/{version}"
SESSION = ROOT + "/sessions/{country_code}/{party_id}/{id}"
CDRS = ROOT + "/cdrs"
LOCATIONS = ROOT + "/locations/{country_code}/{party_id}/{ids:.+}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Push(Received):
    """One PUT, PATCH, POST or GET of an object."""

    method: str


@dataclass
class Mood:
    """How it misbehaves, until it is told otherwise."""

    #: So many requests are answered with this HTTP status and OCPI code, and change nothing.
    failing: int = 0
    status: int = 500
    status_code: int = StatusCode.SERVER_ERROR
    #: It takes every request, and never says a word.
    stalled: bool = False
    #: It does not say where it keeps a CDR.
    hides_location: bool = False
    #: So many requests are carried out, and the socket is closed instead of answering.
    losing_answers: int = 0
    #: So many requests are carried out, and never answered.
    silent: int = 0


class Receiver:
    """``pushes`` is every request, in order; ``sessions`` by id, ``cdrs`` and ``places`` are what is kept."""

    def __init__(self, token: Tokens, on_push: Callable[[Push], None] = lambda push: None) -> None:
        #: The raw tokens that we may be sent.
        self.token = token
        #: To whom it must be addressed; None: to anybody.
        self.party: Party | None = None
        self.mood = Mood()
        self.pushes: list[Push] = []
        self.sessions: dict[str, Wire] = {}
        self.cdrs: list[Wire] = []
        self.places = Places()
        #: Set by every push.
        self.news = asyncio.Event()
        self.on_push = on_push

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put(SESSION, self._door(self._put_session)),
            web.patch(SESSION, self._door(self._patch_session)),
            web.get(SESSION, self._door(self._get_session), allow_head=False),
            web.post(CDRS, self._door(self._post_cdr)),
            web.post(CDRS + "/", self._door(self._post_cdr)),
            web.get(CDRS + "/{id}", self._door(self._get_cdr), allow_head=False),
            web.put(LOCATIONS, self._door(self._put_place)),
            web.patch(LOCATIONS, self._door(self._patch_place)),
            web.get(LOCATIONS, self._door(self._get_place), allow_head=False),
        ]

    def _door(self, module: Callable[[web.Request, Any], tuple[web.Response, list[str]]]) -> Handler:
        async def receive(request: web.Request) -> web.StreamResponse:
            body, mood = await request.read(), self.mood
            if mood.failing or mood.stalled:
                self._note(request, body, [])
                return await self._refuse(request)
            response, wrong = module(request, parsed(body))
            self._note(request, body, wrong)
            if mood.losing_answers and request.transport is not None:
                mood.losing_answers -= 1
                request.transport.abort()
            if mood.silent:
                mood.silent -= 1
                await asyncio.Event().wait()
            return response

        return receive

    async def _refuse(self, request: web.Request) -> web.Response:
        if self.mood.stalled:
            await asyncio.Event().wait()
        self.mood.failing -= 1
        return envelope(request, self.mood.status_code, status=self.mood.status)

    def _note(self, request: web.Request, body: bytes, wrong: list[str]) -> None:
        said = parsed(body)
        push = Push(
            method=request.method,
            path=request.raw_path,
            headers=request.headers.copy(),
            body=body,
            json=said,
            at=datetime.now(UTC),
            problems=(*self._message_problems(request, said), *wrong),
        )
        self.pushes.append(push)
        self.on_push(push)
        self.news.set()

    def _message_problems(self, request: web.Request, said: Any) -> Iterator[str]:
        yield from message_problems(request.headers, self.token)
        if any(request.headers.get(REQUEST_ID) == push.headers.get(REQUEST_ID) for push in self.pushes):
            yield f"{REQUEST_ID} is that of another request"
        owner = request.match_info if "country_code" in request.match_info else said
        if isinstance(owner, dict) and {"country_code", "party_id"} <= owner.keys():
            party = Party(str(owner["country_code"]), str(owner["party_id"]))
            yield from routing_problems(request.headers, party, self.party)

    def _put_session(self, request: web.Request, body: Any) -> tuple[web.Response, list[str]]:
        known = self.sessions.get(request.match_info["id"])
        if wrong := _session_problems(request, known, body):
            return envelope(request, StatusCode.INVALID_PARAMETERS), wrong
        self.sessions[body["id"]] = body
        return envelope(request, StatusCode.SUCCESS, status=201 if known is None else 200), []

    def _patch_session(self, request: web.Request, body: Any) -> tuple[web.Response, list[str]]:
        known = self.sessions.get(request.match_info["id"])
        wrong = list(patch_problems(_dialect(request).session, body))
        if not wrong and known is not None:
            body = patched(known, body)
            wrong = _session_problems(request, known, body)
        if wrong or known is None:
            return envelope(request, StatusCode.INVALID_PARAMETERS), wrong
        self.sessions[body["id"]] = body
        return envelope(request, StatusCode.SUCCESS), []

    def _get_session(self, request: web.Request, _: Any) -> tuple[web.Response, list[str]]:
        return _shown(request, self.sessions.get(request.match_info["id"])), []

    def _post_cdr(self, request: web.Request, body: Any) -> tuple[web.Response, list[str]]:
        """The same CDR again is no mistake: its answer may have been lost."""
        wrong = list(object_problems(_dialect(request).cdr, body))
        known = None if wrong else self._cdr(body["id"])
        if known not in (None, body):
            wrong.append("it has the id of another CDR")
        if wrong:
            return envelope(request, StatusCode.INVALID_PARAMETERS), wrong
        if known is None:
            self.cdrs.append(body)
        where = {"Location": f"{request.url.with_query(None)}/{quote(body['id'], safe='')}"}
        told = {} if self.mood.hides_location else where
        return envelope(request, StatusCode.SUCCESS, status=201 if known is None else 200, headers=told), []

    def _get_cdr(self, request: web.Request, _: Any) -> tuple[web.Response, list[str]]:
        return _shown(request, self._cdr(request.match_info["id"])), []

    def _put_place(self, request: web.Request, body: Any) -> tuple[web.Response, list[str]]:
        ids = _ids(request)
        wrong = list(object_problems(LEVELS[len(ids) - 1][0], body))
        wrong = wrong or [*self._place_problems(request, ids, body)]
        if not wrong and len(ids) > 1 and self.places.find(ids[:-1]) is None:
            return envelope(request, StatusCode.INVALID_PARAMETERS), []
        return self._keep_place(request, ids, body, wrong)

    def _patch_place(self, request: web.Request, body: Any) -> tuple[web.Response, list[str]]:
        ids = _ids(request)
        known, wrong = self.places.find(ids), list(patch_problems(LEVELS[len(ids) - 1][0], body))
        if wrong or known is None:
            return envelope(request, StatusCode.INVALID_PARAMETERS), wrong
        body = known | body
        return self._keep_place(request, ids, body, [*self._place_problems(request, ids, body)])

    def _get_place(self, request: web.Request, _: Any) -> tuple[web.Response, list[str]]:
        return _shown(request, self.places.find(_ids(request))), []

    def _keep_place(
        self, request: web.Request, ids: list[str], body: Wire, wrong: list[str]
    ) -> tuple[web.Response, list[str]]:
        if wrong:
            return envelope(request, StatusCode.INVALID_PARAMETERS), wrong
        is_new = self.places.find(ids) is None
        self.places.put(ids, body)
        return envelope(request, StatusCode.SUCCESS, status=201 if is_new else 200), []

    def _place_problems(self, request: web.Request, ids: list[str], body: Wire) -> Iterator[str]:
        if len(ids) == 1:
            yield from place_problems(body, {name: request.match_info[name] for name in ("country_code", "party_id")})
        yield from self.places.problems(ids, body, _dialect(request))

    def _cdr(self, id_: str) -> Wire | None:
        return next((one for one in self.cdrs if one["id"] == id_), None)


def _session_problems(request: web.Request, before: Wire | None, body: Any) -> list[str]:
    place = {name: request.match_info[name] for name in ("country_code", "party_id", "id")}
    wrong = list(object_problems(_dialect(request).session, body))
    return wrong or [*place_problems(body, place), *change_problems(before, body)]


def _ids(request: web.Request) -> list[str]:
    """Of a Location, and perhaps of an EVSE of it and of a Connector of that."""
    return request.match_info["ids"].rstrip("/").split("/")


def _dialect(request: web.Request) -> Dialect:
    try:
        return DIALECTS[request.match_info["version"]]
    except KeyError:
        raise web.HTTPNotFound from None


def _shown(request: web.Request, found: Wire | None) -> web.Response:
    if found is None:
        return envelope(request, StatusCode.CLIENT_ERROR, status=404)
    return envelope(request, StatusCode.SUCCESS, data=found)
