"""Evaluation protocols as pure computation: data in, figures out. See `agents.cli.evaluate`."""
