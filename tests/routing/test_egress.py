import pytest

from routing.egress import EgressRefused, checked_address, refused, url_problem

METADATA = ["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"]
CARRIED = ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::169.254.169.254"]
PRIVATE = ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.1.1", "0.0.0.0", "::"]  # noqa: S104  # to be refused
PRIVATE += ["fe80::1", "fc00::1", "224.0.0.1", "240.0.0.1", "100.64.0.1", "ff02::1"]
PRIVATE += ["::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]


@pytest.mark.parametrize("address", [*METADATA, *CARRIED])
@pytest.mark.parametrize("is_operators", [True, False])
def test_metadata_is_refused_to_everybody(address: str, is_operators: bool) -> None:
    assert "metadata" in refused(address, ["0.0.0.0/0", "::/0"], is_operators=is_operators)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_address_is_refused(address: str) -> None:
    assert "TALLYGATE_EGRESS_ALLOW" in refused(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_address_of_the_operators_file_passes(address: str) -> None:
    assert refused(address, is_operators=True) == ""


def test_allowed_range_passes_and_its_neighbour_does_not() -> None:
    assert refused("10.0.0.9", ["10.0.0.0/24"]) == ""
    assert refused("::ffff:10.0.0.9", ["10.0.0.0/24"]) == ""
    assert refused("10.0.1.9", ["10.0.0.0/24"]) != ""


@pytest.mark.parametrize("address", ["160.79.104.10", "8.8.8.8", "2607:6bc0::10", "::ffff:8.8.8.8"])
def test_public_address_passes(address: str) -> None:
    assert refused(address) == ""


@pytest.mark.parametrize(
    "url",
    ["http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://[::1]:80/", "http://localhost:4000", "http://a.localhost",
     "https://metadata.google.internal/", "https://METADATA.google.internal./", "https://user:pw@example.com", "https://example.com?x=1",
     "https://example.com#x", "ftp://example.com", "https://", "//example.com", "https://example.com:99999", "http://0177.0.0.1"],
)  # fmt: skip
def test_url_typed_in_a_page_is_refused(url: str) -> None:
    assert url_problem(url)


def test_ordinary_url_passes() -> None:
    assert url_problem("https://api.anthropic.com") == ""
    assert url_problem("https://proxy.example.com:8443/anthropic") == ""


def test_operators_own_loopback_passes() -> None:
    assert url_problem("http://127.0.0.1:9000", is_operators=True) == ""
    assert url_problem("http://localhost:9000", is_operators=True) == ""


def test_name_with_one_private_address_is_refused() -> None:
    with pytest.raises(EgressRefused):
        checked_address(["8.8.8.8", "127.0.0.1"])


def test_name_without_address_is_refused() -> None:
    with pytest.raises(EgressRefused):
        checked_address([])
