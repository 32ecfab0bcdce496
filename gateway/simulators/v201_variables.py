"""The variables of a simulated OCPP 2.x station, and how they are read and set."""

from typing import Any

from gateway.simulators.configuration import Meaning, Variable
from gateway.simulators.words import Deeds, Payload

VARIABLES = {
    "ReservationCtrlr.Available": Variable("true"),
    "ReservationCtrlr.Enabled": Variable("true", writable=True),
    "ReservationCtrlr.NonEvseSpecific": Variable("true", writable=True),
    "AuthCtrlr.AuthorizeRemoteStart": Variable("false", writable=True),
    "TxCtrlr.EVConnectionTimeOut": Variable("60", writable=True),
    "TxCtrlr.TxStartPoint": Variable("PowerPathClosed", writable=True),
    "TxCtrlr.TxStopPoint": Variable("PowerPathClosed", writable=True),
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
    Meaning.STOP_POINT: "TxCtrlr.TxStopPoint",
}


async def get_variables(station: Deeds, request: Payload) -> Payload:
    return {"getVariableResult": [_got(station, wanted) for wanted in request["getVariableData"]]}


async def set_variables(station: Deeds, request: Payload) -> Payload:
    return {"setVariableResult": [_set(station, wanted) for wanted in request["setVariableData"]]}


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
