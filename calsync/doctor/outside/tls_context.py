"""How TLS is spoken to look at it: as clients do, without belief in a certificate, or in one version alone."""

from __future__ import annotations

import ssl
import warnings


def usual(authorities: str = "", *, believed: bool = True) -> ssl.SSLContext:
    """TLS as clients do it; `authorities`: a file with further ones. Not `believed`: whatever certificate there is."""
    made = ssl.create_default_context()
    if authorities:
        made.load_verify_locations(authorities)
    if not believed:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_alpn_protocols(["http/1.1"])
    return made


def only(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A context that speaks one version, also one that is out of use."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version, made.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, version
        made.minimum_version = version
    if version < ssl.TLSVersion.TLSv1_2:
        made.set_ciphers("ALL:@SECLEVEL=0")
    return made
