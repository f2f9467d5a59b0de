"""Executor, journal, lease and gate: effects in order, through ports; decides nothing about
policy.
"""
