"""A gateway with two CPO parties, and a hub with three eMSPs behind one connection to it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from ocpi.headers import Party
from tests.support.emsp import Emsp, Told
from tests.support.gateway import CPO, Gateway, Spot, running
from tests.support.hub import Behind
from tests.support.scene import willing
from tests.support.station import ScriptedStation

SECOND = Party("BE", "CP2")
HUB = Party("NL", "HUB")
ANNA, BERT, CARL = Party("DE", "ANN"), Party("FR", "BRT"), Party("AT", "CRL")
PARTIES = (ANNA, BERT, CARL)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"GATEWAY_SWEEP_INTERVAL": "0.3", "GATEWAY_CALLBACK_PAUSES": "0.3,0.6", "GATEWAY_RING_AGAIN": "1"}
    with running(tmp_path_factory.mktemp("hub"), **settings) as started:
        started.cpo(CPO)
        started.cpo(SECOND)
        yield started


@dataclass
class Roaming:
    """The hub, the three, and a Location of three EVSEs of each of our parties, with its station."""

    house: Gateway
    hub: Emsp
    locations: dict[Party, str]
    stations: dict[Party, ScriptedStation]
    anna: Behind = field(init=False)
    bert: Behind = field(init=False)
    carl: Behind = field(init=False)

    def __post_init__(self) -> None:
        self.anna, self.bert, self.carl = (Behind(self.hub, party) for party in PARTIES)

    @property
    def all(self) -> tuple[Behind, Behind, Behind]:
        return self.anna, self.bert, self.carl

    async def told(self, party: Party, status: str, role: str = "EMSP", updated: str = "2026-01-01T00:00:00Z") -> Told:
        """The hub tells of a party (mod_hub_client_info §PUT)."""
        body = {"country_code": party.country_code, "party_id": party.party_id, "role": role, "status": status}
        path = f"/ocpi/cpo/2.2.1/hubclientinfo/{party.country_code}/{party.party_id}"
        return await self.hub.ask("PUT", path, body | {"last_updated": updated})

    async def charge(self, who: Behind, number: int = 1, cpo: Party = CPO) -> tuple[str, str]:
        """A running charge of one of them at the EVSE of that number: (its Session, the station's transaction)."""
        station, location = self.stations[cpo], self.locations[cpo]
        before = {one["id"] for one in await who.pull("sessions", cpo)}
        assert await who.result(await who.start_session(location, f"E{number}", cpo=cpo)) == "ACCEPTED"
        asked = station.all_asked("RequestStartTransaction")[-1]
        transaction = await station.begin(asked["idToken"]["idToken"], evse=number)
        (session,) = [one["id"] for one in await who.pull("sessions", cpo) if one["id"] not in before]
        return session, transaction


@pytest.fixture
async def roaming(house: Gateway) -> AsyncIterator[Roaming]:
    """The hub has told of Anna, Bert and Carl, and speaks for nobody else."""
    names = {party: house.station_name() for party in (CPO, SECOND)}
    locations = {
        party: house.location(*(Spot(name, number, uid=f"E{number}") for number in (1, 2, 3)), cpo=party)
        for party, name in names.items()
    }
    stations = {party: ScriptedStation(house.ocpp, name, "2.0.1", willing("2.0.1")) for party, name in names.items()}
    hub = house.emsp(role="HUB", party=(HUB.country_code, HUB.party_id), open_parties=False)
    async with hub, stations[CPO], stations[SECOND]:
        made = Roaming(house, hub, locations, stations)
        for party in PARTIES:
            assert (await made.told(party, "CONNECTED")).code == 1000
        yield made
