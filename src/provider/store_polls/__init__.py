"""Store polls: a stand-in for the hourly poll of a fleet of stores."""
