"""The tables, as SQLModel classes; hot paths speak SQLAlchemy Core to the same tables (``gateway.store.rows``)."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from gateway.domain.lifecycle import (
    LIVE,
    UNFINISHED,
    CallbackState,
    CommandState,
    PartnerState,
    ReservationState,
    SessionState,
)
from gateway.store.columns import Exact, Utc

_BIG = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up only an INTEGER PRIMARY KEY


def _id() -> Any:
    return Field(default=None, sa_column=Column(_BIG, primary_key=True, autoincrement=True))


def _at(*, optional: bool = False) -> Any:
    return Field(default=None, sa_type=Utc, nullable=optional)


def _json(*, optional: bool = False) -> Any:
    return Field(default=None, sa_type=JSON(none_as_null=True), nullable=optional)


def _ref(target: str, *, optional: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(_BIG, ForeignKey(target), nullable=optional, index=index))


def _exact(*, optional: bool = False) -> Any:
    return Field(default=None, sa_type=Exact, nullable=optional)


def _state(default: str) -> Any:
    return Field(default=default, max_length=12)


def _live(column: str) -> Any:
    states = ", ".join(f"'{state}'" for state in sorted(LIVE))
    return text(f"{column} IN ({states})")


def _current() -> Any:
    return text(f"{_live('state')} AND NOT superseded")


def _open() -> Any:
    return text("state <> 'CONCLUDED'")


def _running() -> Any:
    return text("state = 'ACTIVE'")


def _has(column: str) -> Any:
    return text(f"{column} IS NOT NULL")


def _pending() -> Any:
    return text("state = 'PENDING'")


def _unfinished() -> Any:
    states = ", ".join(f"'{state}'" for state in sorted(UNFINISHED))
    return text(f"state IN ({states})")


class Sequence(SQLModel, table=True):
    """Counters that never go back: reservation numbers, 1.6 transaction ids, remoteStartIds."""

    name: str = Field(primary_key=True, max_length=32)
    value: int = 0


class Cpo(SQLModel, table=True):
    """Our own CPO parties."""

    id: int | None = _id()
    country_code: str = Field(max_length=2)
    party_id: str = Field(max_length=3)
    key: str = Field(max_length=8, unique=True)
    name: str


class Partner(SQLModel, table=True):
    """A connection: one platform (an eMSP, or a hub with many behind it) and its pair of tokens."""

    id: int | None = _id()
    name: str
    #: The party that it speaks for when it names none; empty until it is registered.
    country_code: str = Field(max_length=2)
    party_id: str = Field(max_length=3)
    #: EMSP or HUB; all that it declared is in ``partner_party``.
    role: str = Field(max_length=8)
    #: OCPI version in which we call them.
    version: str = Field(max_length=8)
    #: The token we send them, sealed.
    token_out: str
    #: The one before, sealed, until they have shown that they know of the exchange.
    token_out_before: str | None = None
    token_out_encoding: str = Field(max_length=8)
    #: Their versions endpoint; None: they were added by hand.
    versions_url: str | None = Field(default=None, max_length=255)
    #: Hosts that a response_url of theirs may name; none: every one is refused.
    callback_hosts: list[str] = _json()
    #: Those of them that an operator named; the others come from the handshake, and go with the next one.
    registered_hosts: list[str] = _json()
    #: A hub's: any party may speak through it, also one that it has not told us of.
    open_parties: bool = False
    allow_unlock: bool = False
    #: Their Token objects may lack required fields.
    lenient_token: bool = False
    #: Their requests may lack routing headers where several parties could be meant.
    lenient_routing: bool = False
    #: They are called at URLs that end with a slash.
    trailing_slash: bool = False
    #: A Session or CDR that they could not be told is told again later, not only pulled.
    keep_pushing: bool = False
    #: They are asked about cards that no partner has told us of.
    authorize_unknown: bool = False
    #: False: only what ``partner_sight`` names.
    sees_all: bool = True
    state: str = _state(PartnerState.ACTIVE)
    #: Counts handshakes: of two at the same time one is done.
    revision: int = 0
    registered_at: datetime | None = _at(optional=True)
    created_at: datetime = _at()


class PartnerToken(SQLModel, table=True):
    """A token that a partner may show us. While tokens are exchanged several are good; the older ones end when a newer
    one was used. What is over is kept: no token is given to two.
    """

    __tablename__ = "partner_token"

    #: HMAC of the token.
    hash: str = Field(primary_key=True, max_length=64)
    partner: int = _ref("partner.id", index=True)
    #: The order in which a partner's were made.
    number: int
    #: ``gateway.domain.parties.Scope``.
    scope: str = Field(max_length=12)
    created_at: datetime = _at()
    #: First shown where that proves that the partner has it.
    used_at: datetime | None = _at(optional=True)
    #: From then on it opens nothing.
    expires_at: datetime | None = _at(optional=True)


class PartnerParty(SQLModel, table=True):
    """A party in a role that a partner speaks for: what its credentials declare."""

    __tablename__ = "partner_party"
    __table_args__ = (UniqueConstraint("partner", "key", "role"),)

    id: int | None = _id()
    partner: int = _ref("partner.id")
    country_code: str = Field(max_length=2)
    party_id: str = Field(max_length=3)
    key: str = Field(max_length=8)
    #: OCPI Role.
    role: str = Field(max_length=8)
    #: OCPI BusinessDetails; None: an operator added the party.
    business_details: dict[str, Any] | None = _json(optional=True)


class ClientInfo(SQLModel, table=True):
    """A party behind a hub, as the hub tells of it (mod_hub_client_info)."""

    __tablename__ = "client_info"
    __table_args__ = (UniqueConstraint("partner", "key", "role"),)

    id: int | None = _id()
    #: The hub.
    partner: int = _ref("partner.id")
    country_code: str = Field(max_length=2)
    party_id: str = Field(max_length=3)
    key: str = Field(max_length=8)
    #: OCPI Role and ConnectionStatus.
    role: str = Field(max_length=8)
    status: str = Field(max_length=12)
    last_updated: datetime = _at()
    told_at: datetime = _at()
    #: When the party asked us something though it was said to be away: then it is there.
    heard_at: datetime | None = _at(optional=True)


class TokenSync(SQLModel, table=True):
    """Where the pull of a partner's tokens stands (mod_tokens §Pull)."""

    __tablename__ = "token_sync"
    __table_args__ = (Index("token_sync_due", "due_at", sqlite_where=_has("due_at"), postgresql_where=_has("due_at")),)

    partner: int = Field(sa_column=Column(_BIG, ForeignKey("partner.id"), primary_key=True, autoincrement=False))
    #: The page to be read next, where the last one said that there are more; None: from the beginning.
    page: str | None = None
    #: When the pull that goes on began, and since when what it reads was changed (None: everything).
    began_at: datetime | None = _at(optional=True)
    since: datetime | None = _at(optional=True)
    #: When the last pull that was completed began.
    synced_at: datetime | None = _at(optional=True)
    #: When the sweeper pulls next; None: only when an operator says so.
    due_at: datetime | None = _at(optional=True)
    taken: int = 0
    skipped: int = 0
    error: str = ""


class PartnerEndpoint(SQLModel, table=True):
    """Where a connection is called for a module, as its version details say."""

    __tablename__ = "partner_endpoint"
    __table_args__ = (UniqueConstraint("partner", "identifier", "role"),)

    id: int | None = _id()
    partner: int = _ref("partner.id")
    #: OCPI ModuleID and InterfaceRole.
    identifier: str = Field(max_length=20)
    role: str = Field(max_length=8)
    url: str = Field(max_length=255)


class Location(SQLModel, table=True):
    """An OCPI Location as imported; what commands need of it stands in ``evse``, ``connector`` and ``binding``."""

    __table_args__ = (UniqueConstraint("cpo_id", "location_key"),)

    id: int | None = _id()
    cpo_id: int = _ref("cpo.id")
    location_id: str = Field(max_length=36)
    location_key: str = Field(max_length=36, index=True)
    #: With the EVSEs that left it; what moves (status, capabilities, last_updated) stands in ``evse``.
    body: dict[str, Any] = _json()
    #: Of what was imported; as partners are told it, it is not earlier than its EVSEs'.
    last_updated: datetime = _at()


class LocationNews(SQLModel, table=True):
    """Something changed at a Location of which partners have not been told yet: only added to, so nobody waits here."""

    __tablename__ = "location_news"

    id: int | None = _id()
    location: int = _ref("location.id")
    at: datetime = _at()


class PartnerSight(SQLModel, table=True):
    """A party of ours, or one Location, that a partner sees which does not see everything."""

    __tablename__ = "partner_sight"
    __table_args__ = (UniqueConstraint("partner", "cpo", "location"),)

    id: int | None = _id()
    partner: int = _ref("partner.id")
    cpo: int = _ref("cpo.id")
    #: None: all of the party's.
    location: int | None = _ref("location.id", optional=True)


class Evse(SQLModel, table=True):
    """An EVSE of a Location."""

    __table_args__ = (UniqueConstraint("location", "evse_key"),)

    id: int | None = _id()
    location: int = _ref("location.id")
    evse_uid: str = Field(max_length=36)
    evse_key: str = Field(max_length=36)
    #: As imported; and as partners are told them: those by which commands are judged, as things are.
    capabilities: list[str] = _json()
    offered: list[str] = _json()
    #: As imported; as its station told last; and as partners are told it.
    imported_status: str = Field(max_length=16)
    told_status: str | None = Field(default=None, max_length=16)
    status: str = Field(max_length=16)
    #: When its station last told of it; None: never.
    status_at: datetime | None = _at(optional=True)
    #: When what partners are told of it changed.
    last_updated: datetime = _at()
    #: When it was last chosen for a command that named no EVSE.
    chosen_at: datetime | None = _at(optional=True)


class Connector(SQLModel, table=True):
    """A connector of an EVSE."""

    __table_args__ = (UniqueConstraint("evse", "connector_key"),)

    id: int | None = _id()
    evse: int = _ref("evse.id")
    connector_id: str = Field(max_length=36)
    connector_key: str = Field(max_length=36)


class Station(SQLModel, table=True):
    """A charging station: who it is, and what it has told of itself."""

    __table_args__ = (
        Index("station_fading", "offline_at", sqlite_where=_has("offline_at"), postgresql_where=_has("offline_at")),
    )

    id: str = Field(primary_key=True, max_length=48)
    security_profile: int = 1
    password: str | None = None
    registration: str | None = Field(default=None, max_length=8)
    boot: dict[str, Any] | None = _json(optional=True)
    booted_at: datetime | None = _at(optional=True)
    #: Raw values of what was asked after boot; None: not answered yet.
    abilities: dict[str, Any] | None = _json(optional=True)
    subprotocol: str | None = Field(default=None, max_length=12)
    connected_at: datetime | None = _at(optional=True)
    disconnected_at: datetime | None = _at(optional=True)
    #: When one that is gone is shown to be gone; None: it is there, or was shown to be gone.
    offline_at: datetime | None = _at(optional=True)
    heard_at: datetime | None = _at(optional=True)
    #: Seconds that its clock is ahead of ours, where that is too much; it judges expiry by its own.
    clock_ahead: int | None = None


class Binding(SQLModel, table=True):
    """Which station, EVSE and connector an OCPI EVSE (or one connector of it) is: our own table, never a parsed uid."""

    __table_args__ = (UniqueConstraint("evse", "connector_key"),)

    id: int | None = _id()
    evse: int = _ref("evse.id")
    #: Empty: every connector of the EVSE that has no binding of its own.
    connector_key: str = Field(default="", max_length=36)
    station: str = Field(foreign_key="station.id", max_length=48, index=True)
    #: 2.x evseId; None on stations that have only connectorIds.
    station_evse: int | None = None
    #: 2.x connectorId; 1.6 connectorId.
    station_connector: int | None = None


class ConnectorStatus(SQLModel, table=True):
    """The newest status that a station told of one of its connectors."""

    __tablename__ = "connector_status"

    station: str = Field(primary_key=True, foreign_key="station.id", max_length=48)
    #: 0 on 1.6, where only connectors have numbers.
    evse: int = Field(primary_key=True)
    connector: int = Field(primary_key=True)
    status: str = Field(max_length=24)
    error: str = ""
    told_at: datetime = _at()


class Command(SQLModel, table=True):
    """A command: an eMSP's, or the house's own (no partner). Stations are asked in the order of the ids."""

    __table_args__ = (
        Index("command_open", "id", sqlite_where=_open(), postgresql_where=_open()),
        Index(
            "command_waiting", "station", "id",
            sqlite_where=_open(), postgresql_where=_open(),
        ),
        Index("command_asked", "partner", "request_id"),
        Index("command_of_session", "session", sqlite_where=_has("session"), postgresql_where=_has("session")),
    )  # fmt: skip

    id: int | None = _id()
    partner: int | None = _ref("partner.id", optional=True, index=True)
    type: str = Field(max_length=20)
    version: str = Field(default="", max_length=8)
    #: The two parties, as they were named; the gateway's own commands have none.
    from_country: str = Field(default="", max_length=2)
    from_party: str = Field(default="", max_length=3)
    to_country: str = Field(default="", max_length=2)
    to_party: str = Field(default="", max_length=3)
    request_id: str = Field(default="", max_length=128)
    correlation_id: str = Field(default="", max_length=128)
    #: Connection, from-party, X-Request-ID, command and body: the same again within a day is answered from this row.
    duplicate_key: str | None = Field(default=None, max_length=64, unique=True)
    body: dict[str, Any] = _json()
    response_url: str = Field(default="", max_length=255)
    #: What was answered at once.
    response: str = Field(default="", max_length=16)
    response_code: int = 1000
    response_text: str = ""

    station: str | None = Field(default=None, foreign_key="station.id", max_length=48)
    order: dict[str, Any] | None = _json(optional=True)
    reservation: int | None = _ref("reservation.id", optional=True, index=True)
    session: int | None = _ref("session.id", optional=True)

    state: str = _state(CommandState.RECEIVED)
    #: How it ended at the station (``ocpp_bridge.answers.Ending``), and the whole Answer.
    ending: str | None = Field(default=None, max_length=16)
    answer: dict[str, Any] | None = _json(optional=True)
    subprotocol: str | None = Field(default=None, max_length=12)
    #: CommandResultType, once concluded.
    result: str | None = Field(default=None, max_length=24)
    result_text: str = ""

    received_at: datetime = _at()
    dispatched_at: datetime | None = _at(optional=True)
    sent_at: datetime | None = _at(optional=True)
    answered_at: datetime | None = _at(optional=True)
    concluded_at: datetime | None = _at(optional=True)
    #: Until when the station may answer, and until when the eMSP was promised a result.
    deadline: datetime = _at()
    promised_until: datetime = _at()


class Callback(SQLModel, table=True):
    """A CommandResult that is owed to a response_url."""

    __table_args__ = (
        Index("callback_due", "due_at", sqlite_where=text("state = 'DUE'"), postgresql_where=text("state = 'DUE'")),
    )

    id: int | None = _id()
    command: int = _ref("command.id", index=True)
    partner: int = _ref("partner.id")
    url: str = Field(max_length=255)
    result: str = Field(max_length=24)
    result_text: str = ""
    state: str = _state(CallbackState.DUE)
    #: Since it was owed, or replayed: how long the next pause is.
    attempts: int = 0
    #: The next attempt; while one is in flight, when another may be made after all.
    due_at: datetime = _at()
    expires_at: datetime = _at()
    created_at: datetime = _at()
    ended_at: datetime | None = _at(optional=True)


class CallbackAttempt(SQLModel, table=True):
    """One POST of a callback."""

    __tablename__ = "callback_attempt"

    id: int | None = _id()
    callback: int = _ref("callback.id", index=True)
    at: datetime = _at()
    request_id: str = Field(max_length=36)
    http_status: int | None = None
    ocpi_status: int | None = None
    error: str = ""
    milliseconds: int = 0


class Reservation(SQLModel, table=True):
    """A reservation at a station: seed of everything that an accepted RESERVE_NOW promises."""

    __table_args__ = (
        UniqueConstraint("number", "station"),
        Index(
            "reservation_live_key", "partner", "party_key", "reservation_key",
            unique=True, sqlite_where=_current(), postgresql_where=_current(),
        ),
        Index("reservation_of_party", "partner", "party_key", "reservation_key"),
        Index("reservation_live_station", "station", sqlite_where=_live("state"), postgresql_where=_live("state")),
        Index("reservation_live_evse", "evse", sqlite_where=_live("state"), postgresql_where=_live("state")),
        Index("reservation_live_expiry", "expiry_date", sqlite_where=_live("state"), postgresql_where=_live("state")),
    )  # fmt: skip

    id: int | None = _id()
    #: What the station is told: from one sequence, int32, positive, never given to another.
    number: int
    #: None: the CPO's own, for its own app.
    partner: int | None = _ref("partner.id", optional=True)
    #: The eMSP's party, folded; on a hub's connection there are many.
    party_key: str = Field(max_length=8)
    reservation_id: str = Field(max_length=36)
    reservation_key: str = Field(max_length=36)
    location: int = _ref("location.id")
    evse: int | None = _ref("evse.id", optional=True)
    station: str = Field(foreign_key="station.id", max_length=48)
    station_evse: int | None = None
    station_connector: int | None = None
    connector_type: str | None = Field(default=None, max_length=20)
    id_token: str = Field(max_length=255)
    id_token_type: str = Field(max_length=20)
    group_id_token: str | None = Field(default=None, max_length=255)
    group_id_token_type: str | None = Field(default=None, max_length=20)
    expiry_date: datetime = _at()
    state: str = Field(default=ReservationState.PENDING, max_length=12)
    #: The party asked for it at another station since; here it is only waiting to be cancelled.
    superseded: bool = False
    #: The newest accepted RESERVE_NOW: its response_url hears of a cancellation by the CPO.
    command: int | None = Field(default=None, sa_column=Column(_BIG, nullable=True))
    #: When an unconfirmed one is cancelled at the station again.
    cleanup_at: datetime | None = _at(optional=True)
    #: When the station last confirmed that it holds it.
    confirmed_at: datetime | None = _at(optional=True)
    created_at: datetime = _at()
    updated_at: datetime = _at()


class TokenAlias(SQLModel, table=True):
    """Twenty characters that stand for an eMSP's token at every station."""

    __tablename__ = "token_alias"
    __table_args__ = (UniqueConstraint("owner", "uid_key"),)

    alias: str = Field(primary_key=True, max_length=20)
    #: Connection and party, folded: the same uid of another eMSP is another token.
    owner: str = Field(max_length=40)
    uid_key: str = Field(max_length=64)
    created_at: datetime = _at()


class Token(SQLModel, table=True):
    """A token that an eMSP has pushed, or that was pulled from it (mod_tokens); what commands bring is none of them."""

    __table_args__ = (
        UniqueConstraint("partner", "country_code", "party_id", "uid_key", "type"),
        Index("token_uid", "uid_key"),
    )

    id: int | None = _id()
    partner: int = _ref("partner.id")
    #: The eMSP that owns it, folded.
    country_code: str = Field(max_length=2)
    party_id: str = Field(max_length=3)
    uid_key: str = Field(max_length=36)
    type: str = Field(max_length=16)
    body: dict[str, Any] = _json()
    last_updated: datetime = _at()


class Authorization(SQLModel, table=True):
    """A token that an eMSP has authorised at a station: by a command that brought it there, or when it was asked."""

    #: A card can be brought by two eMSPs, whoever's it is: each has its own.
    __table_args__ = (UniqueConstraint("station", "token_key", "partner", "from_country", "from_party"),)

    id: int | None = _id()
    station: str = Field(foreign_key="station.id", max_length=48)
    #: What the station will present, folded.
    token_key: str = Field(max_length=255)
    group_id_token: str | None = Field(default=None, max_length=255)
    partner: int = _ref("partner.id")
    from_country: str = Field(max_length=2)
    from_party: str = Field(max_length=3)
    token: dict[str, Any] = _json()
    authorization_reference: str | None = Field(default=None, max_length=36)
    #: OCPI AuthMethod: COMMAND, or how the token was found good at the station.
    auth_method: str = Field(default="COMMAND", max_length=16)
    #: The command that brought it; None: nobody's.
    command: int | None = _ref("command.id", optional=True)
    #: The CPO party that it concerns.
    cpo: int | None = _ref("cpo.id", optional=True)
    #: The eMSP is not asked before this; None: never (APP_USER, AD_HOC_USER).
    until: datetime | None = _at(optional=True)


class Session(SQLModel, table=True):
    """An OCPI Session: a reservation, a start that was asked for, a charging transaction, one after the other.

    A transaction of somebody whom no partner sent is one too, and nobody is told of it.
    """

    __table_args__ = (
        UniqueConstraint("station", "transaction_id"),
        Index("session_running", "station", sqlite_where=_running(), postgresql_where=_running()),
        Index("session_unfinished", "station", sqlite_where=_unfinished(), postgresql_where=_unfinished()),
        Index("session_pending", "pending_until", sqlite_where=_pending(), postgresql_where=_pending()),
        Index("session_closing", "closes_at", sqlite_where=_has("closes_at"), postgresql_where=_has("closes_at")),
    )

    id: int | None = _id()
    session_id: str = Field(max_length=36, unique=True)
    #: None: a charge of somebody whom no partner sent.
    partner: int | None = _ref("partner.id", optional=True, index=True)
    from_country: str = Field(default="", max_length=2)
    from_party: str = Field(default="", max_length=3)
    cpo: int | None = _ref("cpo.id", optional=True)
    station: str = Field(foreign_key="station.id", max_length=48)
    #: None before the transaction. A station that says more than the 36 characters it may is understood all the same.
    transaction_id: str | None = Field(default=None, max_length=255)
    #: 1.6: recognises a repeated StartTransaction.
    start_key: str | None = Field(default=None, max_length=64, unique=True)
    station_evse: int | None = None
    station_connector: int | None = None
    location: int | None = _ref("location.id", optional=True)
    evse_uid: str = Field(default="#NA", max_length=36)
    connector_id: str = Field(default="#NA", max_length=36)
    #: How that place was called when the Session began there (OCPI CdrLocation), and the Location's time zone.
    cdr_location: dict[str, Any] | None = _json(optional=True)
    time_zone: str | None = Field(default=None, max_length=255)
    #: The START_SESSION (or RESERVE_NOW) behind it (no foreign key: commands refer to sessions too).
    command: int | None = Field(default=None, sa_column=Column(_BIG, nullable=True, index=True))
    reservation: int | None = _ref("reservation.id", optional=True, index=True)
    #: What the station was told, by which its transaction is known: 2.x says the number again, 1.6 the token.
    remote_start_id: int | None = None
    token_key: str | None = Field(default=None, max_length=255)
    group_key: str | None = Field(default=None, max_length=255)
    #: Until when a start that the station accepted may become a transaction.
    pending_until: datetime | None = _at(optional=True)
    cdr_token: dict[str, Any] | None = _json(optional=True)
    auth_method: str = Field(default="COMMAND", max_length=16)
    authorization_reference: str | None = Field(default=None, max_length=36)
    currency: str = Field(max_length=3)
    #: The OCPI Tariff that was in force when it began; an import changes no running price.
    tariff: dict[str, Any] | None = _json(optional=True)
    state: str = _state(SessionState.ACTIVE)
    start_date_time: datetime = _at()
    end_date_time: datetime | None = _at(optional=True)
    #: Its end was told while messages before it were missing: it is closed then whether they come or not.
    closes_at: datetime | None = _at(optional=True)
    #: The station refused to stop it: it is asked whether it still runs.
    doubted: bool = False
    kwh: Decimal = _exact()
    #: What ``kwh`` is made of (``gateway.domain.metering.Tally``); None: all messages are to be looked at.
    tally: dict[str, Any] | None = _json(optional=True)
    last_updated: datetime = _at()
    created_at: datetime = _at()


class TransactionEvent(SQLModel, table=True):
    """One message of a station about a transaction, once, however often and in whatever order it came."""

    __tablename__ = "transaction_event"
    __table_args__ = (UniqueConstraint("session", "key"),)

    id: int | None = _id()
    session: int = _ref("session.id")
    #: The same for the same message: 2.x its seqNo, 1.6 what it says.
    key: str = Field(max_length=80)
    #: 2.x seqNo.
    seq: int | None = None
    #: ``ocpp_bridge.events.Phase``.
    phase: str = Field(max_length=8)
    at: datetime = _at()
    trigger: str = Field(default="", max_length=40)
    charging_state: str = Field(default="", max_length=20)
    stopped_reason: str = Field(default="", max_length=30)
    offline: bool = False
    #: ``ocpp_bridge.events.READINGS``.
    readings: list[dict[str, Any]] = _json()
    noted_at: datetime = _at()


class Tariff(SQLModel, table=True):
    """An OCPI Tariff as imported."""

    __table_args__ = (UniqueConstraint("cpo", "tariff_key"),)

    id: int | None = _id()
    cpo: int = _ref("cpo.id")
    tariff_id: str = Field(max_length=36)
    tariff_key: str = Field(max_length=36)
    body: dict[str, Any] = _json()
    last_updated: datetime = _at()


class Cdr(SQLModel, table=True):
    """A CDR, which is never changed: a Credit CDR takes it back."""

    __table_args__ = (UniqueConstraint("cpo", "cdr_id"),)

    id: int | None = _id()
    cdr_id: str = Field(max_length=39)
    cpo: int = _ref("cpo.id")
    partner: int = _ref("partner.id", index=True)
    from_country: str = Field(max_length=2)
    from_party: str = Field(max_length=3)
    session: int = _ref("session.id", index=True)
    #: The CDR that this one takes back; each is taken back once.
    credits: int | None = Field(default=None, sa_column=Column(_BIG, ForeignKey("cdr.id"), nullable=True, unique=True))
    #: In the words of the newest version.
    body: dict[str, Any] = _json()
    last_updated: datetime = _at()
    created_at: datetime = _at()


class Push(SQLModel, table=True):
    """What a partner is to be told of one object of ours, and what it has been told."""

    __table_args__ = (
        UniqueConstraint("module", "object", "partner"),
        Index("push_due", "due_at", sqlite_where=_has("due_at"), postgresql_where=_has("due_at")),
    )

    id: int | None = _id()
    partner: int = _ref("partner.id")
    #: OCPI ModuleID: sessions (``object`` is session.id), cdrs (cdr.id) or locations (location.id).
    module: str = Field(max_length=12)
    object: int = Field(sa_column=Column(_BIG, nullable=False))
    #: The next message; None: nothing new to tell.
    due_at: datetime | None = _at(optional=True)
    #: A message is in flight; when another may be sent after all.
    held_until: datetime | None = _at(optional=True)
    #: Counts what was to be told: a change during a message is told in the next one.
    revision: int = 1
    #: The object as the partner has acknowledged it (of a Location, what tells changes); None: that is not certain.
    told: dict[str, Any] | None = _json(optional=True)
    #: Where the partner keeps a CDR (its answer's Location header).
    kept_at: str | None = Field(default=None, max_length=255)
    #: Since the last success.
    attempts: int = 0
    attempted_at: datetime | None = _at(optional=True)
    http_status: int | None = None
    ocpi_status: int | None = None
    error: str = ""
    created_at: datetime = _at()
