"""Hotels that exist only as a seed: what they would book and cancel, without clock, network or storage."""

from provider.booking_events.simulation.events import BOOKING, CANCELLATION, FeedEvent, SimulatedEvent
from provider.booking_events.simulation.hotels import Character, Hotel
from provider.booking_events.simulation.live import Simulation

__all__ = ["BOOKING", "CANCELLATION", "Character", "FeedEvent", "Hotel", "SimulatedEvent", "Simulation"]
