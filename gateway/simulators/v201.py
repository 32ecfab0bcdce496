"""OCPP 2.0.1, as the simulated station speaks it."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from gateway.simulators.configuration import Meaning, Variable
from gateway.simulators.hardware import Evse, Shown, Token, Transaction
from gateway.simulators.reservations import Reservation
from gateway.simulators.words import (
    Answer,
    Deeds,
    Dialect,
    Judgement,
    Message,
    Occasion,
    Payload,
    Phase,
    Verdict,
    moment,
    stamp,
)

STATUS = {
    Shown.AVAILABLE: "Available",
    Shown.RESERVED: "Reserved",
    # H03.FR.10: a consumed reservation without a cable.
    Shown.GRANTED: "Available",
    Shown.PLUGGED: "Occupied",
    Shown.CHARGING: "Occupied",
    Shown.FINISHING: "Occupied",
    Shown.UNAVAILABLE: "Unavailable",
    Shown.FAULTED: "Faulted",
}

VARIABLES = {
    "ReservationCtrlr.Available": Variable("true"),
    "ReservationCtrlr.Enabled": Variable("true", writable=True),
    "ReservationCtrlr.NonEvseSpecific": Variable("true", writable=True),
    "AuthCtrlr.AuthorizeRemoteStart": Variable("false", writable=True),
    "TxCtrlr.EVConnectionTimeOut": Variable("60", writable=True),
    "TxCtrlr.TxStartPoint": Variable("PowerPathClosed", writable=True),
    "TxCtrlr.TxStopPoint": Variable("PowerPathClosed"),
    "TxCtrlr.StopTxOnInvalidId": Variable("true", writable=True),
    "OCPPCommCtrlr.HeartbeatInterval": Variable("300", writable=True),
    "OCPPCommCtrlr.WebSocketPingInterval": Variable("20", writable=True),
    "SampledDataCtrlr.TxUpdatedInterval": Variable("60", writable=True),
}
MEANINGS = {
    Meaning.RESERVATION: "ReservationCtrlr.Enabled",
    Meaning.NON_EVSE_SPECIFIC: "ReservationCtrlr.NonEvseSpecific",
    Meaning.AUTHORIZE_REMOTE: "AuthCtrlr.AuthorizeRemoteStart",
    Meaning.CONNECTION_TIMEOUT: "TxCtrlr.EVConnectionTimeOut",
    Meaning.HEARTBEAT: "OCPPCommCtrlr.HeartbeatInterval",
    Meaning.METER_INTERVAL: "SampledDataCtrlr.TxUpdatedInterval",
    Meaning.STOP_ON_INVALID: "TxCtrlr.StopTxOnInvalidId",
    Meaning.START_POINT: "TxCtrlr.TxStartPoint",
}


async def reserve_now(station: Deeds, request: Payload) -> Payload:
    """H01."""
    wish = Reservation(
        number=request["id"],
        id_token=request["idToken"]["idToken"],
        expiry=moment(request["expiryDateTime"]),
        evse=request.get("evseId"),
        connector_type=request.get("connectorType"),
        group=_text(request.get("groupIdToken")),
    )
    return _answer(await station.reserve(wish, _token(request["idToken"])))


async def cancel_reservation(station: Deeds, request: Payload) -> Payload:
    """H02."""
    return _answer(station.cancel(request["reservationId"]))


async def request_start(station: Deeds, request: Payload) -> Payload:
    """F01, F02."""
    group = _text(request.get("groupIdToken"))
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


async def get_variables(station: Deeds, request: Payload) -> Payload:
    return {"getVariableResult": [_got(station, wanted) for wanted in request["getVariableData"]]}


async def set_variables(station: Deeds, request: Payload) -> Payload:
    return {"setVariableResult": [_set(station, wanted) for wanted in request["setVariableData"]]}


async def trigger_message(station: Deeds, request: Payload) -> Payload:
    """F06; StatusNotification wants an EVSE and a connector (F06.FR.12, FR.13)."""
    evse: Payload = request.get("evse") or {}
    unclear = request["requestedMessage"] == "StatusNotification" and "connectorId" not in evse
    if unclear or ("id" in evse and evse["id"] not in station.evses):
        return {"status": "Rejected"}
    known = station.trigger(request["requestedMessage"], evse.get("id"))
    return {"status": "Accepted" if known else "NotImplemented"}


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


def boot(identity: str, reason: str) -> Payload:
    station = {"vendorName": "Simulator", "model": "Double", "serialNumber": identity[:25], "firmwareVersion": "1.0.0"}
    return {"reason": reason, "chargingStation": station}


def status(evse: Evse, shown: Shown, at: datetime) -> list[Payload]:
    return [
        {"timestamp": stamp(at), "connectorStatus": STATUS[shown], "evseId": evse.number, "connectorId": connector}
        for connector in range(1, len(evse.connectors) + 1)
    ]


def authorize(token: Token) -> Payload:
    return {"idToken": _id_token(token)}


def judged(answer: Payload) -> Judgement:
    info = answer.get("idTokenInfo") or {}
    return Judgement(info.get("status"), _text(info.get("groupIdToken")))


def transaction(told: Transaction, occasion: Occasion) -> Message | None:
    """TransactionEvent; what became known is said once, in the first event after it (E01, E02, H01.FR.15)."""
    payload: Payload = {
        "eventType": str(occasion.phase),
        "timestamp": stamp(occasion.at),
        "triggerReason": occasion.trigger,
        "seqNo": told.next_seq,
        "transactionInfo": _info(told, occasion),
        "meterValue": [_meter_value(occasion)],
        **_once(told),
    }
    told.next_seq += 1
    if occasion.offline:
        payload["offline"] = True
    return Message(action="TransactionEvent", build=partial(dict, payload), keep=True)


DIALECT = Dialect(
    subprotocol="ocpp2.0.1",
    schemas="ocpp.v201",
    request_suffix="Request",
    violation="FormatViolation",
    answers=ANSWERS,
    variables=VARIABLES,
    meanings=MEANINGS,
    boot=boot,
    status=status,
    station_status=lambda shown, at: [],
    authorize=authorize,
    judged=judged,
    transaction=transaction,
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


def _text(payload: Payload | None) -> str | None:
    return None if payload is None else payload["idToken"]


def _id_token(token: Token) -> Payload:
    return {"idToken": token.value, "type": token.type}


def _found(station: Deeds, wanted: Payload) -> tuple[Payload, str, str | None]:
    """The head of a result, the attribute status, and the variable's name when it exists."""
    component, variable = wanted["component"], wanted["variable"]
    head = {"component": component, "variable": variable}
    known = station.configuration.find(f"{component['name']}.{variable['name']}")
    if wanted.get("attributeType", "Actual") != "Actual":
        return head, "NotSupportedAttributeType", None
    if known is not None:
        return head, "Accepted", known[0]
    components = {name.partition(".")[0].lower() for name in station.configuration.variables}
    return head, "UnknownVariable" if component["name"].lower() in components else "UnknownComponent", None


def _got(station: Deeds, wanted: Payload) -> Payload:
    head, word, name = _found(station, wanted)
    value = {} if name is None else {"attributeValue": station.configuration.variables[name].value}
    return {"attributeStatus": word, **value, **head}


def _set(station: Deeds, wanted: Payload) -> Payload:
    head, word, name = _found(station, wanted)
    reason = ""
    if name is not None:
        variable, value = station.configuration.variables[name], wanted["attributeValue"]
        reason = "ReadOnly" if not variable.writable else "" if variable.takes(value) else "InvalidValue"
        if not reason:
            station.configuration.set(name, value)
    info: dict[str, Any] = {"attributeStatusInfo": {"reasonCode": reason}} if reason else {}
    return {"attributeStatus": "Rejected" if reason else word, **info, **head}


def _info(told: Transaction, occasion: Occasion) -> Payload:
    info: Payload = {"transactionId": told.id}
    if occasion.phase is not Phase.ENDED:
        info["chargingState"] = "Charging" if told.charging else "EVConnected" if told.evse.plugged else "Idle"
    if occasion.stopped_reason:
        info["stoppedReason"] = occasion.stopped_reason
    grant = told.grant
    if grant is not None and grant.remote_start_id is not None and "remoteStartId" not in told.told:
        told.told.add("remoteStartId")
        info["remoteStartId"] = grant.remote_start_id
    return info


def _once(told: Transaction) -> Payload:
    facts: Payload = {"evse": {"id": told.evse.number, "connectorId": 1}}
    if told.grant is not None:
        facts["idToken"] = _id_token(told.grant.token)
        if told.grant.reservation is not None:
            facts["reservationId"] = told.grant.reservation
    new = {name: value for name, value in facts.items() if name not in told.told}
    told.told.update(new)
    return new


def _meter_value(occasion: Occasion) -> Payload:
    context = {Phase.STARTED: "Transaction.Begin", Phase.ENDED: "Transaction.End"}.get(
        occasion.phase, "Sample.Periodic"
    )
    sample = {
        "value": round(occasion.meter_wh, 1),
        "context": "Trigger" if occasion.trigger == "Trigger" else context,
        "measurand": "Energy.Active.Import.Register",
        "unitOfMeasure": {"unit": "Wh"},
    }
    return {"timestamp": stamp(occasion.at), "sampledValue": [sample]}
