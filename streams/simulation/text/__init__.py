"""Text of the simulated traffic, all of it made here by small grammars; nothing is quoted from anywhere.

Real prompt collections cannot ship with the program (licences, privacy, size). A grammar with a few
hundred phrases gives millions of distinct prompts, enough to exercise fingerprints and detectors; it is
no substitute for real text when detection quality is measured.
"""
