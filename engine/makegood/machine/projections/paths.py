"""Ways through a Spec: every simple way to an end, and few tours that together take every edge."""

from collections import deque
from collections.abc import Collection, Iterator

from makegood.machine.spec import Edge, Spec


def terminal_paths(spec: Spec) -> Iterator[tuple[Edge, ...]]:
    """Yield every way from the initial to a terminal state that meets no state twice.

    In the order of declaration, depth first. There may be very many of them; take what you need.
    """
    if spec.initial in spec.terminal:
        yield ()
        return
    path: list[Edge] = []
    choices = [iter(spec.leaving(spec.initial))]
    met = [spec.initial]
    while choices:
        edge = next(choices[-1], None)
        if edge is None:
            choices.pop()
            met.pop()
            if path:
                path.pop()
        elif edge.dest in spec.terminal:
            yield (*path, edge)
        elif edge.dest not in met:
            path.append(edge)
            met.append(edge.dest)
            choices.append(iter(spec.leaving(edge.dest)))


def tours(spec: Spec) -> list[tuple[Edge, ...]]:
    """Return tours from the initial state that together take every edge at least once.

    Each ends in a terminal state, if it can. A tour takes only one edge into a terminal state, so as many
    as there are of those are needed at least; few more are used, because what leads on is taken first.
    """
    todo = dict.fromkeys(e for e in spec.edges)
    found: list[tuple[Edge, ...]] = []
    while todo:
        tour: list[Edge] = []
        here = spec.initial
        while leg := _to_new_edge(spec, here, todo):
            tour += leg
            here = leg[-1].dest
            for edge in leg:
                todo.pop(edge, None)
        if not tour:
            raise ValueError(
                f"{spec.name}: {len(todo)} edges cannot be reached, the first is {next(iter(todo))}"
            )
        if here not in spec.terminal:
            tour += _shortest(spec, here, [e for e in spec.edges if e.dest in spec.terminal])
        found.append(tuple(tour))
    return found


def _to_new_edge(spec: Spec, here: str, todo: Collection[Edge]) -> list[Edge]:
    """Return the shortest way over a new edge that leads on, or, if there is none, into an end."""
    leads_on = [e for e in todo if e.dest not in spec.terminal]
    return _shortest(spec, here, leads_on) or _shortest(spec, here, todo)


def _shortest(spec: Spec, start: str, wanted: Collection[Edge]) -> list[Edge]:
    """Return the shortest way from *start* whose last edge is *wanted*; empty if there is none."""
    came_by: dict[str, Edge | None] = {start: None}
    queue = deque([start])
    while queue:
        for edge in spec.leaving(queue.popleft()):
            if edge in wanted:
                way = [edge]
                while back := came_by[way[0].source]:
                    way.insert(0, back)
                return way
            if edge.dest not in came_by:
                came_by[edge.dest] = edge
                queue.append(edge.dest)
    return []
