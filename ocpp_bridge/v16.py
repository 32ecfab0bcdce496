"""OCPP 1.6J: no EVSEs but connectors, tokens without types, and transaction ids that the house gives."""

from collections.abc import Mapping
from typing import Any

from ocpp.v16.enums import (
    CancelReservationStatus,
    RemoteStartStopStatus,
    ReservationStatus,
    UnlockStatus,
)

from ocpp_bridge import meanings
from ocpp_bridge.answers import Answer
from ocpp_bridge.dialect import Dialect, Unsayable, Verb, read_abilities
from ocpp_bridge.orders import (
    AskAbilities,
    CancelReservation,
    IdToken,
    Order,
    RequestStart,
    RequestStop,
    ReserveNow,
    Unlock,
)
from ocpp_bridge.reading import parts, text, truth, whole
from ocpp_bridge.saying import positive, stated, token_text, zulu
from ocpp_bridge.schemas import Schemas
from ocpp_bridge.v16_ears import EARS

#: CiString20Type: printable ASCII.
ALPHABET = frozenset(map(chr, range(0x20, 0x7F)))

CONNECTOR_ZERO = "ReserveConnectorZeroSupported"
PROFILES = "SupportedFeatureProfiles"
TIMEOUT = "ConnectionTimeOut"
ABILITIES = (PROFILES, CONNECTOR_ZERO, TIMEOUT, "AuthorizeRemoteTxRequests", "NumberOfConnectors")


def _connector(order: ReserveNow | RequestStart) -> int | None:
    if order.connector is None and order.evse is not None:
        raise Unsayable("OCPP 1.6 knows no EVSE without its connector.")
    return None if order.connector is None else positive("connectorId", order.connector)


def _id_tag(token: IdToken | None) -> str | None:
    return None if token is None else token_text(token, ALPHABET)


def _reserve_now(order: ReserveNow) -> dict[str, Any]:
    if order.connector_type is not None:
        raise Unsayable("OCPP 1.6 cannot reserve a type of connector.")
    return stated(
        connectorId=_connector(order) or 0,  # 0: any connector of the station (1.6 §5.13)
        expiryDate=zulu(order.expiry),
        idTag=_id_tag(order.id_token),
        parentIdTag=_id_tag(order.group),
        reservationId=positive("reservationId", order.number),
    )


def _cancel_reservation(order: CancelReservation) -> dict[str, Any]:
    return {"reservationId": positive("reservationId", order.number)}


def _remote_start(order: RequestStart) -> dict[str, Any]:
    return stated(connectorId=_connector(order), idTag=_id_tag(order.id_token))


def _remote_stop(order: RequestStop) -> dict[str, Any]:
    number = whole({"id": order.transaction_id}, "id", least=1)
    if number is None or str(number) != order.transaction_id:
        raise Unsayable("OCPP 1.6 knows no such transaction id.")
    return {"transactionId": number}


def _unlock(order: Unlock) -> dict[str, Any]:
    return {"connectorId": positive("connectorId", order.connector)}


def _ask_abilities(order: AskAbilities) -> dict[str, Any]:
    return {"key": list(ABILITIES)}


def _read_configuration(payload: dict[str, Any]) -> Answer | None:
    if "configurationKey" not in payload and "unknownKey" not in payload:
        return None
    told = parts(payload, "configurationKey")
    return read_abilities({text(one, "key"): text(one, "value") for one in told if "value" in one}, ABILITIES)


VERBS: Mapping[type[Order], Verb] = {
    ReserveNow: Verb(
        action="ReserveNow",
        say=_reserve_now,
        meanings={
            ReservationStatus.accepted: meanings.DONE,
            ReservationStatus.faulted: meanings.INOPERATIVE,
            ReservationStatus.occupied: meanings.OCCUPIED,
            ReservationStatus.rejected: meanings.REJECTED,
            ReservationStatus.unavailable: meanings.INOPERATIVE,
        },
    ),
    CancelReservation: Verb(
        action="CancelReservation",
        say=_cancel_reservation,
        meanings={
            CancelReservationStatus.accepted: meanings.DONE,
            CancelReservationStatus.rejected: meanings.NO_SUCH_RESERVATION,
        },
    ),
    RequestStart: Verb(
        action="RemoteStartTransaction",
        say=_remote_start,
        meanings={
            RemoteStartStopStatus.accepted: meanings.DONE,
            RemoteStartStopStatus.rejected: meanings.REJECTED,
        },
    ),
    RequestStop: Verb(
        action="RemoteStopTransaction",
        say=_remote_stop,
        meanings={
            RemoteStartStopStatus.accepted: meanings.DONE,
            RemoteStartStopStatus.rejected: meanings.REJECTED,
        },
    ),
    Unlock: Verb(
        action="UnlockConnector",
        say=_unlock,
        meanings={
            UnlockStatus.unlocked: meanings.DONE,
            UnlockStatus.unlock_failed: meanings.FAILED,
            UnlockStatus.not_supported: meanings.NOT_SUPPORTED,
        },
    ),
    AskAbilities: Verb(
        action="GetConfiguration",
        say=_ask_abilities,
        read=_read_configuration,
        meanings={"Accepted": meanings.DONE},
    ),
}


def whole_station(abilities: Mapping[str, str]) -> bool | None:
    """Connector 0 is optional, and so is the Reservation profile; only an explicit no is one (1.6 §5.13)."""
    profiles = abilities.get(PROFILES, "")
    if profiles and "reservation" not in (profile.strip().casefold() for profile in profiles.split(",")):
        return False
    return truth(abilities.get(CONNECTOR_ZERO))


DIALECT = Dialect(
    subprotocol="ocpp1.6",
    schemas=Schemas("ocpp.v16", request_suffix=""),
    verbs=VERBS,
    ears=EARS,
    whole_station=whole_station,
    timeout_ability=TIMEOUT,
    longest_id_token=20,
    format_violation="FormationViolation",
    occurrence_violation="OccurenceConstraintViolation",
    unreadable_id=None,
    type_not_supported=None,
)
