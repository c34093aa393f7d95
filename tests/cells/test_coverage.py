"""No code of the table, and no knob of the simulator, is without a cell."""

from dataclasses import fields

from makegood_adapters.runninghub.codes import CODES
from makegood_adapters.runninghub.simulator import Faults, Habits
from tests.cells import test_create, test_reads, test_sites, test_tasks
from tests.cells.cell import Cell

CELLS: list[Cell] = [
    *test_create.CELLS,
    *test_reads.CELLS,
    *test_tasks.OUTCOMES,
    *test_tasks.SIGNALS,
    *test_tasks.INPUTS,
    *test_tasks.RESULTS,
    *test_tasks.CANCELS,
    *test_sites.CELLS,
]


def test_there_are_as_many_cells_as_the_table_and_the_knobs_need() -> None:
    names = [cell.what for cell in CELLS]
    assert len(set(names)) == len(names) >= 200


def test_every_code_of_the_table_refuses_a_create_call_in_some_cell() -> None:
    refused = {rule.faults.refuse for cell in CELLS for rule in cell.rules if rule.match.call == "create"} - {
        None
    }
    assert refused == set(CODES) - {"0"}  # 0 is no refusal


def test_every_fault_is_on_in_some_cell() -> None:
    on = {
        known.name
        for cell in CELLS
        for rule in cell.rules
        for known in fields(Faults)
        if getattr(rule.faults, known.name) != known.default
    }
    assert {known.name for known in fields(Faults)} - on == set()


def test_every_habit_is_on_in_some_cell() -> None:
    on = {
        known.name
        for cell in CELLS
        for known in fields(Habits)
        if getattr(cell.habits, known.name) != known.default
    }
    # Only workflows of exclusive keys have a personal queue; its refusal, 814, is a cell of its own.
    assert {known.name for known in fields(Habits)} - on == {"personal_queue_places"}
