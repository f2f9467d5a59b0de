"""`berth check`: everything that can be known to be wrong before a deploy, and its remedy.

One file for each group of the catalogue (`domain/checks.py`). A checker is

    async def check_things(facts: CheckFacts) -> list[Check]

made of answers of its own kinds (`checks.DEBUG.failed(...)`, `.ok`, `.note`, `.unknown`), and is
registered once, in `register.CHECKERS`. It changes nothing; what it raises becomes an answer.
"""
