"""How each mishap ended: read from what users were told and what the provider recorded."""

from typing import assert_never

from makegood_adapters.cli.demo.script import Mishap
from makegood_adapters.cli.demo.show import Ending, Show, Ticket
from makegood_adapters.runninghub.simulator import Task


def judge(show: Show, tasks: dict[str, list[Task]]) -> list[Ending]:
    """Return an ending for every mishap that was played; *tasks* are the provider's, by job id."""
    endings = [
        _judge_one(mishap, ticket, tasks.get(str(ticket.job_id), []))
        for mishap, ticket in sorted(show.mishaps.items(), key=lambda pair: list(Mishap).index(pair[0]))
    ]
    if show.restarts:
        left = sum(not t.over for t in show.tickets.values())
        endings.append(
            Ending(
                "the engine is killed with SIGKILL and started again", f"{left} jobs left behind", left == 0
            )
        )
    return endings


def _judge_one(mishap: Mishap, ticket: Ticket, tasks: list[Task]) -> Ending:
    money = f"captured {ticket.money.captured}, back {ticket.money.released}"
    outcome = f"{ticket.name} {ticket.state}, {money}"
    calls = len(tasks)
    match mishap:
        case Mishap.FAILURE:
            good = _refunded(ticket)
        case Mishap.TWO_WEBHOOKS:
            outcome += f"; webhooks delivered {sum(len([d for d in t.deliveries if d.ok]) for t in tasks)}"
            good = _settled(ticket)
        case Mishap.LOST_REPLY:
            outcome += f"; create calls {calls}"
            good = _settled(ticket) and calls == ticket.attempts
        case Mishap.LOST_WEBHOOK | Mishap.EARLY_WEBHOOK:
            good = _settled(ticket)
        case Mishap.CANCEL:
            outcome += f"; create calls {calls}"
            good = ticket.state == "cancelled" and ticket.money.released == ticket.price and not calls
        case Mishap.OTHER_PROGRAM:
            good = _refunded(ticket) and not calls
        case Mishap.LYING_BROWSER:
            succeeded = any(t.state == "SUCCESS" for t in tasks)
            good = (ticket.state == "completed") == succeeded and _settled(ticket)
        case _:
            assert_never(mishap)
    return Ending(mishap.value, outcome, good)


def _refunded(ticket: Ticket) -> bool:
    return ticket.state == "failed" and (ticket.money.captured, ticket.money.released) == (0, ticket.price)


def _settled(ticket: Ticket) -> bool:
    """Delivered and paid, or not delivered and all credits back; never both, never neither."""
    paid = (ticket.money.captured, ticket.money.released)
    return paid == ((ticket.price, 0) if ticket.state == "completed" else (0, ticket.price))
