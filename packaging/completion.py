#!/usr/bin/python3
"""completion.py bash|zsh PROGRAM OUT - completion of a program's options, out of its --help.

Where an option takes one of a few words, the program is asked for them with a word that is none:
its complaint lists what there is ("takes a, b or c, not", "there are: a b c").

A program whose usage is `PROGRAM COMMAND ...` lists its commands in --help, and each has a --help of its own.
"""
import os
import re
import subprocess
import sys
import tempfile

OPTION = re.compile(r"(?<![\w-])(?:(-[a-zA-Z]), )?(--[a-z0-9][a-z0-9-]*)(?:[ =]([A-Z][A-Za-z0-9,:@.|]*))?")


def ask(program, *args): # what --help says, or else what it complains
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([os.path.abspath(program), *args], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=20, cwd=folder)
    return done.stdout if args[-1] == "--help" else done.stderr


def words(program, command, option):
    """The few words that `option` takes, [] if there is no such list."""
    said = ask(program, *command, option, "?")
    listed = re.search(r"there are: (.*)", said)
    if listed:
        return listed[1].split()
    listed = re.search(r"takes ([\w-]+(?:, [\w-]+)*(?:,? or [\w-]+)), not", said)
    return re.split(r",? or |, ", listed[1]) if listed else []


def commands(program):
    """The program's commands, in the order of --help; []: it has none."""
    said = ask(program, "--help")
    if not re.match(r"usage: \S+ COMMAND", said):
        return []
    return re.findall(r"(?m)^  ([a-z][a-z-]*)  ", said)


def options(program, command=()):
    """(short or None, long, argument or None, what it does), in the order of --help."""
    found = {}
    for line in ask(program, *command, "--help").splitlines():
        if not re.match(r" +-", line):
            continue
        head, _, what = re.sub(r"^ +", "", line).partition("  ")
        for short, long, argument in OPTION.findall(head if what else line):
            found.setdefault(long, (short or None, long, argument or None, what.strip()))
    if "--help" not in found or (len(found) < 2 and not command):
        sys.exit(f"completion.py: {program} --help lists no options")
    return list(found.values())


def kind(program, command, long, argument):
    if argument is None:
        return "flag", []
    if re.match(r"(FILE|OUT|IN|LOG)", argument):
        return "file", []
    if argument.startswith("DIR"):
        return "folder", []
    listed = words(program, command, long)
    return ("words", listed) if listed else ("other", [])


def bash_options(program, command):
    """(cases for the word after an option, names of the options)"""
    cases, names = [], []
    for short, long, argument, _ in options(program, command):
        names += [short] * bool(short) + [long]
        what, listed = kind(program, command, long, argument)
        reply = {"file": "_filedir", "folder": "_filedir -d", "other": "COMPREPLY=()",
                 "words": f'COMPREPLY=($(compgen -W "{" ".join(listed)}" -- "$cur"))'}.get(what)
        if reply:
            cases.append(f"    {short + '|' if short else ''}{long}) {reply}; return ;;")
    return cases, names


def bash(name, program):
    cases, names = bash_options(program, ())
    function = "_" + name.replace("-", "_")
    listed = commands(program)
    choose = ""
    if listed:
        choose = f"""    local i command=
    for ((i = 1; i < cword; i++)); do
        [[ ${{words[i]}} == -* ]] || {{ command=${{words[i]}}; break; }}
    done
    case $command in
    '') [[ $cur == -* ]] || {{ COMPREPLY=($(compgen -W "{" ".join(listed)}" -- "$cur")); return; }} ;;
"""
        for command in listed:
            own, its = bash_options(program, (command,))
            inside = "\n".join("    " + c for c in own)
            choose += f"""    {command})
        case $prev in
{inside}
        esac
        if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "{" ".join(its)}" -- "$cur")); else _filedir; fi
        return ;;
"""
        choose += "    esac\n"
    return f"""# bash completion of {name}; made of its --help by packaging/completion.py
{function}()
{{
    local cur prev words cword split
    _init_completion -s || return
{choose}    case $prev in
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


def zsh_options(program, command):
    rows = []
    for short, long, argument, what in options(program, command):
        text = re.sub(r"[\[\]:'\\`$\"]", "", what)
        does, listed = kind(program, command, long, argument)
        action = {"file": ":file:_files", "folder": ":folder:_files -/", "flag": "",
                  "words": f":{(argument or '').lower()}:({' '.join(listed)})",
                  "other": f":{(argument or '').lower().replace(':', ' ')}: "}[does]
        equals = "=" if argument else ""
        rows.append(f"'*{long}{equals}[{text}]{action}'")
        if short:
            rows.append(f"'*{short}[{text}]{action}'")
    return rows


def zsh(name, program):
    head = f"#compdef {name}\n# made of {name} --help by packaging/completion.py\n"
    listed = commands(program)
    rows = zsh_options(program, ())
    if not listed:
        return head + "_arguments \\\n  " + " \\\n  ".join(rows) + " \\\n  '*:file:_files'\n"
    text = head + "local state\n_arguments -C \\\n  " + " \\\n  ".join(rows)
    text += f" \\\n  '1:command:({' '.join(listed)})' \\\n  '*::argument:->command'\n"
    text += "[[ $state == command ]] || return\ncase $words[1] in\n"
    for command in listed:
        own = zsh_options(program, (command,))
        text += f"{command})\n  _arguments \\\n    " + " \\\n    ".join(own) + " \\\n    '*:file:_files' ;;\n"
    return text + "esac\n"


def main():
    shell, program, out = sys.argv[1:]
    text = (bash if shell == "bash" else zsh)(os.path.basename(program), program)
    with open(out, "w", encoding="utf-8") as f:
        f.write(text)


main()
