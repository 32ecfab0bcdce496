"""What the operator API is told: a model for every request's body."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ocpi.credentials import CredentialsToken
from ocpi.tokens import TokenType
from ocpi.types import DateTime, Text255


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable characters only")
    return text


_Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_one_line)]

Name = Annotated[Text255, Field(min_length=1)]
#: For the owner of a reservation (types §DisplayText).
Reason = Annotated[_Sentence, Field(max_length=512)]
#: mod_cdrs §CDR, remark.
Remark = Annotated[_Sentence, Field(max_length=255)]


class Asked(BaseModel):
    """A request's body; a field that it does not have is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DriverToken(Asked):
    """Of a driver of the CPO's own."""

    uid: Name
    type: TokenType = TokenType.APP_USER
    group: Name | None = None


class NewReservation(Asked):
    """Of an EVSE, of any with a type of connector, or, with neither, of any of a station."""

    location_id: Name
    evse_uid: Name | None = None
    connector_type: Annotated[Name, Field(max_length=20, description="OCPP 2.x ConnectorEnumType.")] | None = None
    token: DriverToken
    until: DateTime


class Cancellation(Asked):
    """Its owner is told why."""

    reason: Reason


class Variable(Asked):
    """What a variable is to be."""

    value: Annotated[str, Field(max_length=2500, pattern=r"^[^\x00]*$")]


class Correction(Asked):
    """`again`: a new CDR is made of what the station told."""

    reason: Remark
    again: bool = False


class Invited(Asked):
    """Who is to register with us; more than digits, which are ids."""

    name: Annotated[_Sentence, Field(max_length=100, pattern=r"[^0-9]")]
    again: bool = False


class Sought(Asked):
    """With whom we are to register, by the token that it has made."""

    versions_url: Annotated[str, Field(min_length=1, max_length=255)]
    token: CredentialsToken
    name: Annotated[_Sentence, Field(max_length=100, pattern=r"[^0-9]")] | None = None


class Pull(Asked):
    """`again`: all tokens, not only what has changed."""

    again: bool = False
