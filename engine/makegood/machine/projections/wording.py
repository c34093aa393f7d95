"""The words that pictures and tables share: lengths of time, events with their money, what the signs mean."""

from makegood.machine.spec import Edge, Money

MONEY_MEANS = {
    Money.HOLD: "reserves the price",
    Money.CAPTURE: "spends it",
    Money.RELEASE: "gives all of it back",
    Money.POLICY: "spends what the cancellation policy says",
}


def duration(seconds: float) -> str:
    """Return a length of time in its largest units, such as `1 h 30 min`."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if count := int(seconds // size):
            parts.append(f"{count} {unit}")
            seconds -= count * size
    if seconds or not parts:
        parts.append(f"{seconds:g} s")
    return " ".join(parts)


def with_money(text: str, edge: Edge) -> str:
    """Return *text* with what *edge* does to the credits, such as `fail · release`."""
    return text if edge.money is Money.NONE else f"{text} · {edge.money.value}"


def pascal(name: str) -> str:
    """Return the name of a type in other languages: `image_batch` is `ImageBatch`."""
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"Job{joined}"
