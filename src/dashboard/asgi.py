"""The application for servers that import it: one per worker process, configured by the environment."""

import os

from common.config import ConfigError, read_config
from common.telemetry.logging import configure_logging
from dashboard.app import create_app
from dashboard.config import Config

config = read_config(Config, os.environ)
if config.database_url is None:
    raise ConfigError("DASHBOARD_DATABASE_URL is not set")
configure_logging(level=config.log_level)
app = create_app(config, config.database_url)
