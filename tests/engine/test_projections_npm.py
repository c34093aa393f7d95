"""What other tools make of the projections: tsc compiles the types, XState walks every edge."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from makegood.machine import Spec
from makegood.machine.projections import tours, typescript, xstate
from makegood.machine.projections.wording import pascal
from tests.engine.machines import LONG, SPECS
from tests.npm import npm

PACKAGES = ("xstate@5", "typescript@5")

WALK = """
import { createMachine, createActor, getNextSnapshot } from 'xstate';
import { readFileSync } from 'node:fs';
const told = JSON.parse(readFileSync(0, 'utf8')).map(({ config, events, tours }) => {
  const machine = createMachine(config);
  const moves = [];
  const final = [];
  for (const state of Object.keys(machine.states)) {
    if (machine.states[state].type === 'final') final.push(state);
    for (const event of events) {
      const next = getNextSnapshot(machine, machine.resolveState({ value: state }), { type: event });
      if (next.value !== state) moves.push([state, event, next.value]);
    }
  }
  const ends = tours.map((tour) => {
    const actor = createActor(machine).start();
    const begin = actor.getSnapshot().value;
    for (const type of tour) actor.send({ type });
    return [begin, actor.getSnapshot().value, actor.getSnapshot().status];
  });
  return { moves, final, ends };
});
console.log(JSON.stringify(told));
"""

USE = """
import {{ allowed, isTerminal, publicStatus }} from './machine';
import type {{ {name}Allowed, {name}Event, {name}Public, {name}State, {name}Terminal }} from './machine';

const begin: {name}State = "{initial}";
const event: {name}Event = "{event}";
const first: {name}Allowed["{initial}"] = "{event}";
const seen: {name}Public = publicStatus[begin];
const end: {name}Terminal = "{terminal}";
const none: readonly never[] = allowed[end];
if (isTerminal(begin)) {{ const over: {name}Terminal = begin; console.log(over); }}
// @ts-expect-error nothing is allowed in a terminal state
const late: {name}Allowed["{terminal}"] = "{event}";
// @ts-expect-error there is no such state
const lost: {name}State = "no_such_state";
// @ts-expect-error the initial state is not terminal
const early: {name}Terminal = "{initial}";
console.log(event, first, seen, none, late, lost, early);
"""


@pytest.fixture(scope="module")
def modules() -> Iterator[Path]:
    """Yield a folder in which the two packages are installed; it is gone afterwards."""
    with TemporaryDirectory(prefix="makegood-npm-") as folder:
        npm(Path(folder), "install", "--prefix", folder, *PACKAGES)
        yield Path(folder)


def test_xstate_takes_every_edge_and_no_other(modules: Path) -> None:
    (modules / "walk.mjs").write_text(WALK)
    asked = [
        {
            "config": xstate(spec),
            "events": spec.events,
            "tours": [[e.event for e in tour] for tour in tours(spec)],
        }
        for spec in SPECS
    ]
    told = subprocess.run(
        ["node", "walk.mjs"],
        cwd=modules,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    for spec, found in zip(SPECS, json.loads(told.stdout), strict=True):
        assert {tuple(move) for move in found["moves"]} == {(e.source, e.event, e.dest) for e in spec.edges}
        assert set(found["final"]) == spec.terminal
        for tour, (begin, end, status) in zip(tours(spec), found["ends"], strict=True):
            assert (begin, end) == (spec.initial, tour[-1].dest)
            assert status == ("done" if end in spec.terminal else "active")


def test_the_compiler_takes_the_types_and_sees_mistakes(modules: Path) -> None:
    for spec in SPECS[:8]:
        folder = modules / spec.name
        folder.mkdir()
        (folder / "machine.ts").write_text(typescript(spec))
        (folder / "use.ts").write_text(
            USE.format(
                name=pascal(spec.name),
                initial=spec.initial,
                event=spec.leaving(spec.initial)[0].event,
                terminal=sorted(spec.terminal)[0],
            )
        )
    told = subprocess.run(
        [
            *("node", "node_modules/typescript/bin/tsc", "--strict", "--noEmit", "--target", "es2022"),
            *(f"{spec.name}/use.ts" for spec in SPECS[:8]),
        ],
        cwd=modules,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_types_name_what_the_machine_has(spec: Spec) -> None:
    text, name = typescript(spec), pascal(spec.name)

    def union(kind: str) -> list[str]:
        [line] = [n for n in text.splitlines() if n.startswith(f"export type {name}{kind} = ")]
        return [json.loads(part) for part in line.split(" = ")[1].rstrip(";").split(" | ")]

    assert union("State") == [s.name for s in spec.states]
    assert union("Event") == list(spec.events)
    assert set(union("Terminal")) == spec.terminal
    for state in spec.states:
        events = " | ".join(json.dumps(e.event) for e in spec.leaving(state.name)) or "never"
        assert f"  {json.dumps(state.name)}: {events};" in text.splitlines()


def test_a_configuration_is_plain_json_and_carries_the_money_along() -> None:
    config = xstate(LONG)
    assert json.loads(json.dumps(config)) == config
    review = config["states"]["awaiting_review"]
    assert review["on"]["withdraw"] == {
        "target": "cancelled",
        "meta": {"money": "release", "permission": "jobs:withdraw"},
    }
    assert review["meta"] == {"public": "running", "holding": "held", "deadline_seconds": 172_800.0}
    assert config["states"]["transcoding"]["tags"] == ["slot"]
