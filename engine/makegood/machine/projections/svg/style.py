"""The look: system fonts, one colour for each meaning of money, a light and a dark dress."""

from makegood.machine.projections.svg.place import LABEL_SIZE, NAME_SIZE, NOTE_SIZE
from makegood.machine.spec import Money

#: Class of what a coverage report has found unvisited; red is kept for it.
UNVISITED = "unvisited"

# Told apart by brightness too, and 4.5 : 1 or better against their ground; the word is always there.
_LIGHT = {
    Money.HOLD: "#9a5b00",
    Money.CAPTURE: "#1a7f37",
    Money.RELEASE: "#0b62c4",
    Money.POLICY: "#7a3fc0",
}
_DARK = {
    Money.HOLD: "#e3a63b",
    Money.CAPTURE: "#56c271",
    Money.RELEASE: "#6cb2ff",
    Money.POLICY: "#c49bff",
}


def style() -> str:
    """Return the style sheet, with a dress for those who prefer it dark."""
    shape = f"""\
text {{ font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
.name {{ font-size: {NAME_SIZE:g}px; font-weight: 600; }}
.note, .caption, .mark text {{ font-size: {NOTE_SIZE:g}px; }}
.label, .key {{ font-size: {LABEL_SIZE:g}px; }}
.heading {{ font-size: 15px; font-weight: 600; }}
.money {{ font-weight: 600; }}
.name, .note, .label, .mark text {{ text-anchor: middle; }}
.line {{ fill: none; stroke-width: 1.5; }}
.box {{ stroke-width: 1.25; }}
.inner {{ fill: none; }}"""
    dark = _dress("#0d1117", "#e6edf3", "#9da7b3", "#161b22", "#6e7681", "#8b949e", "#ff6b6b", _DARK)
    light = _dress("#ffffff", "#1f2328", "#59636e", "#f6f8fa", "#818b98", "#6e7781", "#d1242f", _LIGHT)
    return f"{shape}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


def _dress(
    ground: str, ink: str, faint: str, box: str, rim: str, line: str, red: str, money: dict[Money, str]
) -> str:
    rules = [
        f".ground {{ fill: {ground}; }}",
        f"text {{ fill: {ink}; }}",
        f".note, .caption, .key {{ fill: {faint}; }}",
        f".box {{ fill: {box}; stroke: {rim}; }}",
        f".line {{ stroke: {line}; }}",
        f".head {{ fill: {line}; }}",
        f".start {{ fill: {ink}; }}",
        f".mark rect {{ fill: {faint}; }}",
        f".mark text {{ fill: {ground}; }}",
    ]
    for kind, colour in [*((m.value, c) for m, c in money.items()), (UNVISITED, red)]:
        rules.append(f".line.{kind} {{ stroke: {colour}; }}")
        rules.append(f".head.{kind}, .money.{kind}, .label.{kind} {{ fill: {colour}; }}")
    return "\n".join(rules)
