"""The demonstration: simulated traffic with two attackers through a real fleet, watched until its verdict."""
