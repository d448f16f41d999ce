"""Hotels that exist only as a seed: what they would book and cancel, without clock, network or storage."""

from provider.simulated_hotels.events import BOOKING, CANCELLATION, FeedEvent, SimulatedEvent
from provider.simulated_hotels.hotels import Character, Hotel
from provider.simulated_hotels.live import Simulation

__all__ = ["BOOKING", "CANCELLATION", "Character", "FeedEvent", "Hotel", "SimulatedEvent", "Simulation"]
