"""A desk that answers and remembers: the house as an ear sees it."""

from ocpp_bridge.events import BootAnswer, Registration, TokenStatus, TransactionAnswer
from ocpp_bridge.orders import IdToken


class FrontDesk:
    def __init__(self):
        self.told = []
        self.boot = BootAnswer(status=Registration.ACCEPTED, interval=600)
        self.token = TokenStatus(status="Accepted", group=IdToken(value="FLEET"))
        self.transaction_answer = TransactionAnswer(transaction_id="4711", token=self.token)

    async def booted(self, station, event):
        self.told.append((station, event))
        return self.boot

    async def authorize(self, station, id_token):
        self.told.append((station, id_token))
        return self.token

    async def transaction(self, station, event):
        self.told.append((station, event))
        return self.transaction_answer

    async def status_changed(self, station, event):
        self.told.append((station, event))

    async def reservation_ended(self, station, number, update):
        self.told.append((station, (number, update)))

    @property
    def event(self):
        """The one thing that was told."""
        [(station, event)] = self.told
        assert station == "CS-1"
        return event
