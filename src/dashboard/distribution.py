"""Where the tables of the dashboard are on a Citus cluster; docs/scaling.md says why."""

from common.db.distribution import Distribution

DISTRIBUTION = Distribution()
