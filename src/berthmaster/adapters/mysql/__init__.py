"""Restore points of MariaDB and MySQL, behind `ports.databases`."""

from berthmaster.adapters.mysql.dumps import MysqlDumps

__all__ = ["MysqlDumps"]
