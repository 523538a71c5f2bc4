#!/usr/bin/env python3
"""Adds a function to the project, as docs/adding-an-endpoint.md says.

Usage: tests/scratch/add.py FUNCTION

It changes the working tree that it lies in. The code is the how-to's own, so
that what stands there is known to work. What is made from the rest (the
document, the diagrams, the snapshots) is yours to make anew.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = "docs/adding-an-endpoint.md"


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def write(path, text):
    file = ROOT / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def edit(path, *changes):
    """Makes each change, of which none may find nothing to change."""
    text = read(path)
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE | re.DOTALL)
        if count == 0:
            sys.exit(f"{path}: nothing matches {pattern!r}: is {HOW_TO} still true?")
    write(path, text)


def code(name):
    """The code in the how-to: what becomes main.rs, and what becomes lib.rs."""
    blocks = re.findall(r"^ *```rust\n(.*?)^ *```", read(HOW_TO), flags=re.MULTILINE | re.DOTALL)
    if len(blocks) != 2:
        sys.exit(f"{HOW_TO} has {len(blocks)} blocks of code, and two are expected")
    blocks = ["\n".join(line[3:] for line in block.splitlines()) + "\n" for block in blocks]
    return [block.replace("parcels", name) for block in blocks]


def main(name):
    if not re.fullmatch(r"[a-z][a-z0-9]*", name):
        sys.exit(f"{name} is no name for a function: small letters and digits")
    if (ROOT / "functions" / name).exists():
        sys.exit(f"there is a functions/{name} already")
    title = name.capitalize()

    manifest = read("functions/hello/Cargo.toml").replace('"hello"', f'"{name}"')
    manifest = re.sub(r'^description = .*$', f'description = "GET /{name}: what is on its way."', manifest, flags=re.MULTILINE)
    write(f"functions/{name}/Cargo.toml", manifest)
    main_rs, lib_rs = code(name)
    write(f"functions/{name}/src/main.rs", main_rs)

    # The document: beside the handler, in a module, and in what gathers them.
    described = (
        '#[cfg_attr(feature = "openapi", utoipa::path(\n    get,\n'
        f'    path = "/{name}",\n    operation_id = "list{title}",\n    summary = "List {name}",\n'
        '    description = "What is on its way.",\n    responses(\n'
        '        (status = 200, description = "All of it.", body = Vec<String>),\n'
        "        chassis::openapi::Failures,\n    ),\n))]\nasync fn list("
    )
    lib_rs = lib_rs.replace("/// The routes of", '#[cfg(feature = "openapi")]\npub mod openapi;\n\n/// The routes of')
    write(f"functions/{name}/src/lib.rs", lib_rs.replace("async fn list(", described))
    document = read("functions/oscheck/src/openapi.rs").replace("oscheck", name)
    document = document.replace("crate::check", "crate::list").replace("The machine that a function runs on.", "What is on its way.")
    write(f"functions/{name}/src/openapi.rs", document)
    edit("xtask/openapi/Cargo.toml", (r"^(oscheck = [^\n]*\n)", rf'\1{name} = {{ workspace = true, features = ["openapi"] }}\n'))
    edit("xtask/openapi/src/lib.rs", (r"^( +)(oscheck::openapi::document\(\),\n)", rf"\1\2\1{name}::openapi::document(),\n"))

    edit(
        "Cargo.toml",
        (r"^(oscheck = \{ path = .*?\n)", rf'\1{name} = {{ path = "functions/{name}" }}\n'),
        (r'^("/oscheck" = "oscheck"\n)', rf'\1"/{name}" = "{name}"\n"/health/{name}" = "{name}"\n'),
    )

    section = re.search(r"^  # -+ hello --\n.*?(?=^  # -{5,} )", read("template.yaml"), flags=re.MULTILINE | re.DOTALL)
    if not section:
        sys.exit(f"template.yaml has no section of hello: is {HOW_TO} still true?")
    section = section[0].replace("Hello", title).replace("hello", name).replace("Path: /,", f"Path: /{name},")
    edit(
        "template.yaml",
        (r"^(  # -+ hello --\n)", lambda found: section + found[1]),
        (r"^( +FUNCTIONS: [^\n]*)", rf"\1,{name}"),
    )

    edit("tests/testbed/Cargo.toml", (r"^(oscheck\.workspace = true\n)", rf"\1{name}.workspace = true\n"))
    edit(
        "tests/testbed/src/system.rs",
        (r'^(    "oscheck",\n)', rf'\1    "{name}",\n'),
        (r'^( +)("oscheck" => [^\n]*\n)', rf'\1\2\1"{name}" => {name}::router().into_service(),\n'),
        (r"FUNCTIONS: \[&str; (\d+)\]", lambda found: f"FUNCTIONS: [&str; {int(found[1]) + 1}]"),
    )
    for case in ("get", "health"):
        event = read(f"events/hello/{case}.json").replace("/hello", f"/{name}")
        event = event.replace('"rawPath": "/"', f'"rawPath": "/{name}"').replace('"path": "/"', f'"path": "/{name}"')
        write(f"events/{name}/{case}.json", event)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    main(sys.argv[1])
