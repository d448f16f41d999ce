"""Hotels that are simulated from a seed: their history, and their live bookings sent through POST /events."""
