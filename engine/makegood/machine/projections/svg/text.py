"""How much room a text needs, whatever system font shows it."""

import unicodedata

# Thousandths of the font size, rounded up, of DejaVu Sans: of the fonts that a browser may take for a
# system font it is about the widest, so what has room in it has room in all of them.
_WIDTHS = {
    280: "'ijl",
    300: "IJ",
    320: " ,.",
    340: "/:;\\|·",
    360: "f",
    380: "-",
    400: "()[]t",
    420: "!r",
    500: '"*_`',
    540: "?sz",
    560: "Lc",
    580: "Fk",
    600: "vxy",
    640: "$0123456789ESPTYabdeghnopqu{}",
    700: "ABCKRVXZ",
    760: "HNU",
    800: "&DGOQ",
    840: "#+<=>^~w≤≥",
    880: "M",
    1000: "%@Wm",
}
_WIDTH = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
_OTHER, _EAST_ASIAN = 800, 1050
_BOLD = 1.14


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Return an upper bound of the width of *text* in pixels, set in *size* pixels."""
    thousandths = sum(_letter(letter) for letter in text)
    return thousandths * size * (_BOLD if bold else 1.0) / 1000


def _letter(letter: str) -> int:
    known = _WIDTH.get(letter)
    if known is not None:
        return known
    return _EAST_ASIAN if unicodedata.east_asian_width(letter) in "WF" else _OTHER
