# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Who includes whom, against the table in docs/architecture.md.

The table is the one whose header row is "| folder | may include |"; a folder is a path prefix, the longest prefix wins,
a folder may always include itself, and "tests/" folders may include anything. adjacency_test.py [SOURCE_DIR]
"""

import pathlib
import re
import sys

ROOMS = ("api", "bpf", "modules", "server", "clients")
HEADER = re.compile(r"^\|\s*folder\s*\|\s*may include\s*\|", re.IGNORECASE)


def read_table(text):
    """{folder: [allowed prefixes]} of the table; empty when there is none."""
    table, inside = {}, False
    for line in text.splitlines():
        if HEADER.match(line):
            inside = True
        elif inside and line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not set(cells[0]) <= set("-: "):
                table[cells[0].strip("`")] = re.findall(r"`([^`]+)`", cells[1])
        elif inside:
            break
    return table


def under(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def expand(folder, source):
    """modules/* stands for each folder below modules/."""
    if not folder.endswith("/*"):
        return [folder]
    parent = folder[:-2]
    return [f"{parent}/{entry.name}" for entry in sorted((source / parent).iterdir()) if entry.is_dir()]


def violations(source, table):
    rules = {one: allowed for folder, allowed in table.items() for one in expand(folder, source)}
    for room in ROOMS:
        for path in sorted((source / room).rglob("*")):
            name = path.relative_to(source).as_posix()
            if path.suffix not in (".h", ".cc", ".c") or "/tests/" in name:
                continue
            owners = [folder for folder in rules if under(name, folder)]
            if not owners:
                yield f"{name}: no row of the table covers it"
                continue
            owner = max(owners, key=len)
            allowed = [owner, *(one for entry in rules[owner] for one in expand(entry, source))]
            for included in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(errors="replace"), re.MULTILINE):
                if included.split("/")[0] in ROOMS and not any(under(included, one) for one in allowed):
                    yield f"{name} includes {included}, which {owner} may not"


def main():
    source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    document = source / "docs" / "architecture.md"
    table = read_table(document.read_text()) if document.exists() else {}
    if not table:
        sys.exit(f"{document}: no table '| folder | may include |'")
    found = list(violations(source, table))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
