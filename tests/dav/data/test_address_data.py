"""`address-data` (RFC 6352 §10.4)."""

import pytest

from calsync.dav.data import address_data
from calsync.webdav.errors import Forbidden
from calsync.webdav.requests import AddressData

CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u\r\nFN:Jane\r\nN:;Jane;;;\r\nitem1.TEL;TYPE=PREF:1\r\nEND:VCARD\r\n"


@pytest.mark.parametrize("version", ["", "3.0"])
def test_the_version_it_is_stored_in_is_given_verbatim(version: str) -> None:
    assert address_data.render(b"\xef\xbb\xbf" + CARD, AddressData(version=version)) == b"\xef\xbb\xbf" + CARD


def test_another_version_in_part() -> None:
    wanted = AddressData(version="4.0", props=(("TEL", False), ("FN", True)))
    given = address_data.render(CARD, wanted)
    assert given == b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:\r\nitem1.TEL;PREF=1:1\r\nEND:VCARD\r\n"


def test_a_list_of_cards_is_given_as_it_is() -> None:
    # clients.md 35
    octets = b"BEGIN:VLIST\r\nUID:l\r\nFN:all\r\nCARD;FN=a:b.vcf\r\nEND:VLIST\r\n"
    assert address_data.render(octets, AddressData(version="4.0", props=(("FN", False),))) == octets


@pytest.mark.parametrize(
    "wanted", [AddressData(version="2.1"), AddressData(content_type="application/vcard+json"), AddressData(version="5")]
)
def test_what_cannot_be_made_is_refused_beforehand(wanted: AddressData) -> None:
    with pytest.raises(Forbidden) as caught:
        address_data.check(wanted)
    assert caught.value.condition == "{urn:ietf:params:xml:ns:carddav}supported-address-data-conversion"


@pytest.mark.parametrize("content_type", ["text/vcard", "Text/vCard; charset=utf-8", "text/x-vcard"])
def test_names_of_the_type_that_clients_send(content_type: str) -> None:
    address_data.check(AddressData(content_type=content_type, version="4.0"))
