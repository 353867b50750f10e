"""Detection as pure stream computation: windows, sketches, detectors, planes, fusion, simulation.

No I/O, no asyncio, no wall clock, no global randomness: event time and seeds are arguments. The same
code runs in the fleet, in replay, in tuning and in tests.
"""
