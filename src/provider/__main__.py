"""The provider's commands: serve, migrate, import, generate."""

import sys

from provider.commands import main

sys.exit(main())
