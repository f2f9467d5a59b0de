"""The host's packet filter, as far as Berthmaster owns a chain in it."""

from berthmaster.adapters.firewall.iptables import Iptables
from berthmaster.adapters.firewall.limit import Limit

__all__ = ["Iptables", "Limit"]
