-- Two databases and their owners, made once when the volume is empty. Runs in psql as the superuser.
-- The passwords come from the environment of the container and stand in no file.
\set ON_ERROR_STOP on
\getenv provider_password POSTGRES_PROVIDER_PASSWORD
\getenv dashboard_password POSTGRES_DASHBOARD_PASSWORD

CREATE ROLE provider LOGIN PASSWORD :'provider_password';
CREATE ROLE dashboard LOGIN PASSWORD :'dashboard_password';

CREATE DATABASE provider OWNER provider;
CREATE DATABASE dashboard OWNER dashboard;

-- The dashboard never opens the provider's database, nor the other way round.
REVOKE CONNECT, TEMPORARY ON DATABASE provider FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE dashboard FROM PUBLIC;
