"""Exit with status 0 if the application in this container is ready (/readyz returns 200), else with 1.

Arguments name the application (`provider`, `dashboard`); without one, both are tried, because a container runs one.
"""

import http.client
import os
import sys

PORTS = {
    "provider": int(os.environ.get("PROVIDER_PORT") or 9000),
    "dashboard": int(os.environ.get("DASHBOARD_PORT") or 8000),
}


def is_ready(port: int) -> bool:
    """Return whether the application on this loopback port returns 200 within 3 seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    applications = sys.argv[1:] or list(PORTS)
    sys.exit(not any(is_ready(PORTS[application]) for application in applications))
