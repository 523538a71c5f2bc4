#!/usr/bin/env python3
"""Removes a function from the project, as docs/removing-an-endpoint.md says.

Usage: tests/scratch/remove.py FUNCTION

It changes the working tree that it lies in. What is made from the rest (the
document, the diagrams, the snapshots) is yours to make anew.
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def edit(path, *changes):
    """Makes each change, of which none may find nothing to change."""
    file = ROOT / path
    text = file.read_text(encoding="utf-8")
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE | re.DOTALL)
        if count == 0:
            sys.exit(f"{path}: nothing matches {pattern!r}: is docs/removing-an-endpoint.md still true?")
    file.write_text(text, encoding="utf-8")


def drop_lines(path, pattern):
    """Drops the lines that match, if there are any."""
    file = ROOT / path
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not re.search(pattern, line)), encoding="utf-8")


def main(name):
    if not (ROOT / "functions" / name).is_dir():
        sys.exit(f"there is no functions/{name}")
    for folder in (f"functions/{name}", f"events/{name}", f"tests/snapshots/{name}"):
        shutil.rmtree(ROOT / folder, ignore_errors=True)

    edit("Cargo.toml", (rf'^{name} = \{{ path = .*?\n', ""), (rf'^"[^"\n]*" = "{name}"\n', ""))

    edit(
        "template.yaml",
        (rf"^  # -+ {name} --\n.*?(?=^  # -{{5,}} )", ""),
        # The one before it or the one after it stays with its comma.
        (rf"^( +FUNCTIONS: [^\n]*?)(?:\b{name},|,{name}\b)", r"\1"),
    )

    own = ROOT / f"tests/{name}.rs"
    if own.exists():
        own.unlink()
        edit("tests/Cargo.toml", (rf'^\[\[test\]\]\nname = "{name}"\npath = "{name}.rs"\n\n', ""))
    edit("tests/testbed/Cargo.toml", (rf"^{name}\.workspace = true\n", ""))
    drop_lines("tests/Cargo.toml", rf"^{name}\.workspace = true$")
    suite = ROOT / "tests/suite/src"
    if (suite / f"{name}.rs").exists():
        (suite / f"{name}.rs").unlink()
        edit(
            "tests/suite/src/lib.rs",
            (rf"^mod {name};\n", ""),
            (rf"^ +{name}::cases\(\),\n", ""),
        )
    edit(
        "tests/testbed/src/system.rs",
        (rf'^    "{name}",\n', ""),
        (rf'^ +"{name}" => [^\n]*\n', ""),
        (r"FUNCTIONS: \[&str; (\d+)\]", lambda found: f"FUNCTIONS: [&str; {int(found[1]) - 1}]"),
    )
    hostile = (ROOT / "tests/hostile.rs").read_text(encoding="utf-8")
    if re.search(rf"^fn {name}_", hostile, flags=re.MULTILINE):
        edit("tests/hostile.rs", (rf"^#\[test\]\nfn {name}_[^\n]*\n.*?^\}}\n\n?", ""))
    for test in sorted((ROOT / "tests").rglob("*.rs")):
        drop_lines(test.relative_to(ROOT), rf'^\s*\(?"/{name}\b')

    edit("xtask/openapi/Cargo.toml", (rf"^{name} = [^\n]*\n", ""))
    edit("xtask/openapi/src/lib.rs", (rf"^ +{name}::openapi::document\(\),\n", ""))
    drop_lines("functions/hello/src/index.html", rf'href="/{name}"')
    drop_lines("README.md", rf"^\| `[^|]*\| `{name}` \||^  http://[^ ]*/{name}$")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    main(sys.argv[1])
