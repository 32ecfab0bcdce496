"""What an OCPP 1.6 station may say, the messages of the security whitepaper included."""

from collections.abc import Mapping
from typing import Any

from ocpp.v16.enums import ChargePointStatus

from ocpp_bridge.desk import Desk
from ocpp_bridge.dialect import Ear, Malformed
from ocpp_bridge.ears import always, boot_answer, heartbeat
from ocpp_bridge.events import Booted, Phase, Reading, StatusChanged, TokenStatus, TransactionChanged
from ocpp_bridge.orders import IdToken
from ocpp_bridge.reading import measure, moment, parts, spelled, text, whole
from ocpp_bridge.samples import BEGIN, END, in_order, readings
from ocpp_bridge.saying import stated

LONGEST_TOKEN = 20


async def _boot_notification(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    event = Booted(
        vendor=text(payload, "chargePointVendor"),
        model=text(payload, "chargePointModel"),
        serial=text(payload, "chargePointSerialNumber") or text(payload, "chargeBoxSerialNumber"),
        firmware=text(payload, "firmwareVersion"),
    )
    return boot_answer(await desk.booted(station, event))


async def _authorize(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    token = _heard_token(payload)
    return {"idTagInfo": _id_tag_info(await desk.authorize(station, token) if token else None)}


async def _start_transaction(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    event = TransactionChanged(
        phase=Phase.STARTED,
        transaction_id=None,
        at=moment(payload, "timestamp"),
        connector=whole(payload, "connectorId"),
        id_token=_heard_token(payload),
        # Some stations send -1 for "none".
        reservation=whole(payload, "reservationId", least=1),
        readings=_register(payload, "meterStart", BEGIN),
    )
    answer = await desk.transaction(station, event)
    if answer.transaction_id is None:
        raise Malformed("InternalError", "The transaction was given no id.")
    return {"transactionId": int(answer.transaction_id), "idTagInfo": _id_tag_info(answer.token)}


async def _stop_transaction(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    event = TransactionChanged(
        phase=Phase.ENDED,
        transaction_id=_heard_transaction(payload),
        at=moment(payload, "timestamp"),
        id_token=_heard_token(payload),
        # Of readings of one time the last counts: meterStop.
        readings=in_order(*readings(parts(payload, "transactionData")), *_register(payload, "meterStop", END)),
        stopped_reason=text(payload, "reason"),
    )
    answer = await desk.transaction(station, event)
    return {} if answer.token is None else {"idTagInfo": _id_tag_info(answer.token)}


async def _meter_values(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    samples = parts(payload, "meterValue")
    if "transactionId" in payload:
        event = TransactionChanged(
            phase=Phase.UPDATED,
            transaction_id=_heard_transaction(payload),
            at=max((at for one in samples if (at := moment(one, "timestamp"))), default=None),
            connector=whole(payload, "connectorId"),
            readings=readings(samples),
        )
        await desk.transaction(station, event)
    return {}


async def _status_notification(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    connector, status, error = whole(payload, "connectorId"), text(payload, "status"), text(payload, "errorCode")
    if connector is not None and status:
        at = moment(payload, "timestamp")
        error = "" if error == "NoError" else error
        event = StatusChanged(
            evse=None, connector=connector, status=spelled(status, ChargePointStatus), at=at, error=error
        )
        await desk.status_changed(station, event)
    return {}


def _register(payload: dict[str, Any], name: str, context: str) -> tuple[Reading, ...]:
    """meterStart or meterStop (integers, in Wh), which the message's own time belongs to."""
    wh = measure(payload, name)
    return () if wh is None or wh < 0 else (Reading(at=moment(payload, "timestamp"), register_wh=wh, context=context),)


def _heard_token(payload: dict[str, Any]) -> IdToken | None:
    """As told, however long: a station repeats a StopTransaction until it is answered."""
    value = text(payload, "idTag")
    return IdToken(value=value) if value else None


def _heard_transaction(payload: dict[str, Any]) -> str | None:
    """None for the -1 or 0 of a station that never got an id of ours."""
    number = whole(payload, "transactionId", least=1)
    return None if number is None else str(number)


def _id_tag_info(status: TokenStatus | None) -> dict[str, Any]:
    if status is None:
        return {"status": "Invalid"}
    group = status.group.value if status.group and len(status.group.value) <= LONGEST_TOKEN else None
    return stated(status=status.status, parentIdTag=group)


EARS: Mapping[str, Ear] = {
    "Authorize": _authorize,
    "BootNotification": _boot_notification,
    "DataTransfer": always(status="UnknownVendorId"),
    "DiagnosticsStatusNotification": always(),
    "FirmwareStatusNotification": always(),
    "Heartbeat": heartbeat,
    "LogStatusNotification": always(),
    "MeterValues": _meter_values,
    "SecurityEventNotification": always(),
    "SignCertificate": always(status="Rejected"),
    "SignedFirmwareStatusNotification": always(),
    "StartTransaction": _start_transaction,
    "StatusNotification": _status_notification,
    "StopTransaction": _stop_transaction,
}
