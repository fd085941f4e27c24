"""The colours of a style sheet, and how well one can be read on another."""

import re


def palettes(style):
    """The colours by name of every ``:root`` of a style sheet, in its order."""
    return [
        {
            name: found if len(found) == 7 else "#" + "".join(2 * sign for sign in found[1:])
            for name, found in re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", root)
        }
        for root in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]


def contrast(one, other):
    """WCAG 2.1, 1.4.3: relative luminance of both colours."""

    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
