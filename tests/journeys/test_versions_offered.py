"""The versions module: what is advertised exists, and what exists is advertised."""

import pytest

from ocpi.dialects import DIALECTS
from ocpi.versions import ModuleID, Version, VersionDetails
from tests.support.gateway import Gateway

OCPI = tuple(DIALECTS)
ROOTS = ("/ocpi/cpo/{version}/{module}", "/ocpi/{version}/{module}")


@pytest.fixture
async def emsp(gateway: Gateway):
    gateway.cpo()
    async with gateway.emsp() as client:
        yield client


def path(emsp, url: str) -> str:
    assert url.startswith(f"{emsp.api}/")
    return url.removeprefix(emsp.api)


async def test_rule_80_rule_81_the_versions_are_two_and_each_leads_to_its_details(emsp):
    told = await emsp.get("/ocpi/versions")
    assert (told.http, told.code) == (200, 1000)
    listed = [Version.model_validate(one) for one in told.json["data"]]
    assert [one.wire() for one in listed] == told.json["data"]
    assert {one.version for one in listed} == set(OCPI) == {"2.2", "2.2.1"}
    for one in listed:
        details = await emsp.get(path(emsp, one.url))
        assert details.json["data"]["version"] == one.version


@pytest.mark.parametrize("version", OCPI)
async def test_rule_82_the_details_are_those_of_the_version_and_say_nothing_else(emsp, version):
    told = await emsp.get(f"/ocpi/{version}")
    details = VersionDetails.model_validate(told.json["data"])
    assert details.wire() == told.json["data"]
    assert details.version == version
    assert {one.identifier for one in details.endpoints} <= set(ModuleID)
    assert [(one.role, one.url) for one in details.endpoints if one.identifier is ModuleID.COMMANDS] == [
        ("RECEIVER", f"{emsp.api}/ocpi/cpo/{version}/commands")
    ]
    # STOP_SESSION names a Session, so the eMSP must have a way to it (rule 171).
    assert [one.role for one in details.endpoints if one.identifier is ModuleID.SESSIONS] == ["SENDER"]


@pytest.mark.parametrize("version", OCPI)
async def test_rule_171_every_advertised_endpoint_answers_in_its_version(emsp, version):
    details = VersionDetails.model_validate((await emsp.get(f"/ocpi/{version}")).json["data"])
    for endpoint in details.endpoints:
        assert f"/{version}/" in endpoint.url
        if endpoint.identifier is ModuleID.COMMANDS:
            for command in DIALECTS[version].commands:
                told = await emsp.ask("POST", f"{path(emsp, endpoint.url)}/{command}", {})
                assert (told.http, told.code) == (200, 2001)
        elif endpoint.identifier is ModuleID.TOKENS:
            mine = f"{emsp.party.country_code}/{emsp.party.party_id}/NONE"
            told = await emsp.get(f"{path(emsp, endpoint.url)}/{mine}")
            assert (told.http, told.code) == (404, 2004)
        else:
            # Objects are pushed to, and asked for, below a Receiver's endpoint.
            answers = (200, 405) if endpoint.role == "SENDER" else (404,)
            assert (await emsp.get(path(emsp, endpoint.url))).http in answers


@pytest.mark.parametrize("version", OCPI)
async def test_no_module_is_there_that_is_not_advertised(emsp, version):
    details = VersionDetails.model_validate((await emsp.get(f"/ocpi/{version}")).json["data"])
    advertised = {one.identifier for one in details.endpoints}
    for module in set(ModuleID) - advertised:
        for root in ROOTS:
            assert (await emsp.get(root.format(version=version, module=module))).http == 404
