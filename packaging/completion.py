#!/usr/bin/python3
"""completion.py bash|zsh PROGRAM OUT - completion of a program's options, out of its --help.

Where an option takes one of a few words, the program is asked for them with a word that is none:
its complaint lists what there is ("takes a, b or c, not", "there are: a b c").
"""
import os
import re
import subprocess
import sys
import tempfile

OPTION = re.compile(r"(?<![\w-])(?:(-[a-zA-Z]), )?(--[a-z0-9][a-z0-9-]*)(?:[ =]([A-Z][A-Za-z0-9,:@.|]*))?")


def ask(program, *args):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([os.path.abspath(program), *args], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=20, cwd=folder)
    return done.stdout if args == ("--help",) else done.stderr


def words(program, option):
    """The few words that `option` takes, [] if there is no such list."""
    said = ask(program, option, "?")
    listed = re.search(r"there are: (.*)", said)
    if listed:
        return listed[1].split()
    listed = re.search(r"takes ([\w-]+(?:, [\w-]+)*(?:,? or [\w-]+)), not", said)
    return re.split(r",? or |, ", listed[1]) if listed else []


def options(program):
    """(short or None, long, argument or None, what it does), in the order of --help."""
    found = {}
    for line in ask(program, "--help").splitlines():
        if not re.match(r" +-", line):
            continue
        head, _, what = re.sub(r"^ +", "", line).partition("  ")
        for short, long, argument in OPTION.findall(head if what else line):
            found.setdefault(long, (short or None, long, argument or None, what.strip()))
    if "--help" not in found or len(found) < 2:
        sys.exit(f"completion.py: {program} --help lists no options")
    return list(found.values())


def kind(program, long, argument):
    if argument is None:
        return "flag", []
    if re.match(r"(FILE|OUT|IN|LOG)", argument):
        return "file", []
    if argument.startswith("DIR"):
        return "folder", []
    listed = words(program, long)
    return ("words", listed) if listed else ("other", [])


def bash(name, program):
    cases, names = [], []
    for short, long, argument, _ in options(program):
        names += [short] * bool(short) + [long]
        what, listed = kind(program, long, argument)
        reply = {"file": "_filedir", "folder": "_filedir -d", "other": "COMPREPLY=()",
                 "words": f'COMPREPLY=($(compgen -W "{" ".join(listed)}" -- "$cur"))'}.get(what)
        if reply:
            cases.append(f"    {short + '|' if short else ''}{long}) {reply}; return ;;")
    function = "_" + name.replace("-", "_")
    return f"""# bash completion of {name}; made of its --help by packaging/completion.py
{function}()
{{
    local cur prev words cword split
    _init_completion -s || return
    case $prev in
{chr(10).join(cases)}
    esac
    $split && return
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "{" ".join(names)}" -- "$cur"))
    else
        _filedir
    fi
}}
complete -F {function} {name}
"""


def zsh(name, program):
    rows = []
    for short, long, argument, what in options(program):
        text = re.sub(r"[\[\]:'\\`$\"]", "", what)
        does, listed = kind(program, long, argument)
        action = {"file": ":file:_files", "folder": ":folder:_files -/", "flag": "",
                  "words": f":{(argument or '').lower()}:({' '.join(listed)})",
                  "other": f":{(argument or '').lower().replace(':', ' ')}: "}[does]
        equals = "=" if argument else ""
        rows.append(f"'*{long}{equals}[{text}]{action}'")
        if short:
            rows.append(f"'*{short}[{text}]{action}'")
    return (f"#compdef {name}\n# made of {name} --help by packaging/completion.py\n_arguments \\\n  "
            + " \\\n  ".join(rows) + " \\\n  '*:file:_files'\n")


def main():
    shell, program, out = sys.argv[1:]
    text = (bash if shell == "bash" else zsh)(os.path.basename(program), program)
    with open(out, "w", encoding="utf-8") as f:
        f.write(text)


main()
