"""Schema changes that may be made twice: each looks first whether it is there already.

Django notes a migration as applied in the same transaction only when nothing was deferred; a migration that was killed
in between, or whose row was lost in a restore, is applied again. These operations then find their work done. They
differ from Django's in the database only, never in the state.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState


def has_table(editor: BaseDatabaseSchemaEditor, table: str) -> bool:
    """Say whether the current schema has the table; the search path may lead to another schema's."""
    return _has(editor, "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = %s", table)


def has_column(editor: BaseDatabaseSchemaEditor, table: str, column: str) -> bool:
    """Say whether a table of the current schema has the column."""
    return _has(
        editor,
        "SELECT 1 FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = %s AND column_name = %s",
        table,
        column,
    )


def has_index(editor: BaseDatabaseSchemaEditor, name: str) -> bool:
    """Say whether the current schema has an index of the name; a unique constraint is one too."""
    return _has(editor, "SELECT 1 FROM pg_indexes WHERE schemaname = current_schema() AND indexname = %s", name)


class CreateModel(migrations.CreateModel):
    """Create a table that is missing."""

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """See the module."""
        if not has_table(editor, to_state.apps.get_model(app_label, self.name)._meta.db_table):
            super().database_forwards(app_label, editor, from_state, to_state)


class AddField(migrations.AddField):
    """Add a column that is missing."""

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """See the module."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if not has_column(editor, model._meta.db_table, model._meta.get_field(self.name).column):
            super().database_forwards(app_label, editor, from_state, to_state)


class AddIndex(migrations.AddIndex):
    """Add an index that is missing."""

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """See the module."""
        if not has_index(editor, self.index.name):
            super().database_forwards(app_label, editor, from_state, to_state)


class RemoveIndex(migrations.RemoveIndex):
    """Remove an index that is there."""

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """See the module."""
        if has_index(editor, self.name):
            super().database_forwards(app_label, editor, from_state, to_state)


class AddConstraint(migrations.AddConstraint):
    """Add a unique constraint that is missing."""

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """See the module."""
        if not has_index(editor, self.constraint.name):
            super().database_forwards(app_label, editor, from_state, to_state)


def _has(editor: BaseDatabaseSchemaEditor, query: str, *values: str) -> bool:
    with editor.connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchone() is not None
