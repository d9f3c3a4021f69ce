"""The guard against a table of hostile links and against what the system itself would take for an address."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boothd.base.errors import BadAnswer
from boothd.base.guard import Guard, read_host

GUARD = Guard(("results.example.com", ".cdn.example.com", "xn--e1afmkfd.example", "127.0.0.1", "93.184.215.14", "::1"))
LAN = Guard(("192.168.1.20", "comfy.lan", "127.0.0.1", "::1"), frozenset({"http"}), frozenset({80, 8188}), private=True)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://results.example.com/a.png?sig=A%2Fb&x=1", "https://results.example.com/a.png?sig=A%2Fb&x=1"),
        ("HTTPS://Results.EXAMPLE.com./a", "https://results.example.com/a"),
        ("https://results.example.com:443", "https://results.example.com/"),
        ("https://results.example.com:0443/", "https://results.example.com/"),
        ("https://eu-1.cdn.example.com/?x", "https://eu-1.cdn.example.com/?x"),
        ("https://a.b.cdn.example.com/#part", "https://a.b.cdn.example.com/"),
        ("https://xn--e1afmkfd.example/", "https://xn--e1afmkfd.example/"),
        ("https://93.184.215.14/a", "https://93.184.215.14/a"),
        ("https://results.example.com/фото 1.png", "https://results.example.com/%D1%84%D0%BE%D1%82%D0%BE%201.png"),
        ("https://results.example.com/@x:1/\\evil", "https://results.example.com/@x:1/%5Cevil"),
    ],
)
def test_a_link_to_an_allowed_host_passes_in_one_spelling(url: str, sent: str) -> None:
    assert GUARD.check_url(url).url == sent


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "is not a web address"),
        ("/relative", "is not a web address"),
        ("results.example.com/a", "is not a web address"),
        ("https:results.example.com", "is not a web address"),
        (" https://results.example.com/", "is not a web address"),
        ("https://results.example.com/" + "a" * 9000, "is too long"),
        ("http://results.example.com/", "must begin with https"),
        ("file:///etc/passwd", "must begin with https"),
        ("ftp://results.example.com/", "must begin with https"),
        ("https://results.example.com/\r\nHost: x", "control characters"),
        ("https://results.exa\tmple.com/", "control characters"),
        ("https://results.example.com/\x00", "control characters"),
        ("https://results.example.com/\x85", "control characters"),
        ("https://results.example.com/\ud800", "control characters"),
        ("https://results.example.com@127.0.0.1/", "holds a user name"),
        ("https://user:word@results.example.com/", "holds a user name"),
        ("https://@results.example.com/", "holds a user name"),
        ("https:///a", "oddly spelt host"),
        ("https://:443/", "oddly spelt host"),
        ("https://results.example.com:/", "oddly spelt host"),
        ("https://results.example.com:44３/", "oddly spelt host"),
        ("https://results.example.com:123456/", "oddly spelt host"),
        ("https://results.example.com../", "oddly spelt host"),
        ("https://.cdn.example.com/", "oddly spelt host"),
        ("https://a..cdn.example.com/", "oddly spelt host"),
        ("https://-a.cdn.example.com/", "oddly spelt host"),
        ("https://results.example.com%2e/", "oddly spelt host"),
        ("https://results.example%2ecom/", "oddly spelt host"),
        ("https://results.example。com/", "oddly spelt host"),
        ("https://пример.example/", "oddly spelt host"),
        ("https://reſults.example.com/", "oddly spelt host"),
        ("https://127.0.0.1\\@results.example.com/", "holds a user name"),
        ("https://127.0.0.1\\.cdn.example.com/", "oddly spelt host"),
        ("https://2130706433/", "oddly spelt host"),
        ("https://0x7f000001/", "oddly spelt host"),
        ("https://0X7F.1/", "oddly spelt host"),
        ("https://0177.0.0.1/", "oddly spelt host"),
        ("https://127.1/", "oddly spelt host"),
        ("https://127.0.0.0x1/", "oddly spelt host"),
        ("https://１２７.0.0.1/", "oddly spelt host"),
        ("https://[::1%25lo]/", "oddly spelt host"),
        ("https://[127.0.0.1]/", "oddly spelt host"),
        ("https://[results.example.com]/", "oddly spelt host"),
        ("https://[::1/", "oddly spelt host"),
        ("https://::1/", "oddly spelt host"),
        ("https://evil.com/", "leads to evil.com, which is not an allowed host"),
        ("https://evil.com#@results.example.com/", "leads to evil.com, which is not an allowed host"),
        ("https://evil.com?results.example.com/", "leads to evil.com, which is not an allowed host"),
        ("https://cdn.example.com/", "not an allowed host"),
        ("https://evilcdn.example.com/", "not an allowed host"),
        ("https://results.example.com.evil.com/", "not an allowed host"),
        ("https://x.results.example.com/", "not an allowed host"),
        ("https://10.0.0.1/", "not an allowed host"),
        ("https://[::ffff:127.0.0.1]/", "not an allowed host"),
        ("https://results.example.com:22/", "port 22 of results.example.com"),
        ("https://127.0.0.1/", "leads to 127.0.0.1, a loopback address"),
        ("https://127.0.0.1./", "leads to 127.0.0.1, a loopback address"),
        ("https://[0:0::1]/", "leads to ::1, a loopback address"),
    ],
)
def test_any_other_link_is_refused(url: str, text: str) -> None:
    with pytest.raises(BadAnswer, match=text):
        GUARD.check_url(url)


def test_neither_errors_nor_targets_show_a_token() -> None:
    for url in ("https://evil.com/TOKEN?TOKEN#TOKEN", "ftp://x/TOKEN", "https://TOKEN@results.example.com/", "TOKEN"):
        with pytest.raises(BadAnswer) as caught:
            GUARD.check_url(url)
        assert "TOKEN" not in str(caught.value)
    assert "TOKEN" not in repr(GUARD.check_url("https://results.example.com/TOKEN?TOKEN"))


NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.1.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "2002:7f00:1::",
    "2002:5db8:d70e::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "fec0::1", "4000::1",
    "100::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::127.0.0.1",
    "64:ff9b::192.168.1.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8", "2606:4700::1%eth0", "localhost", "",
]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
    "100.127.255.255", "::1", "fc00::1", "fd12::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1",
]  # fmt: skip
PUBLIC = [
    "93.184.215.14", "8.8.8.8", "172.32.0.1", "100.128.0.1", "100.63.255.255", "2606:4700::1111", "2a00:1450::1",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("address", NEVER)
def test_no_guard_lets_these_pass(address: str) -> None:
    for guard in (GUARD, LAN):
        with pytest.raises(BadAnswer):
            guard.check_address(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_for_the_operators_own_servers(address: str) -> None:
    assert LAN.check_address(address) == ip_address(address)
    with pytest.raises(BadAnswer, match=r"a (loopback|private|shared \(carrier NAT\)) address"):
        GUARD.check_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert str(GUARD.check_address(address)) == str(ip_address(address))


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://192.168.1.20:8188/view?x=1", "http://192.168.1.20:8188/view?x=1"),
        ("http://comfy.lan/", "http://comfy.lan/"),
        ("http://[0::1]:8188/", "http://[::1]:8188/"),
    ],
)
def test_the_operators_own_servers_are_reached(url: str, sent: str) -> None:
    assert LAN.check_url(url).url == sent
    with pytest.raises(BadAnswer, match="not an allowed host"):
        LAN.check_url("http://192.168.1.21/")


@pytest.mark.parametrize("entry", ["", ".", "*.example.com", "Example.com", "a.com.", "a.com/x", "127.1", ".10.0.0.1"])
def test_a_host_that_could_never_match_is_no_configuration(entry: str) -> None:
    with pytest.raises(ValueError, match="is no host name"):
        Guard((entry,))


def test_other_schemes_are_no_configuration() -> None:
    with pytest.raises(ValueError, match="only https and http"):
        Guard((), frozenset({"ftp"}))


@pytest.mark.parametrize(
    ("location", "to"),
    [
        ("/b?c", "https://results.example.com/b?c"),
        ("b", "https://results.example.com/d/b"),
        ("?c", "https://results.example.com/d/a?c"),
        ("//x.cdn.example.com/b", "https://x.cdn.example.com/b"),
        ("https://x.cdn.example.com/b", "https://x.cdn.example.com/b"),
    ],
)
def test_a_redirect_is_followed_where_a_link_may_lead(location: str, to: str) -> None:
    assert GUARD.follow(GUARD.check_url("https://results.example.com/d/a?T"), location).url == to


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("//evil.com/", "evil.com, which is not an allowed host"),
        ("https://127.0.0.1/", "a loopback address"),
        ("https://[::1/", "redirects to a broken link"),
        ("ht\ntps://evil.com", "redirects to a broken link"),
        ("gopher://results.example.com/", "must begin with"),
        ("http://results.example.com/", "without encryption"),
    ],
)
def test_a_redirect_elsewhere_is_refused(location: str, text: str) -> None:
    guard = Guard(GUARD.hosts, frozenset({"https", "http"}))
    with pytest.raises(BadAnswer, match=text):
        guard.follow(guard.check_url("https://results.example.com/d/a?T"), location)


# --- against the system's own reading --------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.sampled_from([int(IPv4Address(a)) for a in (*NEVER, *PRIVATE) if a and a[0].isdigit() and ":" not in a]),
    st.integers(0, 2**32 - 1),
)


@st.composite
def ipv4_spellings(draw: st.DrawFn) -> str:
    """An IPv4 address as `inet_aton` reads it: 1 to 4 parts, each decimal, octal or hexadecimal."""
    number, parts = draw(NUMBERS), draw(st.integers(1, 4))
    values = [number >> (24 - 8 * i) & 0xFF for i in range(parts - 1)]
    values.append(number & ((1 << (32 - 8 * (parts - 1))) - 1))
    forms = [draw(st.sampled_from(["{}", "0{:o}", "0x{:x}", "0X{:X}", "000{:o}", "0x00{:x}"])) for _ in values]
    return ".".join(form.format(value) for form, value in zip(forms, values, strict=True))


@st.composite
def ipv6_spellings(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(["::ffff:", "64:ff9b::", "2002:", "::", "fe80::", "fd00::", "2001:0:1::", "2600::"]))
    inner = IPv4Address(draw(NUMBERS))
    high, low = divmod(int(inner), 1 << 16)
    text = f"{prefix}{inner}" if draw(st.booleans()) and prefix != "2002:" else f"{prefix}{high:x}:{low:x}"
    text = text + "::" if prefix == "2002:" else text
    if draw(st.booleans()):
        text = IPv6Address(text).exploded.upper()
    return draw(st.sampled_from(["{}", "[{}]", "[{}%lo]", "{}%1"])).format(text)


HOSTS = st.one_of(
    ipv4_spellings(), ipv6_spellings(), st.from_regex(r"\A[0-9a-fA-FxX:.\[\]%。１]{1,24}\Z"), st.text(max_size=20)
)


@given(HOSTS, st.sampled_from(["", "."]))
def test_no_private_address_passes_in_any_spelling_that_the_system_understands(host: str, end: str) -> None:
    read = read_host(host + end)
    if read is None:
        return
    name, address = read
    understood = _numeric(name)
    assert understood == ({address} if address is not None else set())  # a name is never secretly an address
    if address is None:
        return
    try:
        passed = Guard((name,)).check_address(address)
    except BadAnswer:
        return
    assert passed == address
    assert _is_public(address)


def _numeric(host: str) -> set[IPv4Address | IPv6Address]:
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return set()
    return {ip_address(address[0]) for *_, address in found}


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        low = IPv4Address(int(address) & 0xFFFFFFFF)
        if address.ipv4_mapped is not None or address.exploded.startswith("0064:ff9b:"):
            return _is_public(low)
        if address.sixtofour is not None or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


@given(st.one_of(NUMBERS.map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_what_passes_is_public_by_the_registries(address: IPv4Address | IPv6Address) -> None:
    try:
        GUARD.check_address(str(address))
    except BadAnswer:
        return
    assert _is_public(address)


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_text_is_either_taken_or_refused(text: str, rest: str) -> None:
    for url in (
        text,
        f"https://{text}",
        f"https://results.example.com/{text}",
        f"https://{text}.cdn.example.com{rest}",
    ):
        try:
            target = GUARD.check_url(url)
        except BadAnswer:
            continue
        assert target.url.isascii()
        assert target.url.isprintable()
        assert GUARD.check_url(target.url) == target
