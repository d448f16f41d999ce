"""Hotels that exist only as a seed: what they would book and cancel, without clock, network or storage."""

from provider.simulated_hotels.events import BOOKING, CANCELLATION, FeedEvent, SimulatedEvent
from provider.simulated_hotels.hotels import Hotel, HotelProfile
from provider.simulated_hotels.simulation import Simulation

__all__ = ["BOOKING", "CANCELLATION", "FeedEvent", "Hotel", "HotelProfile", "SimulatedEvent", "Simulation"]
