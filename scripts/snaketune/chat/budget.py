"""What a request may cost and whether that may still be spent."""

import asyncio

from snaketune.chat.ledger import Ledger, Spending, Spent
from snaketune.chat.wire import Usage
from snaketune.config.services import Endpoint, Price
from snaketune.errors import UserError


class BudgetReached(UserError):
    """The next call could exceed the endpoint's budget, so it was not made."""

    def __init__(self, name: str, spent: Spent, next_call: float, budget: float, currency: str):
        lost = f", of it up to {spent.unbilled:.6g} without a bill" if spent.unbilled else ""
        super().__init__(
            f"endpoint {name}: budget of {budget:.6g} {currency} reached: {spent.at_most:.6g} "
            f"spent{lost}, and the next call may cost {next_call:.6g}. It was not made; all "
            "answers are kept. Raise the budget and run again to go on."
        )


def cost(price: Price | None, usage: Usage) -> float | None:
    """Money for tokens; None without a price."""
    if price is None:
        return None
    tokens = usage.prompt_tokens * price.input + usage.completion_tokens * price.output
    return tokens / 1e6


class Budget:
    """Lets a request leave only if, at its worst, all spending stays within the budget."""

    def __init__(self, name: str, endpoint: Endpoint, ledger: Ledger):
        self.name, self.budget, self.price = name, endpoint.budget, endpoint.price
        self.currency = endpoint.price.currency if endpoint.price else None
        self.ledger = ledger
        self._spending = Spending(ledger.folder)
        self._under_way = 0
        self._bill = asyncio.Event()

    async def send(self, at_most: float | None, **facts) -> int:
        """Write a request into the ledger as sent, as soon as there is money for its worst case.

        While requests of this process are under way it waits for their bills.

        Returns:
            Its id in the ledger.

        Raises:
            BudgetReached: there is too little, and nothing under way could change that.
        """
        while True:
            number, spent = self._try(at_most, facts)
            if number is not None:
                self._under_way += 1
                return number
            if not self._under_way:
                raise BudgetReached(self.name, spent, at_most, self.budget, self.currency)
            self._bill.clear()
            await self._bill.wait()

    def _try(self, at_most: float | None, facts: dict) -> tuple[int | None, Spent]:
        if self.budget is None:
            return self.ledger.sent(self.name, self.currency, at_most, **facts), Spent()
        with self.ledger.locked():
            spent = self._spending.of(self.name, self.currency)
            if spent.at_most + at_most > self.budget:
                return None, spent
            return self.ledger.sent(self.name, self.currency, at_most, **facts), spent

    def settle(self, number: int, **facts) -> None:
        """Write how a request ended, and let those look again that wait for money."""
        self.ledger.settled(number, self.name, self.currency, **facts)
        self._under_way -= 1
        self._bill.set()
