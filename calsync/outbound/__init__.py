"""HTTP that goes out, through one guard: what others write must not make the server ask its own network.

A URL may come from a user (a subscription), from a provider's metadata or from a redirect. Its host is resolved here,
each address is checked, and the connection goes to a checked address: a name that resolves to something else a moment
later (DNS rebinding) gains nothing. Loopback, private, link-local and other special addresses are refused unless the
configuration names their network (`[calsync] outbound_private`) or their host. Proxies and credentials from the
environment are not used. The size of an answer and the time that it takes are bounded.

`guard` asks, `addresses` says which are public, `connections` keeps and ends what is open.
"""

from calsync.outbound.addresses import Network, is_public
from calsync.outbound.connections import Connections
from calsync.outbound.guard import Broken, Fetched, Guard, OutboundError, Refused, guard_for

__all__ = [
    "Broken",
    "Connections",
    "Fetched",
    "Guard",
    "Network",
    "OutboundError",
    "Refused",
    "guard_for",
    "is_public",
]
