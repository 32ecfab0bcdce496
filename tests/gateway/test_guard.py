"""Which URLs of strangers the gateway calls."""

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.outgoing.addresses import forbidden_address
from gateway.outgoing.guard import UrlRefused, check_url
from gateway.outgoing.names import CheckedResolver, SystemResolver, check_resolved

HOSTS = ["emsp.example.com", "8.8.8.8", "[2606:4700::1111]", "192.168.1.5", "[fd00::5]", "169.254.169.254", "emsp_1"]


class ScriptedResolver(AbstractResolver):
    """A name service whose answers are written down: one list of addresses after the other, the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError(socket.EAI_NONAME, "no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=0,
            )
            for address in answer
        ]

    async def close(self) -> None: ...


class MuteResolver(AbstractResolver):
    """A name service that answers when it is allowed to."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer = asyncio.Event()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        await self.answer.wait()
        return []

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    "url",
    [
        "https://emsp.example.com/ocpi/callback/1",
        "https://EMSP.Example.COM:8443/ocpi?x=1&y=%20",
        "HTTPS://emsp.example.com",
        "https://emsp.example.com?id=1",
        "https://8.8.8.8/callback",
        "https://[2606:4700:0:0::1111]/callback",
        "https://emsp_1:443/path@with:at",
        "https://emsp.example.com/" + "a" * 230,
    ],
)
def test_a_plain_https_url_to_a_registered_host_may_be_called(url: str) -> None:
    check_url(url, hosts=HOSTS, allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/callback",
        "//emsp.example.com/",
        "https:emsp.example.com",
        "https:///callback",
        "http://emsp.example.com/",
        "ftp://emsp.example.com/",
        "file:///etc/passwd",
        "gopher://emsp.example.com/",
        " https://emsp.example.com/",
        "https://emsp.example.com/\n",
        "https://emsp.example.com/\r\nHost: other",
        "https://emsp.example.com/a b",
        "https://emsp.example.com/\u00e9",
        "https://emsp.example.com\u2024evil.com/",
        "https://emsp\u3002example.com/",
        "https://emsp.example.com/" + "a" * 231,
        "https://user@emsp.example.com/",
        "https://user:secret@emsp.example.com/",
        "https://emsp.example.com@evil.example/",
        "https://emsp.example.com:443@evil.example/",
        "https://evil.example#@emsp.example.com/",
        "https://emsp.example.com/#fragment",
        "https://emsp.example.com#",
        "https://evil.example\\@emsp.example.com/",
        "https://emsp.example.com\\.evil.example/",
        "https://evil.example/?https://emsp.example.com/",
        "https://emsp.example.com.evil.example/",
        "https://xemsp.example.com/",
        "https://example.com/",
        "https://emsp.example.com./",
        "https://emsp..example.com/",
        "https://.emsp.example.com/",
        "https://emsp%2eexample.com/",
        "https://%65msp.example.com/",
        "https://emsp.example.com:0/",
        "https://emsp.example.com:65536/",
        "https://emsp.example.com:99999999999/",
        "https://emsp.example.com:/",
        "https://emsp.example.com:80:80/",
        "https://emsp.example.com:-1/",
        "https://8.8.8.8./",
        "https://08.8.8.8/",
        "https://010.8.8.8/",
        "https://0x8.8.8.8/",
        "https://134744072/",
        "https://8.8.2056/",
        "https://8.8.8.8.8/",
        "https://192.168.1.5/",
        "https://[fd00::5]/",
        "https://[2606:4700::1111%25eth0]/",
        "https://[2606:4700::1111/",
        "https://2606:4700::1111/",
        "https://[::1]/",
        "https://[8.8.8.8]/x",
        "https://[v1.x]/",
    ],
)
def test_anything_but_a_plain_https_url_to_a_registered_host_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(url, hosts=HOSTS, allow_private=False)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
    ],
)
def test_a_registered_host_does_not_excuse_a_literal_address_inside(host: str) -> None:
    with pytest.raises(UrlRefused, match=r"not one that partners may name|Not a plain URL"):
        check_url(f"https://{host}/", hosts=[host], allow_private=False)


def test_without_a_registered_host_every_url_is_refused() -> None:
    with pytest.raises(UrlRefused, match=r"emsp\.example\.com is not registered"):
        check_url("https://emsp.example.com/", hosts=[], allow_private=True)


@pytest.mark.parametrize("url", ["http://emsp.example.com/", "http://192.168.1.5:9000/x", "https://[fd00:0::5]/"])
def test_allowing_private_callbacks_allows_http_and_private_addresses_of_registered_hosts(url: str) -> None:
    check_url(url, hosts=HOSTS, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://192.168.1.6/",
        "http://localhost/",
        "ftp://emsp.example.com/",
        "http://u@192.168.1.5/",
    ],
)
def test_allowing_private_callbacks_allows_nothing_else(url: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(url, hosts=HOSTS, allow_private=True)


def test_a_metadata_service_is_refused_even_where_private_callbacks_are_allowed() -> None:
    with pytest.raises(UrlRefused):
        check_url("http://169.254.169.254/latest/meta-data", hosts=HOSTS, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1111%1",
        "fec0::1",
        "ff02::1",
        "127.1",
        "localhost",
        "",
    ],
)
def test_an_address_inside_or_of_special_purpose_is_forbidden(address: str) -> None:
    assert forbidden_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.128.0.1",
        "172.32.0.1",
        "192.167.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_a_public_address_is_not_forbidden(address: str) -> None:
    assert not forbidden_address(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "::1", "fd12::1", "100.64.0.1", "::ffff:127.0.0.1"])
def test_private_addresses_are_allowed_where_the_setting_says_so(address: str) -> None:
    assert not forbidden_address(address, allow_private=True)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "fd00:ec2::254", "::"]
)
def test_some_addresses_are_forbidden_whatever_the_setting_says(address: str) -> None:
    assert forbidden_address(address, allow_private=True)


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["2606:4700::1111", "::1"]])
async def test_a_name_that_leads_inside_is_refused_when_the_command_comes_in(answer: list[str]) -> None:
    resolver = CheckedResolver(allow_private=False, resolver=ScriptedResolver(answer))
    with pytest.raises(UrlRefused, match=r"The name emsp\.example\.com leads"):
        await check_resolved("https://EMSP.example.com/callback", resolver, limit=30)
    await resolver.close()


@pytest.mark.parametrize("answer", [["8.8.8.8", "2606:4700::1111"], []])
async def test_a_public_name_and_an_unknown_one_are_not_refused_when_the_command_comes_in(answer: list[str]) -> None:
    resolver = CheckedResolver(allow_private=False, resolver=ScriptedResolver(answer))
    await check_resolved("https://emsp.example.com/callback", resolver, limit=30)
    await resolver.close()


async def test_a_mute_name_server_is_waited_for_once_and_refuses_nothing() -> None:
    mute = MuteResolver()
    resolver = CheckedResolver(allow_private=False, resolver=mute)
    for _ in range(3):
        await check_resolved("https://emsp.example.com/callback", resolver, limit=0.01)
    assert mute.asked == 1
    await resolver.close()


async def test_a_caller_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    mute = MuteResolver()
    resolver = CheckedResolver(allow_private=False, resolver=mute)
    impatient = asyncio.create_task(resolver.resolve("emsp.example.com"))
    patient = asyncio.create_task(resolver.resolve("emsp.example.com"))
    await asyncio.sleep(0)
    impatient.cancel()
    mute.answer.set()
    assert await patient == []
    assert mute.asked == 1
    await resolver.close()


async def test_an_answer_is_used_for_a_moment() -> None:
    scripted = ScriptedResolver(["8.8.8.8"], ["127.0.0.1"])
    resolver = CheckedResolver(allow_private=False, resolver=scripted)
    for port in (443, 8443):
        [found] = await resolver.resolve("emsp.example.com", port)
        assert (found["host"], found["port"]) == ("8.8.8.8", port)
    assert len(scripted.asked) == 1
    await resolver.close()


async def test_literal_addresses_are_not_asked_of_the_name_service() -> None:
    scripted = ScriptedResolver(["127.0.0.1"])
    resolver = CheckedResolver(allow_private=False, resolver=scripted)
    await check_resolved("https://8.8.8.8/", resolver)
    await check_resolved("https://[2606:4700::1111]/", resolver)
    assert scripted.asked == []
    await resolver.close()


async def test_the_machines_own_names_that_mean_itself_are_refused() -> None:
    resolver = CheckedResolver(allow_private=False, resolver=SystemResolver())
    with pytest.raises(UrlRefused):
        await check_resolved("https://localhost/", resolver, limit=30)
    await resolver.close()
