"""Run by Alembic: migrate on the connection that the caller has opened."""

from alembic import context

from reconciler.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
