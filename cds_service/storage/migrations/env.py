"""What Alembic runs: the migrations within the transaction that upgrade.py has begun."""

from alembic import context

from cds_service.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
