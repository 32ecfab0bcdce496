"""OCPP 1.6J, as the simulated station speaks it."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from gateway.simulators.configuration import Meaning, Variable
from gateway.simulators.hardware import Evse, Shown, Token, Transaction
from gateway.simulators.reservations import Reservation, Result
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

STATUS = {Shown.GRANTED: "Preparing", Shown.PLUGGED: "Preparing"}

VARIABLES = {
    "SupportedFeatureProfiles": Variable("Core,Reservation,RemoteTrigger"),
    "ReserveConnectorZeroSupported": Variable("true"),
    "AuthorizeRemoteTxRequests": Variable("false", writable=True),
    "ConnectionTimeOut": Variable("60", writable=True),
    "HeartbeatInterval": Variable("300", writable=True),
    "MeterValueSampleInterval": Variable("60", writable=True),
    "StopTransactionOnInvalidId": Variable("true", writable=True),
    "MinimumStatusDuration": Variable("0", writable=True),
    "WebSocketPingInterval": Variable("20", writable=True),
    "NumberOfConnectors": Variable("2"),
}
MEANINGS = {
    Meaning.NON_EVSE_SPECIFIC: "ReserveConnectorZeroSupported",
    Meaning.AUTHORIZE_REMOTE: "AuthorizeRemoteTxRequests",
    Meaning.CONNECTION_TIMEOUT: "ConnectionTimeOut",
    Meaning.HEARTBEAT: "HeartbeatInterval",
    Meaning.METER_INTERVAL: "MeterValueSampleInterval",
    Meaning.STOP_ON_INVALID: "StopTransactionOnInvalidId",
    Meaning.CONNECTORS: "NumberOfConnectors",
    Meaning.RESERVATION: "SupportedFeatureProfiles",
}

#: The transaction ends of 2.x that this version has a word for; the others are "Other".
STOP_REASONS = frozenset(
    {"DeAuthorized", "EVDisconnected", "Local", "Other", "PowerLoss", "Reboot", "Remote", "UnlockCommand"}
)


def _evse_of(station: Deeds, connector: int) -> Evse | None:
    return next((evse for evse in station.evses.values() if connector in evse.connector_ids()), None)


async def reserve_now(station: Deeds, request: Payload) -> Payload:
    """§5.13; connectorId 0 is a reservation of no connector in particular."""
    evse = _evse_of(station, request["connectorId"])
    if evse is None and request["connectorId"] != 0:
        return {"status": Result.REJECTED}
    wish = Reservation(
        number=request["reservationId"],
        id_token=request["idTag"],
        expiry=moment(request["expiryDate"]),
        evse=None if evse is None else evse.number,
        group=request.get("parentIdTag"),
    )
    return _status(await station.reserve(wish, Token(wish.id_token)))


async def cancel_reservation(station: Deeds, request: Payload) -> Payload:
    return _status(station.cancel(request["reservationId"]))


async def remote_start(station: Deeds, request: Payload) -> Payload:
    connector = request.get("connectorId")
    evse = None if connector is None else _evse_of(station, connector)
    if connector is not None and evse is None:
        return {"status": "Rejected"}
    return _status(await station.start(Token(request["idTag"]), None, evse.number if evse else None, None))


async def remote_stop(station: Deeds, request: Payload) -> Payload:
    return _status(station.stop(str(request["transactionId"])))


async def unlock_connector(station: Deeds, request: Payload) -> Payload:
    """§5.18: a running transaction is ended first; an unknown connector is NotSupported (errata 3.85)."""
    evse = _evse_of(station, request["connectorId"])
    if evse is None:
        return {"status": "NotSupported"}
    if evse.transaction is not None:
        station.charging.finish(evse, "UnlockCommand", "UnlockCommand")
    station.unlock(evse)
    return {"status": "Unlocked"}


async def get_configuration(station: Deeds, request: Payload) -> Payload:
    asked = request.get("key") or list(station.configuration.variables)
    found = {name: station.configuration.find(name) for name in asked}
    return {
        "configurationKey": [
            {"key": known[0], "readonly": not known[1].writable, "value": known[1].value}
            for known in found.values()
            if known
        ],
        "unknownKey": [name for name, known in found.items() if known is None],
    }


async def change_configuration(station: Deeds, request: Payload) -> Payload:
    known = station.configuration.find(request["key"])
    if known is None:
        return {"status": "NotSupported"}
    if not known[1].writable or not known[1].takes(request["value"]):
        return {"status": "Rejected"}
    station.configuration.set(request["key"], request["value"])
    return {"status": "Accepted"}


async def trigger_message(station: Deeds, request: Payload) -> Payload:
    """§5.17."""
    connector, requested = request.get("connectorId", 0), request["requestedMessage"]
    evse = _evse_of(station, connector)
    if evse is not None:
        return {"status": station.trigger(requested, evse.number, connector - evse.first_connector + 1)}
    return {"status": "Rejected" if connector else station.trigger(requested, None)}


ANSWERS: dict[str, Answer] = {
    "ReserveNow": reserve_now,
    "CancelReservation": cancel_reservation,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "UnlockConnector": unlock_connector,
    "GetConfiguration": get_configuration,
    "ChangeConfiguration": change_configuration,
    "TriggerMessage": trigger_message,
}


def boot(identity: str, reason: str) -> Payload:
    return {
        "chargePointVendor": "Simulator",
        "chargePointModel": "Double",
        "chargePointSerialNumber": identity[:25],
        "firmwareVersion": "1.0.0",
    }


def status(evse: Evse, shown: Shown, at: datetime, connectors: Collection[int]) -> list[Payload]:
    return [_notification(evse.first_connector + number - 1, shown, at) for number in connectors]


def station_status(shown: Shown, at: datetime) -> list[Payload]:
    """Connector 0 is the station, which is Available, Unavailable or Faulted only."""
    return [_notification(0, shown, at)]


def transaction(told: Transaction, occasion: Occasion) -> Message | None:
    """StartTransaction, MeterValues and StopTransaction; other turns of events have no message."""
    if occasion.phase is Phase.STARTED:
        return Message(action="StartTransaction", build=partial(_start, told, occasion), keep=True)
    if occasion.phase is Phase.ENDED:
        return Message(action="StopTransaction", build=partial(_stop, told, occasion), keep=True)
    if occasion.trigger == "MeterValuePeriodic":
        return Message(action="MeterValues", build=partial(_meter_values, told.evse, told, occasion), keep=True)
    return None


def meter_values(evse: Evse, occasion: Occasion) -> Message:
    return Message(action="MeterValues", build=partial(_meter_values, evse, evse.transaction, occasion))


def judged(answer: Payload) -> Judgement:
    info = answer.get("idTagInfo") or {}
    given = answer.get("transactionId")
    return Judgement(info.get("status"), info.get("parentIdTag"), None if given is None else str(given))


DIALECT = Dialect(
    subprotocol="ocpp1.6",
    schemas="ocpp.v16",
    request_suffix="",
    violation="FormationViolation",
    answers=ANSWERS,
    variables=VARIABLES,
    meanings=MEANINGS,
    boot=boot,
    status=status,
    station_status=station_status,
    authorize=lambda token: {"idTag": token.value},
    judged=judged,
    transaction=transaction,
    meter_values=meter_values,
    new_transaction_id=lambda: None,
)


def _status(verdict: Verdict) -> Payload:
    return {"status": verdict.word}


def _notification(connector: int, shown: Shown, at: datetime) -> Payload:
    error = "OtherError" if shown is Shown.FAULTED else "NoError"
    word = STATUS.get(shown, str(shown))
    return {"connectorId": connector, "errorCode": error, "status": word, "timestamp": stamp(at)}


def _start(told: Transaction, occasion: Occasion) -> Payload:
    grant = told.grant
    assert grant is not None, "here a transaction starts only once a token is accepted"
    payload = {
        "connectorId": told.evse.first_connector,
        "idTag": grant.token.value,
        "meterStart": round(occasion.meter_wh),
        "timestamp": stamp(occasion.at),
    }
    return payload if grant.reservation is None else payload | {"reservationId": grant.reservation}


def _stop(told: Transaction, occasion: Occasion) -> Payload:
    reason = occasion.stopped_reason if occasion.stopped_reason in STOP_REASONS else "Other"
    return {
        "transactionId": _id(told),
        "meterStop": round(occasion.meter_wh),
        "timestamp": stamp(occasion.at),
        "reason": reason,
    }


def _meter_values(evse: Evse, told: Transaction | None, occasion: Occasion) -> Payload:
    context = "Trigger" if occasion.trigger == "Trigger" else "Sample.Periodic"
    samples = [
        {"value": str(round(value)), "context": context, "measurand": measurand, "unit": unit}
        for measurand, value, unit in (
            ("Energy.Active.Import.Register", occasion.meter_wh, "Wh"),
            ("Power.Active.Import", occasion.power_w, "W"),
        )
    ]
    whose = {} if told is None else {"transactionId": _id(told)}
    value = {"timestamp": stamp(occasion.at), "sampledValue": samples}
    return {"connectorId": evse.first_connector, **whose, "meterValue": [value]}


def _id(told: Transaction) -> int:
    """-1 is what stations say that never got an id."""
    return -1 if told.id is None else int(told.id)
