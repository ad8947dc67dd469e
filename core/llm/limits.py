"""Limits."""


class BudgetExhausted(Exception):
    pass


class Budget:
    def __init__(self, limit: float, spent: float = 0.0) -> None:
        pass
