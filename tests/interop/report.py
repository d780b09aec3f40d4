"""report.py - the matrix as a table, and docs/interop.md made of it."""
import os

MARKS = {"passed": "yes", "failed": "**no**", "not offered": "-"}
BY_HAND = ("picoquic",)  # built beside the project: a part of its own, kept while it is not there


def markers(peers):
    what = "./run interop" + (" with SVC_PICOQUIC" if peers == BY_HAND else "")
    return f"<!-- made by {what} -->", f"<!-- end of {what} -->"


def columns(entries):
    seen = []
    for e in entries:
        if (e.peer, e.role) not in seen:
            seen.append((e.peer, e.role))
    return seen


def head(column):
    peer, role = column
    return peer if peer == "libtvl" else f"{peer} {role}"


def cell(found):
    """`found`: the case without and with loss, either may be None."""
    marks = [MARKS[e.result] if e else "" for e in found]
    return "-" if marks == ["-", "-"] else " ".join(marks).strip()


def table(entries, cases, with_what=False):
    """Rows are cases, columns are peers; as Markdown, which also reads well on a terminal."""
    cols = columns(entries)
    by = {(e.peer, e.role, e.case, e.loss): e for e in entries}
    rows = [["case"] + (["what happens"] if with_what else []) + [head(c) for c in cols]]
    for case in cases:
        row = [[by.get((*c, case.name, loss)) for loss in (False, True)] for c in cols]
        if any(e for found in row for e in found):
            rows.append([case.name] + ([case.what] if with_what else []) + [cell(f) for f in row])
    width = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(text.ljust(w) for text, w in zip(r, width)) + " |" for r in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
    return "\n".join(lines)


def notes(entries):
    """Why not, each reason once."""
    by = {}
    for e in entries:
        if e.result == "not offered":
            cases = by.setdefault((e.peer, e.role, e.note), [])
            cases += [e.case] if e.case not in cases else []
    return "\n".join(f"- {peer} as {role}, {', '.join(cases)}: {note}"
                     for (peer, role, note), cases in by.items())


def made(entries, cases, peers):
    versions = "\n".join(f"- {p.name}: {p.version()}" for p in peers
                         if any(e.peer == p.name for e in entries))
    return (f"\n\nVersions:\n\n{versions}\n\n{table(entries, cases, with_what=True)}\n\n"
            f"`-`: not offered, because:\n\n{notes(entries)}\n\n")


def with_part(text, between, part):
    before, rest = text.split(between[0], 1)
    after = rest.split(between[1], 1)[1]
    return before + between[0] + part + between[1] + after


def keep_docs(how, root, entries, cases, peers):
    """Write the made parts of docs/interop.md, or say whether they are as this run would write
    them."""
    path = os.path.join(root, "docs", "interop.md")
    with open(path, encoding="utf-8") as f:
        text = new = f.read()
    packaged = [e for e in entries if e.peer not in BY_HAND]
    by_hand = [e for e in entries if e.peer in BY_HAND]
    new = with_part(new, markers(()), made(packaged, cases, peers))
    if by_hand:
        new = with_part(new, markers(BY_HAND), made(by_hand, cases, peers))
    if how == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(new)
        return True
    if new != text:
        print("docs/interop.md is out of date; ./run interop --docs write")
    return new == text
