"""Mutants."""


def living(say):
    return []
