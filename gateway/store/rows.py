"""The same tables for SQLAlchemy Core: what hot paths read and write, several rows a statement."""

from sqlalchemy import Table
from sqlmodel import SQLModel

from gateway.store import tables

_TABLES = SQLModel.metadata.tables


def _table(model: type[SQLModel]) -> Table:
    return _TABLES[str(model.__tablename__)]


sequence = _table(tables.Sequence)
cpo = _table(tables.Cpo)
partner = _table(tables.Partner)
partner_token = _table(tables.PartnerToken)
partner_party = _table(tables.PartnerParty)
client_info = _table(tables.ClientInfo)
token_sync = _table(tables.TokenSync)
partner_endpoint = _table(tables.PartnerEndpoint)
location = _table(tables.Location)
location_news = _table(tables.LocationNews)
partner_sight = _table(tables.PartnerSight)
evse = _table(tables.Evse)
connector = _table(tables.Connector)
station = _table(tables.Station)
binding = _table(tables.Binding)
connector_status = _table(tables.ConnectorStatus)
command = _table(tables.Command)
callback = _table(tables.Callback)
callback_attempt = _table(tables.CallbackAttempt)
reservation = _table(tables.Reservation)
token_alias = _table(tables.TokenAlias)
token = _table(tables.Token)
authorization = _table(tables.Authorization)
session = _table(tables.Session)
transaction_event = _table(tables.TransactionEvent)
tariff = _table(tables.Tariff)
cdr = _table(tables.Cdr)
push = _table(tables.Push)
