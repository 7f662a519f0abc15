"""Where a request comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest


def of(request: HttpRequest) -> str | None:
    """Return the client's address: the entry that our own outermost proxy wrote, never one the client could invent."""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    count = settings.TRUSTED_PROXY_COUNT
    raw = hops[-count] if 0 < count <= len(hops) else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_address(raw))
    except ValueError:
        return None  # a unix socket has none


def is_within(address: str | None, networks: Iterable[str]) -> bool:
    """Tell whether an address lies in one of these networks; whoever has no address lies in none.

    An IPv4 address is the same one where a socket of both families writes it as ::ffff:203.0.113.5.
    """
    if address is None:
        return False
    where = _unmapped(ipaddress.ip_network(address)).network_address
    return any(where in _unmapped(ipaddress.ip_network(network, strict=False)) for network in networks)


def _unmapped(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    if isinstance(network, ipaddress.IPv4Network) or network.prefixlen < _MAPPED:
        return network
    mapped = network.network_address.ipv4_mapped
    return network if mapped is None else ipaddress.ip_network((mapped, network.prefixlen - _MAPPED))


_MAPPED = 96  # bits before the IPv4 address
