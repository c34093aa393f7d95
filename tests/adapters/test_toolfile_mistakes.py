"""A mistake in a tool file is told with its place and what to do, before any job runs."""

from pathlib import Path

import pytest

from makegood.errors import DeclarationError
from makegood_adapters.toolfiles import load_tool

TOOL = Path(__file__).with_name("background_remover.toml").read_text()


def problems(folder: Path, text: str) -> list[str]:
    path = folder / "tool.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as refused:
        load_tool(path)
    assert refused.value.subject == str(path)
    return [str(problem) for problem in refused.value.problems]


NODE_1 = '{ node = "1", field = "image", file = "image" }'
NODE_2 = '{ node = "2", field = "value", input = "strength", if_given = true }'
APPS = "[[apps]]"
APP = 'app = "2031815099811368962"'

MISTAKES = {
    # keys and values
    "unknown key": ("pool =", "pol =", "pol: there is no key 'pol' here; did you mean 'pool'?"),
    "missing key": ('label = "Background remover"', "", "label: is missing; add it"),
    "wrong base": ("base@1", "base@2", "extends: no file here declares 'base@2'; did you mean 'base@1'?"),
    "number as text": ("version = 1", 'version = "1"', "version: must be a valid integer, not '1'"),
    "text as number": (APP, "app = 20", "apps #1.app: must be text in quotes, not 20"),
    "bad name": ("background_remover", "BG remover", "name: must be small letters, digits and _"),
    "negative price": ("price = 5", "price = -5", "price.default: must be greater than or equal to 0"),
    "price as text": ("price = 5", 'price = "5"', "price: must be a table of keys and values, not '5'"),
    "unknown price key": (
        "price = 5",
        "price = { defaults = 5 }",
        "price.defaults: there is no key 'defaults' here; did you mean 'default'?",
    ),
    "unknown limit": (
        APPS,
        "limits = 1\n[[apps]]",
        "inputs.mode.limits: there is no key 'limits' here; there is choices, default, kind, ",
    ),
    "limit of a final state": (
        APPS,
        "[limits]\nfailed_seconds = 1\n[[apps]]",
        "limits.failed_seconds: there is no key 'failed_seconds' here",
    ),
    "limit of nothing": (
        APPS,
        "[limits]\nrunning_seconds = 0\n[[apps]]",
        "limits.running_seconds: must be greater than 0, not 0",
    ),
    "limit without end": (
        APPS,
        "[limits]\nrunning_seconds = 99999999999\n[[apps]]",
        "limits.running_seconds: must be less than or equal to 2592000, not 99999999999",
    ),
    "unknown wire key": (
        APPS,
        '[wire]\ntabel = "x"\nfunction = "y"\n[[apps]]',
        "wire.tabel: there is no key 'tabel' here; did you mean 'table'?",
    ),
    "column without input": (
        APPS,
        '[wire]\ntable = "x"\nfunction = "y"\ncolumns = { url = "imag" }\n[[apps]]',
        "wire.columns.url: there is no input 'imag'; did you mean 'image'?",
    ),
    "two columns for one input": (
        APPS,
        '[wire]\ntable = "x"\nfunction = "y"\ncolumns = { a = "image", b = "image" }\n[[apps]]',
        "wire.columns.b: another column fills the input 'image' already",
    ),
    "row made twice": (
        APPS,
        '[wire]\ntable = "x"\nfunction = "y"\nmakes_row = true\n[[apps]]',
        "wire.makes_row: a call that is sent again, since its answer was lost, would be a second job",
    ),
    # inputs
    "no kind": (
        'kind = "image"',
        "",
        "inputs.image.kind: is missing; write one of image, video, audio, text",
    ),
    "unknown kind": (
        'kind = "image"',
        'kind = "imge"',
        "inputs.image.kind: there is no kind 'imge'; did you mean 'image'?",
    ),
    "key of another kind": (
        "min = 1",
        "choices = []\nmin = 1",
        "inputs.strength.choices: there is no key 'choices' here; there is default, kind, max, min, ",
    ),
    "unknown format": (
        'kind = "image"',
        'kind = "image"\nformats = ["gif"]',
        "inputs.image.formats #1: must be 'png', 'jpeg' or 'webp', not 'gif'",
    ),
    "too large": (
        'kind = "image"',
        'kind = "image"\nsize_max_bytes = 50_000_000',
        "inputs.image.size_max_bytes: must be less than or equal to 30000000, not 50000000",
    ),
    "range upside down": ("max = 3", "max = 0", "inputs.strength: min = 1 is above max = 0; exchange them"),
    "default outside the range": (
        "max = 3",
        "max = 3\ndefault = 4",
        "inputs.strength.default = 4 is not accepted: the range is 1 to 3",
    ),
    "default outside the choices": (
        'default = "soft"',
        'default = "sof"',
        'inputs.mode.default = "sof" is not accepted: the choices are soft, hard',
    ),
    "required with default": (
        'default = "soft"',
        'default = "soft"\nrequired = true',
        "inputs.mode: a required input never uses its default; remove one of the two",
    ),
    "choice twice": (
        '"hard"]',
        '"hard", "soft"]',
        'inputs.mode.choices: "soft" stands twice; remove one',
    ),
    "input hides a method": (
        "[inputs.mode]",
        "[inputs.model_dump]",
        "inputs.model_dump: 'model_dump' cannot name an input",
    ),
    # conditions
    "rule names an unknown input": (
        "price = 5",
        "price = { default = 5, rules = [{ credits = 9, when = { moed = 'hard' } }] }",
        "price.rules #1: there is no input 'moed'; did you mean 'mode'?",
    ),
    "value outside the choices": (
        "price = 5",
        "price = { default = 5, rules = [{ credits = 9, when = { mode = ['hard', 'hrad'] } }] }",
        'price.rules #1: mode = "hrad" can never be true: the choices are soft, hard',
    ),
    "value outside the range": (
        APP,
        f"{APP}\nwhen = {{ strength = 4 }}",
        "apps #1 (2031815099811368962): strength = 4 can never be true: the range is 1 to 3",
    ),
    "value of another type": (
        APP,
        f"{APP}\nwhen = {{ strength = true }}",
        "strength = true can never be true: the input is a number; write one without quotes",
    ),
    "fraction of a whole number": (
        APP,
        f"{APP}\nwhen = {{ strength = 1.5 }}",
        "strength = 1.5 can never be true: the input is a whole number",
    ),
    "image with a value": (
        APP,
        f"{APP}\nwhen = {{ image = 'a' }}",
        'image = "a" can never be true: an image is not compared',
    ),
    "missing though required": (
        APP,
        f"{APP}\nwhen = {{ image = {{ present = false }} }}",
        "image = { present = false } can never be true, the input is required; remove it",
    ),
    "missing though defaulted": (
        APP,
        f"{APP}\nwhen = {{ mode = {{ present = false }} }}",
        "mode = { present = false } can never be true, the input has a default; remove it",
    ),
    "empty when": (APP, f"{APP}\nwhen = {{}}", "apps #1.when: must be a table such as { category"),
    "when as text": (APP, f"{APP}\nwhen = 'mode'", "apps #1.when: must be a table such as { category"),
    "empty list": (APP, f"{APP}\nwhen = {{ mode = [] }}", "mode: an empty list can never hold"),
    "odd test": (
        APP,
        f"{APP}\nwhen = {{ mode = {{ above = 3 }} }}",
        "apps #1.when: mode: a table here is { present = true } or { present = false }",
    ),
    # apps and nodes
    "input without app": (
        APP,
        f"{APP}\nwhen = {{ mode = 'hard' }}",
        'apps: none takes mode = "soft"; add one that does, or leave `when` out of the last one',
    ),
    "other value without app": (
        APP,
        f"{APP}\nwhen = [{{ strength = [1, 2] }}, {{ strength = {{ present = false }} }}]",
        "apps: none takes strength = any other value; add one",
    ),
    "missing value without app": (
        APP,
        f"{APP}\nwhen = {{ strength = [1, 2, 3] }}",
        "apps: none takes strength = missing; add one",
    ),
    "app behind one that takes all": (
        APPS,
        f"[[apps]]\napp = '1'\nnodes = [{NODE_1}]\n[[apps]]",
        "apps #2 (2031815099811368962): can never be chosen, the entries before it take all it could",
    ),
    "price behind one that takes all": (
        "price = 5",
        "price = { default = 5, rules = [{ credits = 9, when = { mode = ['hard', 'soft'] } },"
        " { credits = 8, when = { mode = 'hard' } }] }",
        "price.rules #2: can never be chosen",
    ),
    "node that is never set": (
        APPS,
        f"[[apps]]\napp = '1'\nwhen = {{ mode = 'hard' }}\nnodes = [{NODE_1}, "
        "{ node = '3', field = 'a', constant = 1, when = { mode = 'soft' } }]\n[[apps]]",
        "apps #1 (1), node 3 a: its `when` never holds where this app runs; repair it",
    ),
    "unknown node key": (
        NODE_2,
        NODE_2.replace("input", "inputs"),
        "apps #1.nodes #2.inputs: there is no key 'inputs' here; did you mean 'input'?",
    ),
    "node of an unknown input": (
        NODE_2,
        NODE_2.replace('"strength"', '"strenth"'),
        "apps #1 (2031815099811368962), node 2 value: there is no input 'strenth'; did you mean 'strength'?",
    ),
    "node with two sources": (
        NODE_1,
        NODE_1.replace("}", ', constant = "x" }'),
        "the value comes from exactly one of input, file, address and constant, here is file and constant",
    ),
    "node without source": (
        NODE_2,
        '{ node = "2", field = "value" }',
        "the value comes from exactly one of input, file, address and constant, here is none of them",
    ),
    "image as input": (
        NODE_1,
        NODE_1.replace("file =", "input ="),
        "node 1 image: 'image' is an image; write file = \"image\"",
    ),
    "number as file": (
        NODE_2,
        NODE_2.replace("input =", "file ="),
        "node 2 value: 'strength' is not a file; write input = \"strength\"",
    ),
    "optional input undecided": (
        NODE_2,
        NODE_2.replace(", if_given = true", ""),
        "node 2 value: 'strength' may be missing; write if_given = true to leave the node out then",
    ),
    "default and if_given": (
        NODE_2,
        NODE_2.replace("if_given = true", "if_given = true, default = 1"),
        "node 2 value: default and if_given exclude each other",
    ),
    "default never used": (
        NODE_1,
        NODE_1.replace("}", ", if_given = true }"),
        "node 1 image: 'image' is never missing; remove default and if_given",
    ),
    "constant with default": (
        NODE_2,
        '{ node = "2", field = "value", constant = 1, default = 2 }',
        "node 2 value: a constant takes no default, if_given or at_most; remove them",
    ),
    "text cut": (
        NODE_2,
        '{ node = "2", field = "value", input = "mode", at_most = 3 }',
        "node 2 value: at_most is for numbers, and 'mode' is none; remove it",
    ),
    "node twice": (
        NODE_2,
        f"{NODE_2}, {NODE_2}",
        "apps #1 (2031815099811368962), node 2 value: is set twice; remove one",
    ),
    "no nodes": (NODE_1 + ",\n    " + NODE_2 + ",", "", "apps #1.nodes: is empty; fill it in"),
    # lists, cases, models
    "list without index": (
        'kind = "image"',
        'kind = "image"\ncount_max = 2',
        "node 1 image: 'image' is a list; write index = 0 for its first file",
    ),
    "index of no list": (
        NODE_1,
        NODE_1.replace("}", ", index = 0 }"),
        "node 1 image: index is for lists of files, and 'image' is none; remove it",
    ),
    "otherwise outside the choices": (
        'default = "soft"',
        'default = "soft"\notherwise = "sfot"',
        'inputs.mode.otherwise = "sfot" is not accepted: the choices are soft, hard',
    ),
    "needed though required": (
        'kind = "image"',
        "kind = 'image'\nneeded_when = { mode = 'hard' }",
        "inputs.image.needed_when: the input is required anyway; remove one of the two",
    ),
    "values without a choice": (
        NODE_2,
        '{ node = "2", field = "value", input = "mode", values = { soft = 1, hrad = 2 } }',
        "node 2 value: values must have one entry for each choice of 'mode'; look at hard, hrad",
    ),
    "model with nodes": (APP, 'model = "m"', "apps #1.nodes: a model has parameters; rename them"),
    "second try of another kind": (
        APPS,
        f"[[fallbacks]]\nworkflow = '1'\nnodes = [{NODE_1}]\n[[apps]]",
        "fallbacks: a second try is asked over the first, here are app and workflow",
    ),
    "content of no file": (
        APPS,
        '[wire]\ntable = "x"\nfunction = "y"\ncontent = { data = "mode" }\n[[apps]]',
        "wire.content.data: 'mode' is no single file, so it has no content; remove it",
    ),
    # the file itself
    "no equals sign": ("version = 1", "version 1", "not valid TOML, line 2, column 9: Expected '='"),
    "cut off": ("nodes = [\n", 'nodes = [\n    { node = "1", ', "not valid TOML, line "),
    "key twice": ("version = 1", "version = 1\nversion = 2", "not valid TOML, line 3, column "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_remedy(tmp_path: Path, mistake: str) -> None:
    old, new, sentence = MISTAKES[mistake]
    assert old in TOOL
    found = problems(tmp_path, TOOL.replace(old, new, 1))
    assert any(sentence in problem for problem in found), found
    assert not any(foreign in " ".join(found) for foreign in ("pydantic", "Tuple", "Input"))


def test_all_mistakes_of_one_kind_are_told_at_once(tmp_path: Path) -> None:
    text = TOOL.replace("pool =", "pol =").replace('kind = "image"', 'kind = "imge"')
    assert len(problems(tmp_path, text)) == 3


def test_rules_that_cannot_be_proved_are_refused(tmp_path: Path) -> None:
    many = "".join(f'[inputs.i{n}]\nkind = "integer"\nmin = 0\nmax = 9\n' for n in range(16))
    when = ", ".join(f"i{n} = 1" for n in range(16))
    text = TOOL.replace(APPS, f"{many}[[apps]]\napp = '1'\nwhen = {{ {when} }}\nnodes = [{NODE_1}]\n[[apps]]")
    assert "tell more than 20,000 situations apart" in problems(tmp_path, text)[0]


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "tool.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(DeclarationError, match="not UTF-8 text"):
        load_tool(tmp_path / "tool.toml")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"none\.toml cannot be used:\n.*cannot be read: No such file"):
        load_tool(tmp_path / "none.toml")


LINES = {
    2: ("version = 1", "version = one"),
    5: ("pool =", "pol ="),
    17: ('default = "soft"', 'default = "soft"\nrequired = true'),
    20: ('default = "soft"', 'default = "sof"'),
    23: (APPS, "[limits]\nrunning_seconds = 0\n[[apps]]"),
    26: ("if_given = true", "if_givn = true"),
}


@pytest.mark.parametrize("line", LINES)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, line: int) -> None:
    found = problems(tmp_path, TOOL.replace(*LINES[line], 1))
    assert any(problem.endswith(f" (tool.toml:{line})") for problem in found), found
