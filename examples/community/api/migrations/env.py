"""Run by Alembic on the connection that `community.schema` opened and locked."""

from alembic import context

from community.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata)
context.run_migrations()
