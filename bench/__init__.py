"""Figures that the README quotes, one command each (`scripts/bench`)."""
