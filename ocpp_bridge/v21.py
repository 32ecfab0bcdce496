"""OCPP 2.1: 2.0.1's orders under longer limits, messages that want no answer, and more that a station may say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ocpp_bridge.desk import Desk
from ocpp_bridge.dialect import Ear, Malformed
from ocpp_bridge.ears import always, now
from ocpp_bridge.reading import parts, text, whole
from ocpp_bridge.saying import stated
from ocpp_bridge.v201 import dialect

_PLAIN = dialect("ocpp2.1", "ocpp.v21")


async def _get_certificate_chain_status(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Each certificate is named again in the answer, so only a correct question can be answered correctly."""
    if fault := _PLAIN.schemas.fault("GetCertificateChainStatus", payload):
        raise Malformed(_PLAIN.format_violation, fault)
    told = [
        {"certificateHashData": asked["certificateHashData"], "source": asked["source"], "status": "Failed"}
        for asked in parts(payload, "certificateStatusRequests")
    ]
    return {"certificateStatus": [{**one, "nextUpdate": now()} for one in told]}


async def _vat_number_validation(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Nobody here validates VAT numbers; the number asked about is named again."""
    return stated(status="Rejected", vatNumber=text(payload, "vatNumber")[:20], evseId=whole(payload, "evseId"))


EARS: Mapping[str, Ear] = {
    **_PLAIN.ears,
    "BatterySwap": always(),
    "ClosePeriodicEventStream": always(),
    "GetCertificateChainStatus": _get_certificate_chain_status,
    "NotifyDERAlarm": always(),
    "NotifyDERStartStop": always(),
    "NotifyEVChargingNeeds": always(status="NoChargingProfile"),
    "NotifyPriorityCharging": always(),
    "NotifySettlement": always(),
    # We asked for no streams; one that is opened all the same is heard and thrown away.
    "OpenPeriodicEventStream": always(status="Rejected"),
    "PullDynamicScheduleUpdate": always(status="Rejected"),
    "ReportDERControl": always(),
    "VatNumberValidation": _vat_number_validation,
}

DIALECT = replace(
    _PLAIN,
    ears=EARS,
    sends={"NotifyPeriodicEventStream": always()},
    longest_id_token=255,
    # Part 4: a message type that is not known is ignored.
    type_not_supported=None,
)
