"""report.py - the matrix as a table, and docs/interop.md made of it."""
import os

BEGIN, END = "<!-- made by ./run interop -->", "<!-- end -->"
MARKS = {"passed": "yes", "failed": "**no**", "not offered": "-"}


def columns(entries):
    seen = []
    for e in entries:
        if (e.peer, e.role) not in seen:
            seen.append((e.peer, e.role))
    return seen


def head(column):
    peer, role = column
    return peer if peer == "libtvl" else f"{peer} {role}"


def table(entries, cases, with_what=False):
    """Rows are cases, columns are peers; as Markdown, which also reads well on a terminal."""
    cols = columns(entries)
    by = {(e.peer, e.role, e.case): e for e in entries}
    rows = [["case"] + (["what happens"] if with_what else []) + [head(c) for c in cols]]
    for case in cases:
        row = [by.get((*c, case.name)) for c in cols]
        if any(row):
            rows.append([case.name] + ([case.what] if with_what else []) +
                        [MARKS[e.result] if e else "" for e in row])
    width = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(r, width)) + " |" for r in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
    return "\n".join(lines)


def notes(entries):
    lines = []
    for e in entries:
        if e.result == "not offered":
            lines.append(f"- {e.peer} as {e.role}, {e.case}: {e.note}")
    return "\n".join(lines)


def made(entries, cases, peers):
    versions = "\n".join(f"- {p.name}: {p.version()}" for p in peers
                         if any(e.peer == p.name for e in entries))
    return (f"{BEGIN}\n\nVersions:\n\n{versions}\n\n{table(entries, cases, with_what=True)}\n\n"
            f"`-`: not offered, because:\n\n{notes(entries)}\n\n{END}")


def keep_docs(how, root, entries, cases, peers):
    """Write the made part of docs/interop.md, or say whether it is as this run would write it."""
    path = os.path.join(root, "docs", "interop.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    new = before + made(entries, cases, peers) + after
    if how == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(new)
        return True
    if new != text:
        print("docs/interop.md is out of date; ./run interop --docs write")
    return new == text
