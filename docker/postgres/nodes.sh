#!/bin/sh
# What a node of the Citus cluster needs besides init.sql: the extension in both databases, and the passwords with which
# it connects to the other nodes. The image runs it once, when the volume is empty.
set -eu
umask 077
printf '*:*:*:%s:%s\n' \
    postgres "$POSTGRES_PASSWORD" \
    provider "$POSTGRES_PROVIDER_PASSWORD" \
    dashboard "$POSTGRES_DASHBOARD_PASSWORD" > "$PGPASSFILE"
for database in provider dashboard; do
    psql --username postgres --dbname "$database" --set ON_ERROR_STOP=1 --command "CREATE EXTENSION citus"
done
