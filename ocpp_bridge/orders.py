"""Orders: what the house may ask of a station, in words that fit every OCPP version."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class IdToken:
    """A token as the station is to see it: already remapped, never longer than its OCPP version allows."""

    value: str
    #: OCPP 2.x IdTokenEnumType (ISO14443, ISO15693, Central, eMAID …); OCPP 1.6 has no types.
    type: str = "Central"


@dataclass(frozen=True, kw_only=True)
class ReserveNow:
    """Keep an EVSE, an EVSE with a connector type, or (neither given) any EVSE of the station free for a token."""

    #: Positive, int32; the same number replaces the reservation at the station (1.6 §5.13, 2.x H01.FR.02).
    number: int
    expiry: datetime
    id_token: IdToken
    group: IdToken | None = None
    evse: int | None = None
    #: On OCPP 1.6 the connectorId; not said on 2.x, where an EVSE is reserved.
    connector: int | None = None
    #: 2.x ConnectorEnumType, only without ``evse``.
    connector_type: str | None = None
    kind: Literal["ReserveNow"] = "ReserveNow"


@dataclass(frozen=True, kw_only=True)
class CancelReservation:
    """Give up the reservation ``number``."""

    number: int
    kind: Literal["CancelReservation"] = "CancelReservation"


@dataclass(frozen=True, kw_only=True)
class RequestStart:
    """Start charging for a token (1.6 RemoteStartTransaction); Accepted only means "I will try"."""

    id_token: IdToken
    #: Unique per station; comes back in 2.x TransactionEvent.transactionInfo.
    remote_start_id: int
    group: IdToken | None = None
    evse: int | None = None
    connector: int | None = None
    kind: Literal["RequestStart"] = "RequestStart"


@dataclass(frozen=True, kw_only=True)
class RequestStop:
    """Stop a transaction (1.6 RemoteStopTransaction, where the id is decimal text of our integer)."""

    transaction_id: str
    kind: Literal["RequestStop"] = "RequestStop"


@dataclass(frozen=True, kw_only=True)
class Unlock:
    """Release a stuck plug."""

    #: None on OCPP 1.6 stations whose binding names only the connectorId.
    evse: int | None
    connector: int
    kind: Literal["Unlock"] = "Unlock"


@dataclass(frozen=True, kw_only=True)
class AskAbilities:
    """Ask once after boot what reservations the station takes (1.6 GetConfiguration, 2.x GetVariables)."""

    kind: Literal["AskAbilities"] = "AskAbilities"


@dataclass(frozen=True, kw_only=True)
class Configure:
    """Set a configuration key (1.6 ChangeConfiguration) or a variable (2.x SetVariables)."""

    #: 1.6: the key's name. 2.x: "Component.Variable".
    key: str
    value: str
    kind: Literal["Configure"] = "Configure"


@dataclass(frozen=True, kw_only=True)
class AskTransaction:
    """Ask whether a transaction is going on (2.x GetTransactionStatus; 1.6 cannot say it)."""

    transaction_id: str
    kind: Literal["AskTransaction"] = "AskTransaction"


@dataclass(frozen=True, kw_only=True)
class AskStatus:
    """Have the present status of a connector told (TriggerMessage); it comes as a message of its own."""

    #: On 2.x both are 1 where they are not known (F06 wants both said).
    evse: int | None = None
    connector: int | None = None
    kind: Literal["AskStatus"] = "AskStatus"


@dataclass(frozen=True, kw_only=True)
class AskBoot:
    """Have BootNotification sent again (TriggerMessage); a 2.x station that is accepted rejects it (F06.FR.17)."""

    kind: Literal["AskBoot"] = "AskBoot"


Order = (
    ReserveNow
    | CancelReservation
    | RequestStart
    | RequestStop
    | Unlock
    | AskAbilities
    | Configure
    | AskTransaction
    | AskStatus
    | AskBoot
)

#: How an order is written down: ``ORDER.dump_python(order, mode="json")``, and read: ``ORDER.validate_python``.
ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="kind")])
