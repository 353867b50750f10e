"""What crosses a boundary: events, findings, profiles, control messages, dead letters, topics, errors.

Imports msgspec, orjson and the standard library only. Everything else in Stillwatch may import this
package; it imports nothing of Stillwatch outside itself.
"""
