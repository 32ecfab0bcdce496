"""A scene: one eMSP, one station and one Location, and the proof that what was refused had no consequences."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from tests.support.emsp import Emsp, Told
from tests.support.gateway import Gateway, Spot
from tests.support.station import ABILITIES, ACTIONS, Script, ScriptedStation

#: An EVSE (and connector) of the station that only ``nothing_followed`` uses.
_ASIDE = 9


def willing(ocpp: str) -> Script:
    """A station that takes whatever it is asked."""
    return {
        action: {"status": "Unlocked" if action == "UnlockConnector" else "Accepted"}
        for action in ACTIONS[ocpp].values()
    }


def orders(station: ScriptedStation) -> list[tuple[str, dict]]:
    """What it was asked to do; what a gateway asks about its abilities is not among it."""
    return [(action, payload) for action, payload in station.asked if action not in ABILITIES]


@dataclass(frozen=True)
class Scene:
    """The station takes whatever it is asked, unless the test says otherwise."""

    gateway: Gateway
    emsp: Emsp
    station: ScriptedStation
    location: str

    async def nothing_followed(self, *refused: Told) -> None:
        """The station was not asked, and the eMSP was not called back.

        A refusal is written down as concluded, with no callback; and the station gets its orders one after the other,
        so what a later one overtook does not exist.
        """
        assert [one for one in refused if one.result == "ACCEPTED"] == []
        assert self.gateway.rows("callback", partner=self.emsp.partner_id) == []
        assert {one["state"] for one in self.gateway.rows("command", partner=self.emsp.partner_id)} <= {"CONCLUDED"}
        before = orders(self.station)
        aside = self.gateway.location(_spot(self.station, _ASIDE))
        async with self.gateway.emsp() as witness:
            assert await witness.result(await witness.unlock(aside)) == "ACCEPTED"
        assert before == []
        assert [action for action, _ in orders(self.station)] == ["UnlockConnector"]
        assert self.emsp.callbacks == []

    async def charge(self, emsp: Emsp | None = None, **more) -> str:
        """A running Session of the eMSP; its id."""
        emsp = emsp or self.emsp
        known = {one["id"] for one in await emsp.sessions()}
        assert await emsp.result(await emsp.start_session(self.location, **more)) == "ACCEPTED"
        asked = self.station.all_asked(self.station.action("START_SESSION"))[-1]
        await self.station.begin(asked["idTag"] if self.station.is_1 else asked["idToken"]["idToken"])
        (begun,) = [one["id"] for one in await emsp.sessions() if one["id"] not in known]
        return begun


def _spot(station: ScriptedStation, number: int, **more) -> Spot:
    return Spot(station.id, None if station.ocpp == "1.6" else number, number if station.ocpp == "1.6" else 1, **more)


@asynccontextmanager
async def scene(
    gateway: Gateway, *spots: Spot, ocpp: str = "2.0.1", script: Script | None = None, **emsp
) -> AsyncIterator[Scene]:
    """Without ``spots``, one EVSE E1; ``emsp`` is what is special about the connection."""
    name = gateway.station_name()
    where = [replace(spot, station=name, evse=None if ocpp == "1.6" else spot.evse) for spot in spots or (Spot(name),)]
    location = gateway.location(*where)
    station = ScriptedStation(gateway.ocpp, name, ocpp, willing(ocpp) | (script or {}))
    async with gateway.emsp(**emsp) as client, station:
        yield Scene(gateway, client, station, location)
