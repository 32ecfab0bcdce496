"""Versions: lists and details, ours and those of the specification."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ocpi.envelope import Envelope
from ocpi.versions import Endpoint, InterfaceRole, ModuleID, Version, VersionDetails
from tests.ocpi.vectors import ours, specified

VERSIONS = ["2.2", "2.2.1"]
List = tuple[Version, ...]


def details(*endpoints: tuple[str, str, str]) -> VersionDetails:
    return VersionDetails.model_validate(
        {
            "version": "2.2.1",
            "endpoints": [dict(zip(("identifier", "role", "url"), each, strict=True)) for each in endpoints],
        }
    )


def test_rule_80_our_list_reads_and_writes_itself() -> None:
    assert Envelope[List].model_validate(ours("versions/list.json")).wire() == ours("versions/list.json")


@pytest.mark.parametrize("version", VERSIONS)
def test_rule_82_our_details_read_and_write_themselves(version: str) -> None:
    answer = ours(f"versions/{version}.details.cpo_gateway.json")
    read = Envelope[VersionDetails].model_validate(answer)
    assert read.wire() == answer
    assert read.data is not None
    commands = read.data.url(ModuleID.COMMANDS, InterfaceRole.RECEIVER)
    assert commands == f"https://gw.example.org/ocpi/cpo/{version}/commands"
    assert read.data.url(ModuleID.COMMANDS, InterfaceRole.SENDER) is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("versions_info_example", List),
        ("version_details_example", VersionDetails),
        ("version_details_example2", VersionDetails),
        ("transport_and_format_version_info_example", Envelope[List]),
        ("transport_and_format_version_details_example", Envelope[VersionDetails]),
    ],
)
def test_the_specifications_versions_read_and_write_themselves(version: str, name: str, kind: Any) -> None:
    example = specified(version, name)
    adapter = TypeAdapter[Any](kind)
    assert adapter.dump_python(adapter.validate_python(example), mode="json", exclude_defaults=True) == example


@pytest.mark.parametrize("role", InterfaceRole)
def test_rule_83_the_role_of_credentials_has_no_meaning(role: InterfaceRole) -> None:
    peer = details(("credentials", "RECEIVER", "https://a/credentials"))
    assert peer.url(ModuleID.CREDENTIALS, role) == "https://a/credentials"


def test_the_two_sides_of_a_module_are_told_apart() -> None:
    peer = details(("tokens", "RECEIVER", "https://a/cpo"), ("tokens", "SENDER", "https://a/emsp"))
    assert peer.url(ModuleID.TOKENS, InterfaceRole.SENDER) == "https://a/emsp"
    assert peer.url(ModuleID.SESSIONS, InterfaceRole.SENDER) is None


def test_rule_85_a_module_by_agreement_does_not_spoil_the_others() -> None:
    peer = details(("nltnm-tokens", "SENDER", "https://a/own"), ("tokens", "SENDER", "https://a/tokens"))
    assert [endpoint.identifier for endpoint in peer.endpoints] == ["nltnm-tokens", ModuleID.TOKENS]
    assert isinstance(peer.endpoints[1].identifier, ModuleID)


def test_details_have_an_endpoint_and_an_endpoint_has_a_role() -> None:
    with pytest.raises(ValidationError, match="endpoints"):
        details()
    with pytest.raises(ValidationError, match="role"):
        Endpoint.model_validate({"identifier": "tokens", "url": "https://a/tokens"})
