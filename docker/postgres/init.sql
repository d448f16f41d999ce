-- Creates both databases and their owners. psql runs it once, as the superuser, when the volume is empty.
-- The passwords come from the environment of the container.
\set ON_ERROR_STOP on
\getenv provider_password POSTGRES_PROVIDER_PASSWORD
\getenv dashboard_password POSTGRES_DASHBOARD_PASSWORD

CREATE ROLE provider LOGIN PASSWORD :'provider_password';
CREATE ROLE dashboard LOGIN PASSWORD :'dashboard_password';

CREATE DATABASE provider OWNER provider;
CREATE DATABASE dashboard OWNER dashboard;

-- Neither application may open the other's database.
REVOKE CONNECT, TEMPORARY ON DATABASE provider FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE dashboard FROM PUBLIC;
