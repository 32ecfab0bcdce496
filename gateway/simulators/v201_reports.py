"""What a simulated OCPP 2.x station tells by itself: its boot, its connectors, its tokens and its transactions."""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from itertools import count

from gateway.simulators.hardware import Evse, Shown, Token, Transaction
from gateway.simulators.words import Judgement, Message, Occasion, Payload, Phase, stamp

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
_event_ids = count(1)


def boot(identity: str, reason: str) -> Payload:
    station = {"vendorName": "Simulator", "model": "Double", "serialNumber": identity[:25], "firmwareVersion": "1.0.0"}
    return {"reason": reason, "chargingStation": station}


def status(evse: Evse, shown: Shown, at: datetime, connectors: Collection[int]) -> list[Payload]:
    """StatusNotification, one for each connector."""
    return [
        {"timestamp": stamp(at), "connectorStatus": STATUS[shown], "evseId": evse.number, "connectorId": connector}
        for connector in connectors
    ]


def events(evse: Evse, shown: Shown, at: datetime, connectors: Collection[int]) -> list[Payload]:
    """NotifyEvent, one for all connectors; it may take StatusNotification's place (H01.FR.23)."""
    data = [
        {
            "eventId": next(_event_ids),
            "timestamp": stamp(at),
            "trigger": "Delta",
            "actualValue": STATUS[shown],
            "eventNotificationType": "HardWiredNotification",
            "component": {"name": "Connector", "evse": {"id": evse.number, "connectorId": connector}},
            "variable": {"name": "AvailabilityState"},
        }
        for connector in connectors
    ]
    return [{"generatedAt": stamp(at), "seqNo": 0, "eventData": data}]


def authorize(token: Token) -> Payload:
    return {"idToken": id_token_of(token)}


def judged(answer: Payload) -> Judgement:
    info = answer.get("idTokenInfo") or {}
    return Judgement(info.get("status"), text_of(info.get("groupIdToken")))


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


def meter_values(evse: Evse, occasion: Occasion) -> Message:
    payload = {"evseId": evse.number, "meterValue": [_meter_value(occasion)]}
    return Message(action="MeterValues", build=partial(dict, payload))


def text_of(payload: Payload | None) -> str | None:
    return None if payload is None else payload["idToken"]


def id_token_of(token: Token) -> Payload:
    return {"idToken": token.value, "type": token.type}


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
        facts["idToken"] = id_token_of(told.grant.token)
        if told.grant.reservation is not None:
            facts["reservationId"] = told.grant.reservation
    new = {name: value for name, value in facts.items() if name not in told.told}
    told.told.update(new)
    return new


def _meter_value(occasion: Occasion) -> Payload:
    context = {Phase.STARTED: "Transaction.Begin", Phase.ENDED: "Transaction.End"}.get(
        occasion.phase, "Sample.Periodic"
    )
    if occasion.trigger == "Trigger":
        context = "Trigger"
    samples = [
        {"value": round(value, 1), "context": context, "measurand": measurand, "unitOfMeasure": {"unit": unit}}
        for measurand, value, unit in (
            ("Energy.Active.Import.Register", occasion.meter_wh, "Wh"),
            ("Power.Active.Import", occasion.power_w, "W"),
        )
    ]
    return {"timestamp": stamp(occasion.at), "sampledValue": samples}
