"""Run by Alembic: it brings the database of the connection it was handed to the newest form."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
with context.begin_transaction():
    context.run_migrations()
