"""A house without processes: a database, the stories, stations that answer when told to, a clock that a test moves."""

import itertools
import secrets
import uuid
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from gateway import commands, conclusions
from gateway.asked import Asked, Said
from gateway.domain.parties import Cpo, Parties, Partner
from gateway.house import Rules
from gateway.secrets import Secrets
from gateway.settings import Settings
from gateway.store import commands as command_store
from gateway.store import partners, rows, schema, stations, topology
from gateway.store.commands import Sendable
from gateway.store.engine import open_engine
from ocpi.commands import CommandType
from ocpi.dialects import NEWEST
from ocpi.headers import Encoding, MessageIds, Party
from ocpi.locations import Location
from ocpp_bridge.answers import Answer, Ending
from tests.support.gateway import CPO, Spot, location_body

EMSP = Party("DE", "ONE")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRETS = Secrets(b"indoors")
ACCEPTED = Answer(ending=Ending.RESULT, status="Accepted")
REJECTED = Answer(ending=Ending.RESULT, status="Rejected")
OCCUPIED = Answer(ending=Ending.RESULT, status="Occupied")

_numbers = itertools.count(1)


class Indoors:
    """Every method is one transaction, as a process of the gateway would make it."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.engine = open_engine(url)
        schema.upgrade(self.engine)
        self.rules = Rules(settings=Settings(database_url=url, **settings), secrets=SECRETS)
        self.now = START
        self.online: dict[str, str] = {}
        with self.db() as db:
            self.cpo = Cpo(id=partners.add_cpo(db, CPO, "A CPO"), party=CPO, name="A CPO")

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def db(self):
        with self.engine.begin() as db:
            yield db

    def run(self, function, *args, **kwargs):
        with self.db() as db:
            return function(db, *args, **kwargs)

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)

    # Who and where

    def partner(self, party: Party = EMSP, role: str = "EMSP", **changes) -> Partner:
        given: dict[str, Any] = {
            "id": 0,
            "name": f"partner-{next(_numbers)}",
            "party": party,
            "role": role,
            "version": NEWEST.version,
            "token_out": SECRETS.seal("out"),
            "encoding": Encoding.BASE64,
            "callback_hosts": ("127.0.0.1",),
            "allow_unlock": True,
            "lenient_token": False,
            "state": "ACTIVE",
            "open_parties": True,
        } | changes
        with self.db() as db:
            made = partners.add(db, Partner(**given), SECRETS.token_hash(secrets.token_hex(8)), self.now)
        return Partner(**given | {"id": made})

    def station(self, subprotocol: str = "ocpp1.6", online: bool = True) -> str:
        name = f"CS-{next(_numbers)}"
        self.run(stations.put_station, name, 0, None)
        self.run(stations.change, name, subprotocol=subprotocol, connected_at=self.now if online else None)
        if online:
            self.online[name] = subprotocol
        return name

    def location(self, *spots: Spot) -> str:
        location_id = f"LOC-{next(_numbers)}"
        body = location_body(location_id, spots)
        with self.db() as db:
            location = topology.put_location(db, self.cpo.id, Location.model_validate(body), body)
            for spot in spots:
                if spot.station is not None:
                    evse = topology.evse_id(db, location, spot.uid)
                    topology.bind(db, evse, None, spot.station, (spot.evse, spot.connector))
        return location_id

    def one_evse(self, subprotocol: str = "ocpp1.6") -> tuple[str, str]:
        """(a Location of one EVSE, its station)."""
        station = self.station(subprotocol)
        evse = None if subprotocol == "ocpp1.6" else 1
        return self.location(Spot(station, evse=evse, connector=1)), station

    # What an eMSP does

    def asked(
        self, partner: Partner, type_: str, body: Mapping[str, Any], emsp: Party | None = None, request_id: str = ""
    ) -> Asked:
        body = {"response_url": "https://127.0.0.1/callback"} | body
        command_type = CommandType(type_)
        return Asked(
            partner=partner,
            parties=Parties(emsp=emsp or partner.party, cpo=self.cpo),
            version=NEWEST.version,
            type=command_type,
            command=NEWEST.commands[command_type].model_validate(body),
            body=body,
            ids=MessageIds(request_id or str(uuid.uuid4()), str(uuid.uuid4())),
            identified=True,
            at=self.now,
        )

    def ask(self, partner: Partner, type_: str, body: Mapping[str, Any], **more: Any) -> Said:
        asked = self.asked(partner, type_, body, **more)
        said: Said = self.run(commands.receive, asked, self.rules, self.online)
        if said.dispatch:
            self.run(command_store.dispatch, list(said.dispatch), self.now)
        return said

    def reserve_body(self, partner: Partner, location: str, *, id: str = "R-1", **changes) -> dict[str, Any]:
        emsp = changes.pop("emsp", None) or partner.party
        expiry = self.now + timedelta(minutes=changes.pop("minutes", 60))
        return {
            "token": changes.pop("token", None) or token_body(emsp),
            "expiry_date": expiry.isoformat().replace("+00:00", "Z"),
            "reservation_id": id,
            "location_id": location,
            "evse_uid": "E1",
        } | changes

    def reserve(self, partner: Partner, location: str, *, emsp: Party | None = None, **changes) -> Said:
        return self.ask(partner, "RESERVE_NOW", self.reserve_body(partner, location, emsp=emsp, **changes), emsp=emsp)

    def cancel(self, partner: Partner, id: str = "R-1", *, emsp: Party | None = None) -> Said:
        return self.ask(partner, "CANCEL_RESERVATION", {"reservation_id": id}, emsp=emsp)

    def start(self, partner: Partner, location: str, **changes) -> Said:
        body = {"token": token_body(partner.party), "location_id": location, "evse_uid": "E1"} | changes
        return self.ask(partner, "START_SESSION", body)

    # What a station does

    def claim(self, station: str) -> Sendable | None:
        return self.run(command_store.claim, station, self.now)

    def answer(self, station: str, order_id: int, answer: Answer) -> None:
        """The node tells how the order ended; in time it is concluded, and what follows is dispatched."""
        told = order_id, station, self.online[station], answer, self.rules, self.now
        moved = self.run(conclusions.judge, *told)
        with self.db() as db:  # no worker is told of them here
            held = rows.callback.c.id.in_(moved.held)
            db.execute(update(rows.callback).where(held).values(due_at=self.now))
        if moved.dispatch:
            self.run(command_store.dispatch, moved.dispatch, self.now)

    def conclude(self, *ids: int) -> None:
        moved = self.run(conclusions.conclude, list(ids), self.rules, self.now)
        if moved.dispatch:
            self.run(command_store.dispatch, moved.dispatch, self.now)

    def next(self, station: str, answer: Answer | None = ACCEPTED) -> Sendable:
        """The station gets its next order and answers it; None: it stays mute, and the deadline passes."""
        claimed = self.claim(station)
        assert claimed is not None
        if answer is not None:
            self.answer(station, claimed.id, answer)
        else:
            self.now = max(self.now, claimed.deadline + timedelta(seconds=1))
            self.conclude(claimed.id)
        return claimed

    # What the database says

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        wanted = getattr(rows, table)
        asked = select(wanted).where(*(wanted.c[name] == value for name, value in where.items()))
        with self.db() as db:
            return [dict(row) for row in db.execute(asked.order_by(*wanted.primary_key.columns)).mappings()]

    def reservation(self, **where: Any) -> dict[str, Any]:
        """The newest one."""
        return self.rows("reservation", **where)[-1]

    def told(self) -> list[str]:
        """Every result that was owed to an eMSP, in order."""
        return [row["result"] for row in self.rows("callback")]


def token_body(party: Party, uid: str = "APP-USER-1", type: str = "APP_USER", **changes) -> dict[str, Any]:
    return {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "uid": uid,
        "type": type,
        "contract_id": "C-1",
        "issuer": "An eMSP",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": "2026-01-01T00:00:00Z",
    } | changes
