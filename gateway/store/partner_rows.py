"""Rows of partners as everything above the store sees them."""

from gateway.domain.parties import Partner
from gateway.store.prepared import Row
from ocpi.headers import Encoding, Party


def read_partner(row: Row) -> Partner:
    """A row of the table, perhaps with others' columns beside it."""
    return Partner(
        id=row["id"],
        name=row["name"],
        party=read_party(row),
        role=row["role"],
        version=row["version"],
        token_out=row["token_out"],
        encoding=Encoding(row["token_out_encoding"]),
        callback_hosts=tuple(row["callback_hosts"]),
        allow_unlock=row["allow_unlock"],
        lenient_token=row["lenient_token"],
        keep_pushing=row["keep_pushing"],
        authorize_unknown=row["authorize_unknown"],
        sees_all=row["sees_all"],
        open_parties=row["open_parties"],
        lenient_routing=row["lenient_routing"],
        trailing_slash=row["trailing_slash"],
        versions_url=row["versions_url"],
        registered_hosts=tuple(row["registered_hosts"]),
        revision=row["revision"],
        state=row["state"],
    )


def read_party(row: Row) -> Party:
    """Of any row that names one."""
    return Party(row["country_code"], row["party_id"])
