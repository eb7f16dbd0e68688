"""The README's table of figures, made from the JSON files that the benchmarks write: `python benchmarks/figures.py`."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- figures: made by benchmarks/figures.py -->", "<!-- end of figures -->"


def table() -> str:
    """Return the cases of all result files as Markdown."""
    lines = ["| measured | ours | peer | ratio |", "| --- | --- | --- | --- |"]
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        for name, case in json.loads(path.read_text())["cases"].items():
            unit = case["unit"]
            if not unit:  # what is held, of many kinds: for who reads the file
                continue
            lines.append(f"| `{path.stem}.py`: {name} | {case['ours']:.1f} {unit} | {case['peer']:.1f} {unit} | {case['ratio']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Put the table between its two marks in the README."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(START)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{START}\n\n{table()}\n\n{END}{after}")


if __name__ == "__main__":
    main()
