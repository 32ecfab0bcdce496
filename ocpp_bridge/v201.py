"""OCPP 2.0.1, and the builder of newer 2.x versions: EVSEs, typed tokens, transaction ids of the station's own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ocpp.v201.enums import (
    CancelReservationStatusEnumType,
    RequestStartStopStatusEnumType,
    ReserveNowStatusEnumType,
    SetVariableStatusEnumType,
    TriggerMessageStatusEnumType,
    UnlockStatusEnumType,
)

from ocpp_bridge import meanings
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.dialect import Dialect, Unsayable, Verb, read_abilities, read_status
from ocpp_bridge.orders import (
    AskAbilities,
    AskBoot,
    AskStatus,
    AskTransaction,
    CancelReservation,
    Configure,
    IdToken,
    Order,
    RequestStart,
    RequestStop,
    ReserveNow,
    Unlock,
)
from ocpp_bridge.reading import flag, part, parts, text, truth
from ocpp_bridge.saying import IDENTIFIER, positive, stated, token_text, zulu
from ocpp_bridge.schemas import Schemas
from ocpp_bridge.v201_ears import EARS

AVAILABLE = "ReservationCtrlr.Available"
ENABLED = "ReservationCtrlr.Enabled"
NON_EVSE_SPECIFIC = "ReservationCtrlr.NonEvseSpecific"
TIMEOUT = "TxCtrlr.EVConnectionTimeOut"
AUTHORIZE_REMOTE = "AuthCtrlr.AuthorizeRemoteStart"
ABILITIES = (AVAILABLE, ENABLED, NON_EVSE_SPECIFIC, TIMEOUT, AUTHORIZE_REMOTE)


def _evse(order: ReserveNow | RequestStart) -> int | None:
    if order.evse is None and order.connector is not None:
        raise Unsayable("OCPP 2.x knows no connector without its EVSE.")
    return None if order.evse is None else positive("evseId", order.evse)


def _id_token(token: IdToken | None) -> dict[str, Any] | None:
    return None if token is None else {"idToken": token_text(token, IDENTIFIER), "type": token.type}


def _reserve_now(order: ReserveNow) -> dict[str, Any]:
    if order.evse is not None and order.connector_type is not None:
        raise Unsayable("OCPP 2.x reserves an EVSE or a type of connector, not both.")
    return stated(
        id=positive("id", order.number),
        expiryDateTime=zulu(order.expiry),
        connectorType=order.connector_type,
        idToken=_id_token(order.id_token),
        evseId=_evse(order),
        groupIdToken=_id_token(order.group),
    )


def _cancel_reservation(order: CancelReservation) -> dict[str, Any]:
    return {"reservationId": positive("reservationId", order.number)}


def _request_start(order: RequestStart) -> dict[str, Any]:
    return stated(
        evseId=_evse(order),
        groupIdToken=_id_token(order.group),
        idToken=_id_token(order.id_token),
        remoteStartId=positive("remoteStartId", order.remote_start_id),
    )


def _read_start(payload: dict[str, Any]) -> Answer | None:
    """F01.FR.13: the id of a transaction that runs already, waiting for an authorization."""
    answer = read_status(payload)
    return answer and replace(answer, transaction_id=text(payload, "transactionId") or None)


def _request_stop(order: RequestStop) -> dict[str, Any]:
    if not order.transaction_id:
        raise Unsayable("A transaction without an id cannot be stopped.")
    return {"transactionId": order.transaction_id}


def _unlock(order: Unlock) -> dict[str, Any]:
    if order.evse is None:
        raise Unsayable("OCPP 2.x knows no connector without its EVSE.")
    return {"evseId": positive("evseId", order.evse), "connectorId": positive("connectorId", order.connector)}


def _ask_abilities(order: AskAbilities) -> dict[str, Any]:
    return {"getVariableData": [_variable(ability) for ability in ABILITIES]}


def _variable(key: str) -> dict[str, Any]:
    component, _, variable = key.partition(".")
    if not component or not variable:
        raise Unsayable("OCPP 2.x names a variable together with its component: Component.Variable.")
    return {"component": {"name": component}, "variable": {"name": variable}}


def _read_variables(payload: dict[str, Any]) -> Answer | None:
    results = parts(payload, "getVariableResult")
    told = {
        f"{text(part(one, 'component'), 'name')}.{text(part(one, 'variable'), 'name')}": text(one, "attributeValue")
        for one in results
        if text(one, "attributeStatus").casefold() == "accepted" and "attributeValue" in one
    }
    return read_abilities(told, ABILITIES) if results else None


def _configure(order: Configure) -> dict[str, Any]:
    return {"setVariableData": [{**_variable(order.key), "attributeValue": order.value}]}


def _read_configured(payload: dict[str, Any]) -> Answer | None:
    """One variable was set, so the first result is its."""
    [result, *_] = parts(payload, "setVariableResult") or [{}]
    return read_status({"status": result.get("attributeStatus"), "statusInfo": result.get("attributeStatusInfo")})


def _ask_transaction(order: AskTransaction) -> dict[str, Any]:
    if not order.transaction_id:
        raise Unsayable("A transaction without an id cannot be asked about.")
    return {"transactionId": order.transaction_id}


def _read_transaction(payload: dict[str, Any]) -> Answer | None:
    ongoing, queue = flag(payload, "ongoingIndicator"), flag(payload, "messagesInQueue")
    if ongoing is None and queue is None:
        return None
    return Answer(ending=Ending.RESULT, status="Accepted", ongoing=ongoing, messages_in_queue=queue)


def _ask_status(order: AskStatus) -> dict[str, Any]:
    """The status is a connector's, so both are said (F06)."""
    evse = 1 if order.evse is None else positive("evse.id", order.evse)
    connector = 1 if order.connector is None else positive("evse.connectorId", order.connector)
    return {"requestedMessage": "StatusNotification", "evse": {"id": evse, "connectorId": connector}}


def _ask_boot(order: AskBoot) -> dict[str, Any]:
    return {"requestedMessage": "BootNotification"}


TRIGGERED = {
    TriggerMessageStatusEnumType.accepted: meanings.DONE,
    TriggerMessageStatusEnumType.rejected: meanings.REJECTED,
    TriggerMessageStatusEnumType.not_implemented: meanings.NOT_SUPPORTED,
}

#: reasonCodes that say more than Rejected does (2.x appendix).
_NOT_SUPPORTED = {
    ("Rejected", "NotEnabled"): meanings.NOT_SUPPORTED,
    ("Rejected", "UnsupportedRequest"): meanings.NOT_SUPPORTED,
}

VERBS: Mapping[type[Order], Verb] = {
    ReserveNow: Verb(
        action="ReserveNow",
        say=_reserve_now,
        meanings={
            ReserveNowStatusEnumType.accepted: meanings.DONE,
            ReserveNowStatusEnumType.faulted: meanings.INOPERATIVE,
            ReserveNowStatusEnumType.occupied: meanings.OCCUPIED,
            ReserveNowStatusEnumType.rejected: meanings.REJECTED,
            ReserveNowStatusEnumType.unavailable: meanings.INOPERATIVE,
        },
        reasons={
            **_NOT_SUPPORTED,
            ("Rejected", "InternalError"): meanings.FAILED,
            ("Rejected", "OutOfMemory"): meanings.FAILED,
        },
    ),
    CancelReservation: Verb(
        action="CancelReservation",
        say=_cancel_reservation,
        meanings={
            CancelReservationStatusEnumType.accepted: meanings.DONE,
            CancelReservationStatusEnumType.rejected: meanings.NO_SUCH_RESERVATION,
        },
    ),
    RequestStart: Verb(
        action="RequestStartTransaction",
        say=_request_start,
        read=_read_start,
        meanings={
            RequestStartStopStatusEnumType.accepted: meanings.DONE,
            RequestStartStopStatusEnumType.rejected: meanings.REJECTED,
        },
        reasons={
            **_NOT_SUPPORTED,
            ("Rejected", "TxInProgress"): meanings.OCCUPIED,
        },
    ),
    RequestStop: Verb(
        action="RequestStopTransaction",
        say=_request_stop,
        meanings={
            RequestStartStopStatusEnumType.accepted: meanings.DONE,
            RequestStartStopStatusEnumType.rejected: meanings.REJECTED,
        },
    ),
    Unlock: Verb(
        action="UnlockConnector",
        say=_unlock,
        meanings={
            UnlockStatusEnumType.unlocked: meanings.DONE,
            UnlockStatusEnumType.unlock_failed: meanings.FAILED,
            UnlockStatusEnumType.ongoing_authorized_transaction: meanings.CHARGING,
            UnlockStatusEnumType.unknown_connector: meanings.NO_SUCH_CONNECTOR,
        },
        reasons={("UnlockFailed", "FixedCable"): meanings.NOT_SUPPORTED},
    ),
    AskAbilities: Verb(
        action="GetVariables",
        say=_ask_abilities,
        read=_read_variables,
        meanings={"Accepted": meanings.DONE},
    ),
    Configure: Verb(
        action="SetVariables",
        say=_configure,
        read=_read_configured,
        meanings={
            SetVariableStatusEnumType.accepted: meanings.DONE,
            SetVariableStatusEnumType.reboot_required: meanings.AFTER_REBOOT,
            SetVariableStatusEnumType.rejected: meanings.REJECTED,
            SetVariableStatusEnumType.unknown_component: meanings.NOT_SUPPORTED,
            SetVariableStatusEnumType.unknown_variable: meanings.NOT_SUPPORTED,
            SetVariableStatusEnumType.not_supported_attribute_type: meanings.NOT_SUPPORTED,
        },
    ),
    AskTransaction: Verb(
        action="GetTransactionStatus",
        say=_ask_transaction,
        read=_read_transaction,
        meanings={"Accepted": meanings.DONE},
    ),
    AskStatus: Verb(action="TriggerMessage", say=_ask_status, meanings=TRIGGERED),
    AskBoot: Verb(action="TriggerMessage", say=_ask_boot, meanings=TRIGGERED),
}


def reserves(abilities: Mapping[str, str]) -> bool | None:
    """Only an explicit false is a no (H01.FR.01)."""
    told = [truth(abilities.get(name)) for name in (AVAILABLE, ENABLED)]
    return False if False in told else all(told) or None


def whole_station(abilities: Mapping[str, str]) -> bool | None:
    """Only an explicit false is a no (H01.FR.18, FR.19)."""
    return False if reserves(abilities) is False else truth(abilities.get(NON_EVSE_SPECIFIC))


def authorizes_remote_starts(abilities: Mapping[str, str]) -> bool | None:
    """F01.FR.01, F01.FR.02."""
    return truth(abilities.get(AUTHORIZE_REMOTE))


def dialect(subprotocol: str, package: str) -> Dialect:
    """A 2.x version whose orders have 2.0.1's shape; lengths and enums are those of the schemas in ``package``."""
    return Dialect(
        subprotocol=subprotocol,
        schemas=Schemas(package, request_suffix="Request"),
        verbs=VERBS,
        ears=EARS,
        abilities=ABILITIES,
        reserves=reserves,
        whole_station=whole_station,
        authorizes_remote_starts=authorizes_remote_starts,
        timeout_ability=TIMEOUT,
        longest_id_token=36,
        format_violation="FormatViolation",
        occurrence_violation="OccurrenceConstraintViolation",
        unreadable_id="-1",
        type_not_supported="MessageTypeNotSupported",
    )


DIALECT = dialect("ocpp2.0.1", "ocpp.v201")
