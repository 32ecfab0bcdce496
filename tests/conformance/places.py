"""A station as the requirements of OCPP know it: EVSEs by number, what it tells of them, and what is held there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.conftest import Operator, application
from tests.support.emsp import Emsp, Told
from tests.support.gateway import Gateway, Spot, eventually
from tests.support.scene import Scene, scene
from tests.support.station import Script, ScriptedStation, group_in, now, number_in, token_in

OCPP = ("1.6", "2.0.1", "2.1")
every_ocpp = pytest.mark.parametrize("ocpp", OCPP)
every_2 = pytest.mark.parametrize("ocpp", OCPP[1:])
only_1 = pytest.mark.parametrize("ocpp", OCPP[:1])
#: How a station may tell of its connectors; 1.6 has one way.
HOW = [(ocpp, "StatusNotification") for ocpp in OCPP] + [(ocpp, "NotifyEvent") for ocpp in OCPP[1:]]
every_way = pytest.mark.parametrize(("ocpp", "how"), HOW)

ABILITY = {"1.6": "ReserveConnectorZeroSupported", "2.0.1": "NonEvseSpecific", "2.1": "NonEvseSpecific"}


@dataclass(frozen=True)
class Held:
    """A reservation that its station accepted: of the EVSE E1, or of none, or of a type of connector."""

    gateway: Gateway
    emsp: Emsp
    station: ScriptedStation
    location: str
    order: dict[str, Any]
    #: The RESERVE_NOW; None: the CPO's own.
    told: Told | None = None

    @property
    def number(self) -> int:
        return number_in(self.order)

    @property
    def token(self) -> str:
        return token_in(self.order)

    @property
    def group(self) -> str | None:
        return group_in(self.order)

    @property
    def row(self) -> dict[str, Any]:
        return self.gateway.rows("reservation", station=self.station.id, number=self.number)[0]

    @property
    def state(self) -> str:
        return str(self.row["state"])

    async def session(self) -> dict[str, Any]:
        """The one Session that its eMSP can see."""
        [session] = await self.emsp.sessions()
        return session

    async def results(self, *wanted: str) -> None:
        """Wait until these, and no others, were posted for the RESERVE_NOW."""
        assert self.told is not None
        told = self.told
        await eventually(lambda: len(self.emsp.results(told)) >= len(wanted))
        assert self.emsp.results(told) == list(wanted)
        assert len(self.gateway.rows("callback", command=self.gateway.command_of(told)["id"])) == len(wanted)

    async def update(self, status: str, number: int | None = None) -> dict[str, Any]:
        """2.x tells that it is over; what is answered."""
        told = {"reservationId": number or self.number, "reservationUpdateStatus": status}
        return await self.station.call("ReservationStatusUpdate", told)

    async def use(self, evse: int = 1, token: str | None = None) -> str:
        """The station tells of the transaction that uses it."""
        return await begin_at(self.station, token or self.token, evse, reservationId=self.number)


def evses(ocpp: str, count: int) -> list[Spot]:
    """E1, E2 ...: EVSEs of one connector; on 1.6 connectors."""
    return [Spot(None, number, number if ocpp == "1.6" else 1, uid=f"E{number}") for number in range(1, count + 1)]


@asynccontextmanager
async def station_of(
    gateway: Gateway, ocpp: str, count: int = 1, script: Script | None = None, *, any_evse: str | None = None
) -> AsyncIterator[Scene]:
    """A scene with so many EVSEs; ``any_evse``: what the station says of reservations that name none."""
    says = {} if any_evse is None else says_of_any_evse(ocpp, any_evse)
    async with scene(gateway, *evses(ocpp, count), ocpp=ocpp, script=says | (script or {})) as place:
        await eventually(lambda: gateway.rows("station", id=place.station.id)[0]["abilities"] is not None)
        yield place


def says_of_any_evse(ocpp: str, value: str) -> Script:
    return says(ocpp, ABILITY[ocpp], value)


def says(ocpp: str, name: str, value: str) -> Script:
    """A station's answer to what it is able to, of one variable of ReservationCtrlr (1.6: one key)."""
    if ocpp == "1.6":
        key = {"key": name, "readonly": True, "value": value}
        return {"GetConfiguration": {"configurationKey": [key], "unknownKey": []}}
    variable = {"component": {"name": "ReservationCtrlr"}, "variable": {"name": name}}
    return {
        "GetVariables": {"getVariableResult": [variable | {"attributeStatus": "Accepted", "attributeValue": value}]}
    }


@asynccontextmanager
async def reserved(
    gateway: Gateway, ocpp: str, count: int = 1, evse: str | None = "E1", group: str | None = None, **more: Any
) -> AsyncIterator[Held]:
    """An eMSP's reservation, of an EVSE or (None) of the whole station."""
    any_evse = "true" if evse is None else None
    async with station_of(gateway, ocpp, count, any_evse=any_evse) as place:
        token = place.emsp.token_body(**({"group_id": group} if group else {}))
        told = await place.emsp.reserve(place.location, evse, token=token, **more)
        assert await place.emsp.result(told) == "ACCEPTED"
        order = await place.station.was_asked("ReserveNow")
        yield Held(gateway, place.emsp, place.station, place.location, order, told)


@asynccontextmanager
async def reserved_type(gateway: Gateway, ocpp: str, count: int = 1, group: str | None = None) -> AsyncIterator[Held]:
    """The CPO's own reservation of a type of connector: eMSPs cannot ask for one."""
    async with station_of(gateway, ocpp, count) as place:
        words = ("--location", place.location, "--connector-type", "sType2", "--token", "STAFF-7", "--until", "PT45M")
        made = await operator(gateway, "reservations", "make", *words, *(("--group", group) if group else ()))
        assert made["state"] == "ACTIVE"
        order = await place.station.was_asked("ReserveNow")
        yield Held(gateway, place.emsp, place.station, place.location, order)


async def operator(gateway: Gateway, *words: str) -> Any:
    """What an operator's command says that works."""
    return await asyncio.to_thread(Operator(url="", data=gateway.data, app=application()).sees, *words)


async def begin_at(station: ScriptedStation, token: str, evse: int = 1, **more: Any) -> str:
    """A transaction begins at an EVSE (1.6: connector) for the token; its id."""
    place = {"connector": evse} if station.is_1 else {"evse": evse}
    return await station.begin(token, **place, **more)


async def tell(station: ScriptedStation, how: str, status: str, evse: int = 1, at: str | None = None) -> None:
    """One connector's status, in one of two ways; the answer is empty."""
    if how == "NotifyEvent":
        data = {
            "eventId": evse,
            "timestamp": at or now(),
            "trigger": "Delta",
            "actualValue": status,
            "eventNotificationType": "HardWiredNotification",
            "component": {"name": "Connector", "evse": {"id": evse, "connectorId": 1}},
            "variable": {"name": "AvailabilityState"},
        }
        told = {"generatedAt": now(), "seqNo": 0, "eventData": [data]}
    elif station.is_1:
        told = {"connectorId": evse, "errorCode": "NoError", "status": status, "timestamp": at or now()}
    else:
        told = {"evseId": evse, "connectorId": 1, "connectorStatus": status, "timestamp": at or now()}
    assert await station.call(how, told) == {}


def shown(gateway: Gateway, location: str) -> dict[str, str]:
    """{EVSE uid: the status that partners see}."""
    [known] = gateway.rows("location", location_id=location)
    return {row["evse_uid"]: row["status"] for row in gateway.rows("evse", location=known["id"])}


def told_of(gateway: Gateway, station: ScriptedStation) -> dict[int, str]:
    """{EVSE (1.6: connector): its connector's status as the station told it last}."""
    rows = gateway.rows("connector_status", station=station.id)
    return {row["connector"] if station.is_1 else row["evse"]: row["status"] for row in rows}


async def transaction_event(station: ScriptedStation, transaction: str, seq: int, **more: Any) -> dict[str, Any]:
    """A 2.x TransactionEvent, Updated unless it says otherwise; the answer."""
    info = {"transactionId": transaction} | more.pop("info", {})
    told = {"eventType": "Updated", "triggerReason": "MeterValuePeriodic", "timestamp": now(), "seqNo": seq}
    return await station.call("TransactionEvent", told | {"transactionInfo": info} | more)
