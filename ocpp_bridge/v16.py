"""OCPP 1.6J: no EVSEs but connectors, tokens without types, and transaction ids that the house gives."""

from collections.abc import Mapping
from typing import Any

from ocpp.v16.enums import (
    CancelReservationStatus,
    ConfigurationStatus,
    RemoteStartStopStatus,
    ReservationStatus,
    TriggerMessageStatus,
    UnlockStatus,
)

from ocpp_bridge import meanings
from ocpp_bridge.answers import Answer
from ocpp_bridge.dialect import Dialect, Unsayable, Verb, read_abilities
from ocpp_bridge.orders import (
    AskAbilities,
    AskBoot,
    AskStatus,
    CancelReservation,
    Configure,
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
AUTHORIZE_REMOTE = "AuthorizeRemoteTxRequests"
CONNECTORS = "NumberOfConnectors"
ABILITIES = (PROFILES, CONNECTOR_ZERO, TIMEOUT, AUTHORIZE_REMOTE, CONNECTORS)


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


def _configure(order: Configure) -> dict[str, Any]:
    return {"key": order.key, "value": order.value}


def _ask_status(order: AskStatus) -> dict[str, Any]:
    connector = None if order.connector is None else positive("connectorId", order.connector)
    return stated(requestedMessage="StatusNotification", connectorId=connector)


def _ask_boot(order: AskBoot) -> dict[str, Any]:
    return {"requestedMessage": "BootNotification"}


TRIGGERED = {
    TriggerMessageStatus.accepted: meanings.DONE,
    TriggerMessageStatus.rejected: meanings.REJECTED,
    TriggerMessageStatus.not_implemented: meanings.NOT_SUPPORTED,
}

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
    Configure: Verb(
        action="ChangeConfiguration",
        say=_configure,
        meanings={
            ConfigurationStatus.accepted: meanings.DONE,
            ConfigurationStatus.reboot_required: meanings.AFTER_REBOOT,
            ConfigurationStatus.rejected: meanings.REJECTED,
            ConfigurationStatus.not_supported: meanings.NOT_SUPPORTED,
        },
    ),
    AskStatus: Verb(action="TriggerMessage", say=_ask_status, meanings=TRIGGERED),
    AskBoot: Verb(action="TriggerMessage", say=_ask_boot, meanings=TRIGGERED),
}


def reserves(abilities: Mapping[str, str]) -> bool | None:
    """The Reservation profile is optional; only a list without it is a no (1.6 §3.1)."""
    profiles = [name.strip().casefold() for name in abilities.get(PROFILES, "").split(",")]
    return "reservation" in profiles if any(profiles) else None


def whole_station(abilities: Mapping[str, str]) -> bool | None:
    """Connector 0 is optional; only an explicit no is one (1.6 §5.13)."""
    return False if reserves(abilities) is False else truth(abilities.get(CONNECTOR_ZERO))


def authorizes_remote_starts(abilities: Mapping[str, str]) -> bool | None:
    return truth(abilities.get(AUTHORIZE_REMOTE))


DIALECT = Dialect(
    subprotocol="ocpp1.6",
    schemas=Schemas("ocpp.v16", request_suffix=""),
    verbs=VERBS,
    ears=EARS,
    abilities=ABILITIES,
    reserves=reserves,
    whole_station=whole_station,
    authorizes_remote_starts=authorizes_remote_starts,
    timeout_ability=TIMEOUT,
    connectors_ability=CONNECTORS,
    starts_connectors=True,
    longest_id_token=20,
    format_violation="FormationViolation",
    occurrence_violation="OccurenceConstraintViolation",
    unreadable_id=None,
    type_not_supported=None,
)
