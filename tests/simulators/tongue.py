"""One command in every OCPP version: tests say what they mean, a tongue spells it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.simulators.csms import RawCsms

SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
TWO_EVSES = (("cCCS2",), ("sType2",))


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def token(value: str, type_: str = "ISO14443") -> dict:
    return {"idToken": value, "type": type_}


@dataclass
class Tongue:
    csms: RawCsms
    ocpp: str

    @property
    def old(self) -> bool:
        return self.ocpp == "1.6"

    async def reserve(self, number, id_token="CARD-A", evse=None, seconds=60.0, group=None, connector_type=None):
        if self.old:
            wish = {
                "connectorId": evse or 0,
                "expiryDate": in_seconds(seconds),
                "idTag": id_token,
                "reservationId": number,
            }
            wish |= {"parentIdTag": group} if group else {}
        else:
            wish = {"id": number, "expiryDateTime": in_seconds(seconds), "idToken": token(id_token)}
            wish |= {"evseId": evse} if evse else {}
            wish |= {"groupIdToken": token(group, "Central")} if group else {}
            wish |= {"connectorType": connector_type} if connector_type else {}
        return self.word(await self.csms.call("ReserveNow", wish))

    async def cancel(self, number):
        return self.word(await self.csms.call("CancelReservation", {"reservationId": number}))

    def starting(self, id_token="CARD-A", evse=None, remote_start_id=99, group=None) -> tuple[str, dict]:
        if self.old:
            return "RemoteStartTransaction", {"idTag": id_token} | ({"connectorId": evse} if evse else {})
        payload = {"idToken": token(id_token), "remoteStartId": remote_start_id} | ({"evseId": evse} if evse else {})
        payload |= {"groupIdToken": token(group, "Central")} if group else {}
        return "RequestStartTransaction", payload

    async def start(self, *args, **fields):
        return self.word(await self.csms.call(*self.starting(*args, **fields)))

    async def stop(self, transaction_id):
        if self.old:
            return self.word(await self.csms.call("RemoteStopTransaction", {"transactionId": int(transaction_id)}))
        return self.word(await self.csms.call("RequestStopTransaction", {"transactionId": transaction_id}))

    async def unlock(self, evse):
        place = {"connectorId": evse} if self.old else {"evseId": evse, "connectorId": 1}
        return self.word(await self.csms.call("UnlockConnector", place))

    async def started(self) -> dict:
        """The message that a transaction has begun."""
        return await (self.csms.hears("StartTransaction") if self.old else self.event("Started"))

    async def ended(self) -> dict:
        return await (self.csms.hears("StopTransaction") if self.old else self.event("Ended"))

    async def event(self, type_: str) -> dict:
        return await self.csms.hears("TransactionEvent", eventType=type_)

    def reservation_told(self) -> list[int]:
        """Reservation ids in transaction messages."""
        messages = self.csms.heard("StartTransaction" if self.old else "TransactionEvent")
        return [message["reservationId"] for message in messages if "reservationId" in message]

    async def transaction_id(self, station) -> str:
        return await station.wait_for(
            lambda s: next((e.transaction.id for e in s.evses.values() if e.transaction), None)
        )

    async def shows(self, evse: int, word: str, after: int = 0, connector: int | None = None) -> None:
        """The EVSE (or that connector of it) was told to show ``word``, not counting the first ``after`` calls."""
        await self.csms.until(
            lambda: [told for told in self.told(after) if told[0] == evse and connector in (None, told[1])
                     and told[2] == word]
        )  # fmt: skip

    def statuses(self, evse: int) -> list[str]:
        return [word for place, _, word in self.told() if place == evse]

    def told(self, after: int = 0) -> list[tuple[int, int, str]]:
        """(EVSE, connector, status) as told by StatusNotification or NotifyEvent; on 1.6 both are the connectorId."""
        return [one for action, payload in self.csms.calls[after:] for one in _statuses(action, payload)]

    @staticmethod
    def word(answer):
        return answer if isinstance(answer, str) else answer["status"]


def _statuses(action: str, payload: dict) -> list[tuple[int, int, str]]:
    if action == "NotifyEvent":
        places = [(data["component"]["evse"], data["actualValue"]) for data in payload["eventData"]]
        return [(place["id"], place["connectorId"], word) for place, word in places]
    if action != "StatusNotification":
        return []
    if "evseId" in payload:
        return [(payload["evseId"], payload["connectorId"], payload["connectorStatus"])]
    return [(payload["connectorId"], payload["connectorId"], payload["status"])]
