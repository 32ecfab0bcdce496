"""What an OCPP 2.0.1 station may say; newer 2.x versions add to it."""

from collections.abc import Mapping
from typing import Any

from ocpp.v201.enums import ConnectorStatusEnumType, ReservationUpdateStatusEnumType

from ocpp_bridge.desk import Desk
from ocpp_bridge.dialect import Ear, Malformed
from ocpp_bridge.ears import always, boot_answer, heartbeat
from ocpp_bridge.events import Booted, Phase, StatusChanged, TokenStatus, TransactionChanged
from ocpp_bridge.orders import IdToken
from ocpp_bridge.reading import flag, moment, part, parts, spelled, text, whole
from ocpp_bridge.samples import readings
from ocpp_bridge.saying import stated

#: Components whose AvailabilityState is that of a connector, or of all connectors of an EVSE (H01.FR.20).
PLACES = ("connector", "evse")
#: Of a transaction's id, which has 36 characters at most; one that has more is kept as far as it tells two apart.
LONGEST_ID = 255
PHASES = {phase.casefold(): phase for phase in Phase}
#: NoTransaction is 2.1's (H03.FR.11); a station that says it earlier is understood.
RESERVATION_UPDATES = (*ReservationUpdateStatusEnumType, "NoTransaction")


async def _boot_notification(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    told = part(payload, "chargingStation")
    event = Booted(
        vendor=text(told, "vendorName"),
        model=text(told, "model"),
        serial=text(told, "serialNumber"),
        firmware=text(told, "firmwareVersion"),
        reason=text(payload, "reason"),
    )
    return boot_answer(await desk.booted(station, event))


async def _authorize(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    token = _heard_token(payload)
    status = await desk.authorize(station, token) if token else TokenStatus(status="Invalid")
    # We keep no contract certificates: the car's cannot be vouched for (C07).
    asked = "certificate" in payload or "iso15118CertificateHashData" in payload
    return stated(idTokenInfo=_id_token_info(status), certificateStatus="NoCertificateAvailable" if asked else None)


async def _transaction_event(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    info, evse = part(payload, "transactionInfo"), part(payload, "evse")
    if not text(info, "transactionId"):
        raise Malformed("OccurrenceConstraintViolation", "A TransactionEvent needs a transactionId.")
    event = TransactionChanged(
        phase=_phase(payload),
        transaction_id=text(info, "transactionId")[:LONGEST_ID],
        at=moment(payload, "timestamp"),
        seq=whole(payload, "seqNo"),
        evse=whole(evse, "id"),
        connector=whole(evse, "connectorId"),
        id_token=_heard_token(payload),
        reservation=whole(payload, "reservationId", least=1),
        remote_start_id=whole(info, "remoteStartId"),
        readings=readings(parts(payload, "meterValue")),
        stopped_reason=text(info, "stoppedReason"),
        trigger=text(payload, "triggerReason"),
        charging_state=text(info, "chargingState"),
        offline=flag(payload, "offline") is True,
    )
    answer = await desk.transaction(station, event)
    return stated(idTokenInfo=answer.token and _id_token_info(answer.token))


async def _status_notification(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    status, at = text(payload, "connectorStatus"), moment(payload, "timestamp")
    evse, connector = whole(payload, "evseId"), whole(payload, "connectorId")
    if evse is not None and status:
        status = spelled(status, ConnectorStatusEnumType)
        await desk.status_changed(station, StatusChanged(evse=evse, connector=connector, status=status, at=at))
    return {}


async def _notify_event(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    for data in parts(payload, "eventData"):
        if (changed := _availability(data)) is not None:
            await desk.status_changed(station, changed)
    return {}


def _availability(data: dict[str, Any]) -> StatusChanged | None:
    """What an event says of an EVSE's or a connector's availability; None if it is about something else."""
    component, status = part(data, "component"), text(data, "actualValue")
    evse = whole(part(component, "evse"), "id")
    about = text(component, "name").casefold(), text(part(data, "variable"), "name").casefold()
    if evse is None or not status or about[0] not in PLACES or about[1] != "availabilitystate":
        return None
    connector = whole(part(component, "evse"), "connectorId")
    status = spelled(status, ConnectorStatusEnumType)
    return StatusChanged(evse=evse, connector=connector, status=status, at=moment(data, "timestamp"))


async def _reservation_status_update(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    number, update = whole(payload, "reservationId", least=1), text(payload, "reservationUpdateStatus")
    if number is not None and update:
        await desk.reservation_ended(station, number, spelled(update, RESERVATION_UPDATES))
    return {}


def _phase(payload: dict[str, Any]) -> Phase:
    """A word that is none of the three neither opens nor closes a transaction."""
    return PHASES.get(text(payload, "eventType").casefold(), Phase.UPDATED)


def _heard_token(payload: dict[str, Any]) -> IdToken | None:
    """As told, however long; a token of type NoAuthorization has no text."""
    token = part(payload, "idToken")
    value, type_ = text(token, "idToken"), text(token, "type")
    return IdToken(value=value, type=type_ or "Central") if value or type_ else None


def _id_token_info(status: TokenStatus) -> dict[str, Any]:
    group = status.group and {"idToken": status.group.value, "type": status.group.type}
    return stated(status=status.status, groupIdToken=group)


EARS: Mapping[str, Ear] = {
    "Authorize": _authorize,
    "BootNotification": _boot_notification,
    "ClearedChargingLimit": always(),
    "DataTransfer": always(status="UnknownVendorId"),
    "FirmwareStatusNotification": always(),
    "Get15118EVCertificate": always(status="Failed", exiResponse=""),
    "GetCertificateStatus": always(status="Failed"),
    "Heartbeat": heartbeat,
    "LogStatusNotification": always(),
    # Readings of a transaction come in TransactionEvent (J02); these belong to none.
    "MeterValues": always(),
    "NotifyChargingLimit": always(),
    "NotifyCustomerInformation": always(),
    "NotifyDisplayMessages": always(),
    # We send no charging profiles: the station need not wait for one (K15).
    "NotifyEVChargingNeeds": always(status="Rejected"),
    "NotifyEVChargingSchedule": always(status="Accepted"),
    "NotifyEvent": _notify_event,
    "NotifyMonitoringReport": always(),
    "NotifyReport": always(),
    "PublishFirmwareStatusNotification": always(),
    "ReportChargingProfiles": always(),
    "ReservationStatusUpdate": _reservation_status_update,
    "SecurityEventNotification": always(),
    "SignCertificate": always(status="Rejected"),
    "StatusNotification": _status_notification,
    "TransactionEvent": _transaction_event,
}
