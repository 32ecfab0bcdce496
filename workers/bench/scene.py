"""The scene: one CPO, its Locations and stations, and eMSPs, the same for the relay and the gateway."""

from dataclasses import dataclass

from ocpi.dialects import NEWEST
from ocpi.headers import Party
from ocpp_bridge import v16, v201

CPO = Party("NL", "CPO")
HOST = "127.0.0.1"
#: Before the number of each.
STATION = "BENCH-"
#: EVSEs, each a station of its own, of a Location.
AT_LOCATION = 10
#: Credentials of a minute, between processes of one machine.
TOKEN_OUT = "bench-token-out"
#: So many that none sends more than a gateway lets one send.
EMSPS = 40
#: Every path below which a command's name stands.
COMMANDS = f"/ocpi/cpo/{NEWEST.version}/commands"


@dataclass(frozen=True)
class Spot:
    """One station, and the EVSE that it is; numbers begin at 1."""

    number: int

    @property
    def station(self) -> str:
        return f"{STATION}{self.number}"

    @property
    def location(self) -> str:
        return f"L{(self.number - 1) // AT_LOCATION + 1}"

    @property
    def evse_uid(self) -> str:
        return f"E{self.number}"

    @property
    def subprotocol(self) -> str:
        """Every other station is of the older version."""
        return (v16.DIALECT if self.number % 2 else v201.DIALECT).subprotocol

    @property
    def at(self) -> tuple[int | None, int]:
        """The station's own (EVSE, connector)."""
        return (None if self.number % 2 else 1), 1


def spots(count: int, first: int = 1) -> list[Spot]:
    return [Spot(number) for number in range(first, first + count)]


@dataclass(frozen=True)
class Scene:
    """How large it is; every eMSP has a connection of its own."""

    stations: int
    emsps: int = EMSPS


def emsp_party(number: int) -> Party:
    return Party("DE", f"E{number:02d}")


def token_in(number: int) -> str:
    return f"bench-token-in-{number}"
