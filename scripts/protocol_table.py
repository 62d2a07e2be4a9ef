#!/usr/bin/env python3
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The README's protocol table, from the "table" of the modules' manifests.

    scripts/protocol_table.py           writes it between the two markers in README.md
    scripts/protocol_table.py --check   exits 1 when README.md has another
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- scripts/protocol_table.py: begin -->\n", "<!-- scripts/protocol_table.py: end -->\n"
COLUMNS = ("server", "client", "tls", "propagation", "tested_with")
HEAD = "| protocol | module | server | client | TLS | propagation | tested with |\n|---|---|---|---|---|---|---|\n"


def manifests():
    """Those that are part of the project: a folder somebody tries out is not."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "modules/*/manifest.json"], capture_output=True, text=True)
    paths = [ROOT / line for line in listed.stdout.splitlines()] or ROOT.glob("modules/*/manifest.json")
    return [json.loads(path.read_text()) for path in sorted(paths)]


def row(manifest):
    table, name = manifest["table"], manifest["name"]
    cells = [", ".join(cell) if isinstance(cell, list) else cell for cell in (table[column] for column in COLUMNS)]
    return f"| {table['protocol']} | [{name}](modules/{name}/README.md) | " + " | ".join(cells) + " |\n"


def with_table(text):
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + HEAD + "".join(map(row, manifests())) + END + after


def main():
    text = README.read_text()
    wanted = with_table(text)
    if sys.argv[1:] == ["--check"]:
        if text != wanted:
            sys.exit("README.md has another protocol table than the manifests: run scripts/protocol_table.py")
    else:
        README.write_text(wanted)


main()
