"""The host's packet filter, as far as Berthmaster owns a chain in it."""

from berthmaster.adapters.firewall.iptables import Iptables

__all__ = ["Iptables"]
