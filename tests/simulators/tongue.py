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

    async def shows(self, evse: int, word: str, after: int = 0) -> dict:
        """A status of the EVSE among the notifications, not counting the first ``after`` calls."""

        def found():
            payloads = [p for name, p in self.csms.calls[after:] if name == "StatusNotification"]
            return [p for p in payloads if self.place(p) == evse and self.status(p) == word]

        return (await self.csms.until(found))[0]

    def statuses(self, evse: int) -> list[str]:
        return [self.status(p) for p in self.csms.heard("StatusNotification") if self.place(p) == evse]

    def place(self, payload: dict) -> int:
        return payload["connectorId"] if self.old else payload["evseId"]

    def status(self, payload: dict) -> str:
        return payload["status"] if self.old else payload["connectorStatus"]

    @staticmethod
    def word(answer):
        return answer if isinstance(answer, str) else answer["status"]
