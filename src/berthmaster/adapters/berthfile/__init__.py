"""`berth.yaml` and the Compose files beside it: reading, checking, hashing and proposing.

Knows file formats and line numbers; decides nothing about deployments and never renders Compose
itself.
"""

from berthmaster.adapters.berthfile.schema import berth_schema, render_schema
from berthmaster.adapters.berthfile.specs import BerthfileSpecs

__all__ = ["BerthfileSpecs", "berth_schema", "render_schema"]
