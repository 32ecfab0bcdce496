"""OCPP 2.0.1, as the simulated station speaks it."""

from uuid import uuid4

from gateway.simulators import v201_reports as reports
from gateway.simulators.hardware import Token
from gateway.simulators.reservations import Reservation
from gateway.simulators.v201_reports import text_of
from gateway.simulators.v201_variables import MEANINGS, VARIABLES, get_variables, set_variables
from gateway.simulators.words import Answer, Deeds, Dialect, Payload, Verdict, moment


async def reserve_now(station: Deeds, request: Payload) -> Payload:
    """H01."""
    wish = Reservation(
        number=request["id"],
        id_token=request["idToken"]["idToken"],
        expiry=moment(request["expiryDateTime"]),
        evse=request.get("evseId"),
        connector_type=request.get("connectorType"),
        group=text_of(request.get("groupIdToken")),
    )
    return _answer(await station.reserve(wish, _token(request["idToken"])))


async def cancel_reservation(station: Deeds, request: Payload) -> Payload:
    """H02."""
    return _answer(station.cancel(request["reservationId"]))


async def request_start(station: Deeds, request: Payload) -> Payload:
    """F01, F02."""
    group = text_of(request.get("groupIdToken"))
    verdict = await station.start(_token(request["idToken"]), group, request.get("evseId"), request["remoteStartId"])
    return _answer(verdict)


async def request_stop(station: Deeds, request: Payload) -> Payload:
    """F03."""
    return _answer(station.stop(request["transactionId"]))


async def unlock_connector(station: Deeds, request: Payload) -> Payload:
    """F05: an authorised transaction is never stopped by it."""
    evse = station.evses.get(request["evseId"])
    if evse is None or not 1 <= request["connectorId"] <= len(evse.connectors):
        return {"status": "UnknownConnector"}
    if evse.grant is not None and evse.transaction is not None:
        return {"status": "OngoingAuthorizedTransaction"}
    station.unlock(evse)
    return {"status": "Unlocked"}


async def trigger_message(station: Deeds, request: Payload) -> Payload:
    """F06; an accepted station boots no more (FR.17)."""
    requested, evse = request["requestedMessage"], request.get("evse") or {}
    if (requested == "BootNotification" and station.accepted) or not _is_place(station, requested, evse):
        return {"status": "Rejected"}
    return {"status": station.trigger(requested, evse.get("id"), evse.get("connectorId"))}


def _is_place(station: Deeds, requested: str, evse: Payload) -> bool:
    """StatusNotification wants an EVSE and a connector (F06.FR.12, FR.13)."""
    if not evse:
        return requested != "StatusNotification"
    place, connector = station.evses.get(evse["id"]), evse.get("connectorId")
    if place is None or (connector is None and requested == "StatusNotification"):
        return False
    return connector is None or connector in place.connector_numbers()


async def get_transaction_status(station: Deeds, request: Payload) -> Payload:
    """E14: without a transaction only the queue is told."""
    asked = request.get("transactionId")
    answer: Payload = {"messagesInQueue": station.queued(asked)}
    return answer if asked is None else answer | {"ongoingIndicator": station.charging.find(asked) is not None}


ANSWERS: dict[str, Answer] = {
    "ReserveNow": reserve_now,
    "CancelReservation": cancel_reservation,
    "RequestStartTransaction": request_start,
    "RequestStopTransaction": request_stop,
    "UnlockConnector": unlock_connector,
    "GetVariables": get_variables,
    "SetVariables": set_variables,
    "TriggerMessage": trigger_message,
    "GetTransactionStatus": get_transaction_status,
}


DIALECT = Dialect(
    subprotocol="ocpp2.0.1",
    schemas="ocpp.v201",
    request_suffix="Request",
    violation="FormatViolation",
    answers=ANSWERS,
    variables=VARIABLES,
    meanings=MEANINGS,
    boot=reports.boot,
    status=reports.status,
    events=reports.events,
    station_status=lambda shown, at: [],
    authorize=reports.authorize,
    judged=reports.judged,
    transaction=reports.transaction,
    meter_values=reports.meter_values,
    new_transaction_id=lambda: str(uuid4()),
    trusted_types=frozenset({"Central", "NoAuthorization"}),
    updates=frozenset({"Expired", "Removed"}),
)


def _answer(verdict: Verdict) -> Payload:
    answer: Payload = {"status": verdict.word}
    if verdict.transaction_id is not None:
        answer["transactionId"] = verdict.transaction_id
    if verdict.reason:
        detail = {"additionalInfo": verdict.detail} if verdict.detail else {}
        answer["statusInfo"] = {"reasonCode": verdict.reason, **detail}
    return answer


def _token(payload: Payload) -> Token:
    return Token(payload["idToken"], payload["type"])
