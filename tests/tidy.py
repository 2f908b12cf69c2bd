#!/usr/bin/env python3
"""The house rules: reads the source of the project and fails on what a compiler does not see.

A rule is a function from a tree (path -> text) to its findings, so that tests/tidy_test.py can show each rule a tree of
two lines. What a rule forbids it says together with what to do instead. `--lengths` prints how long files and functions
are; that is for reading, only the limit on files is enforced.
"""

import fnmatch
import os
import posixpath
import re
import subprocess
import sys
from collections import namedtuple

Finding = namedtuple("Finding", "path line text")

MAX_FILE_LINES = 400
CPP = (".cpp", ".hpp")
# A raw string, a string, a character or a comment: whichever begins first.
TOKEN = re.compile(r'R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*|/\*.*?\*/', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def without_comments(text):
    """The same text with comments blanked out, line for line."""
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m[0]) if m[0].startswith("/") else m[0], text)


def without_comments_and_strings(text):
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def cpp_files(tree):
    return {path: text for path, text in tree.items() if path.endswith(CPP)}


def includes(text):
    """(line, written with quotes, what) of each include."""
    code = without_comments(text)
    for match in INCLUDE.finditer(code):
        yield line_of(code, match.start()), match[1] == '"', match[2]


def inside(path, places):
    """Whether a path matches one of the places: a folder ending in '/', or a pattern."""
    return any(path.startswith(place) if place.endswith("/") else fnmatch.fnmatch(path, place) for place in places)


# --- arrows: the folder is the layer, and the include line says so ----------------------------------------------------

LAYERS = {
    "messages": ["messages/"],
    "runtime": ["messages/"],  # and its own folder, and those of RUNTIME_SHARED and RUNTIME_ALSO
    "actors": ["messages/", "runtime/", "actors/"],
    "cluster": ["messages/", "runtime/", "cluster/"],
    "cli": ["messages/", "runtime/", "actors/", "cluster/", "cli/"],
    "feeds": ["messages/", "feeds/"],
}
RUNTIME_SHARED = ["runtime/clock/", "runtime/log/", "runtime/metrics/"]
RUNTIME_ALSO = {"bus": ["runtime/broker/"], "store": ["runtime/bus/"], "config": ["runtime/broker/", "runtime/bus/"], "models": ["runtime/process/"]}
LOGIC_MAY = ["messages/value/", "messages/event/", "messages/command/", "messages/schema/", "messages/errors.hpp",
             "messages/field.hpp", "runtime/expression/expression.hpp"]


def may_include(path):
    """The places a file may include from, or None where everything is allowed."""
    parts = path.split("/")
    if len(parts) > 2 and parts[1] == "logic":
        return LOGIC_MAY + ["/".join(parts[:2]) + "/"]
    if parts[0] == "runtime" and len(parts) > 2:
        return LAYERS["runtime"] + RUNTIME_SHARED + RUNTIME_ALSO.get(parts[1], []) + [f"runtime/{parts[1]}/"]
    return LAYERS.get(parts[0])


def arrows(tree):
    for path, text in cpp_files(tree).items():
        allowed = may_include(path)
        for line, quoted, what in includes(text):
            if quoted and allowed is not None and not inside(what, allowed):
                yield Finding(path, line, f"{what} is not below this file; it may include {' '.join(allowed)}")
            if not quoted and "/logic/" in path and re.search(r"[/.]", what):
                yield Finding(path, line, f"<{what}>: pure logic knows the standard library and messages, nothing else")


def rooted(tree):
    for path, text in cpp_files(tree).items():
        for line, quoted, what in includes(text):
            if quoted and what not in tree:
                yield Finding(path, line, f'"{what}": there is no such file; write its path from the root')


# --- rooms: a third-party library is included in one place, so that it can be exchanged there -------------------------

ANY = ["messages/", "runtime/", "actors/", "cluster/", "cli/", "feeds/"]
# What is included, where it may be, what to use elsewhere. The first that matches counts; tests/ and bench/ may all.
ROOMS = [
    (r"simdjson", ["messages/codec/*.cpp", "messages/codec/line_*.hpp"], "messages/codec/line_parser.hpp"),
    (r"msgpack", ["messages/codec/msgpack.cpp", "runtime/models/worker_frames.cpp", "runtime/bus/journal.cpp"], "messages/codec/msgpack.hpp"),
    (r"rocksdb/", ["runtime/bus/"], "runtime/bus/bus.hpp"),
    (r"yaml-cpp/", ["runtime/config/"], "runtime/config/load.hpp"),
    (r"muParser", ["runtime/expression/expression.cpp"], "runtime/expression/expression.hpp"),
    (r"pqxx/", ["runtime/store/postgres_session.cpp"], "runtime/store/postgres_session.hpp"),
    (r"hiredis/", ["runtime/broker/redis_*.cpp"], "runtime/broker/broker.hpp"),
    (r"nats/", ["runtime/broker/nats_*"], "runtime/broker/broker.hpp"),
    (r"openssl/", ["runtime/broker/nats_handshake.cpp"], "runtime/broker/nats_handshake.hpp"),
    (r"librdkafka/", ["runtime/broker/kafka_*"], "runtime/broker/broker.hpp"),
    (r"boost/", ["runtime/server/"], "runtime/server/server.hpp"),
    (r"spdlog/", ["runtime/log/log.cpp"], "runtime/log/log.hpp"),
    (r"nlohmann/", ["messages/codec/", "cli/", "runtime/store/row_cells.cpp", "runtime/models/model_card.cpp",
                    "runtime/models/xgboost_model.cpp"],
     "messages/codec"),
    (r"xgboost/", ["runtime/models/xgboost_model.cpp"], "runtime/models/model.hpp"),
    (r"CLI/", ["cli/", "feeds/"], "a function of cli/"),
    (r"tl/expected", ["messages/errors.hpp"], "messages/errors.hpp"),
    (r"xxh", ["messages/*.cpp", "runtime/*.cpp"], "hash_text of messages/schema/schema.hpp"),
    (r"caf/(io/|openssl/)?all\.hpp", [], "the headers of CAF that are needed"),
    (r"caf/", ["messages/", "actors/", "cluster/", "cli/"], "messages/errors.hpp"),
]


def rooms(tree):
    for path, text in cpp_files(tree).items():
        if not inside(path, ANY):
            continue
        for line, _, what in includes(text):
            room = next((r for r in ROOMS if re.match(r[0], what)), None)
            if room and not inside(path, room[1]):
                yield Finding(path, line, f"{what} has no place here; use {room[2]}")


# --- what code must not do --------------------------------------------------------------------------------------------

TIME_AND_CHANCE = re.compile(
    r"(?:system_clock|steady_clock|high_resolution_clock)\s*::\s*now|\bclock_gettime\b|\bgettimeofday\b"
    r"|\btime\s*\(\s*(?:nullptr|NULL|0)\s*\)|\bsleep_(?:for|until)\b|\bu?sleep\s*\(|\bnanosleep\b"
    r"|\bs?rand\s*\(|\brandom_device\b|\bgetrandom\b")


def time_and_chance(tree):
    for path, text in cpp_files(tree).items():
        if not inside(path, ["messages/", "runtime/", "actors/", "cluster/"]) or path.startswith("runtime/clock/"):
            continue
        code = without_comments_and_strings(text)
        for match in TIME_AND_CHANCE.finditer(code):
            yield Finding(path, line_of(code, match.start()),
                          f"{match[0].strip()}: time and chance are passed in, see runtime/clock/clock.hpp")


def no_endless_waits(tree):
    for path, text in cpp_files(tree).items():
        code = without_comments_and_strings(text)
        for match in re.finditer(r"\bcaf\s*::\s*infinite\b", code):
            if not path.startswith("tests/"):
                yield Finding(path, line_of(code, match.start()), "every request has a timeout with a name")


# --- files ------------------------------------------------------------------------------------------------------------

def short_files(tree):
    for path, text in tree.items():
        lines = text.count("\n")
        if path.endswith(CPP + (".py",)) and lines > MAX_FILE_LINES:
            yield Finding(path, lines, f"{lines} lines, {MAX_FILE_LINES} are enough: it is about two things")


def no_marks(tree):
    marks = re.compile(r"\b(?:" + "|".join(["TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"]) + r")\b")
    for path, text in tree.items():
        for match in marks.finditer(text):
            yield Finding(path, line_of(text, match.start()), f"{match[0]}: do it now, or open an issue")


def no_machine_paths(tree):
    for path, text in tree.items():
        for match in re.finditer(r"(?<![\w.\-*}])/(?:work|root)/", text):
            yield Finding(path, line_of(text, match.start()), f"{match[0]} is a path of one machine")


def named_sources(tree):
    """A pattern of all .cpp files that CMake files name, relative to their folder or one above; ${X} is anything."""
    names = {"(?!)"}
    for path, text in tree.items():
        if not path.endswith(("CMakeLists.txt", ".cmake")):
            continue
        code = re.sub(r"#[^\n]*", "", text)
        for token in re.findall(r"[\w./${}*-]+\.cpp\b", code):
            token = re.sub(r"\$\{\w+\}", "*", re.sub(r"^\$\{\w+\}/", "", token))
            folder = posixpath.dirname(path)
            while True:
                names.add(re.escape(posixpath.normpath(posixpath.join(folder, token))).replace(r"\*", "[^/]*"))
                if not folder:
                    break
                folder = posixpath.dirname(folder)
    return re.compile("|".join(sorted(names)))


def no_dead_files(tree):
    included = {what for text in cpp_files(tree).values() for _, quoted, what in includes(text) if quoted}
    named = named_sources(tree)
    for path, text in cpp_files(tree).items():
        if not text.strip():
            yield Finding(path, 1, "it is empty")
        elif path.endswith(".hpp") and path not in included:
            yield Finding(path, 1, "no file includes it")
        elif path.endswith(".cpp") and not named.fullmatch(path) and path not in included:
            yield Finding(path, 1, "no CMake file names it")


# --- documents --------------------------------------------------------------------------------------------------------

def prose(text):
    """A document without its code, line for line."""
    text = re.sub(r"^(```|~~~).*?^\1[^\n]*$", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", lambda m: "`" + " " * (len(m[0]) - 2) + "`", text)


def anchors(text):
    """What #links into a document can name: its headings, as GitHub spells them."""
    without_fences = re.sub(r"^(```|~~~).*?^\1[^\n]*$", "", text, flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.+?) *$", without_fences, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(tree):
    folders = {path[:end] for path in tree for end in range(len(path)) if path[end] == "/"}
    for path, text in tree.items():
        if not path.endswith(".md"):
            continue
        body = prose(text)
        for match in re.finditer(r"\]\(\s*<?([^)\s>]+)[^)]*\)|<img[^>]*\bsrc=\"([^\"]+)\"", body):
            link = match[1] or match[2]
            if re.match(r"[a-z+]+:", link):
                continue
            target, _, anchor = link.partition("#")
            file = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
            where = line_of(body, match.start())
            if file not in tree and file not in folders and file != ".":
                yield Finding(path, where, f"{link}: there is no {file}")
            elif anchor and file.endswith(".md") and anchor not in anchors(tree[file]):
                yield Finding(path, where, f"{link}: {file} has no heading #{anchor}")
            elif re.fullmatch(r"L\d+", anchor) and file in tree and int(anchor[1:]) > tree[file].count("\n"):
                yield Finding(path, where, f"{link}: {file} is shorter than that")


def one_title(tree):
    for path, text in tree.items():
        if path.endswith(".md"):
            titles = len(re.findall(r"^# +\S", prose(text), re.M))
            if titles != 1:
                yield Finding(path, 1, f"{titles} lines are a '# Title'; a document has one")


RULES = [arrows, rooted, rooms, time_and_chance, no_endless_waits, short_files, no_marks, no_machine_paths,
         no_dead_files, links, one_title]


def check(tree):
    return sorted((finding, rule.__name__) for rule in RULES for finding in rule(tree))


# --- the command ------------------------------------------------------------------------------------------------------

def read_tree(root):
    """Every text file of the project, committed or about to be."""
    listing = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others",
                              "--exclude-standard"], capture_output=True, check=False) if has_git() else None
    if listing and listing.returncode == 0:
        paths = [os.fsdecode(path) for path in listing.stdout.split(b"\0") if path]
    else:  # an unpacked archive
        paths = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if f not in (".git", "build", "data", "__pycache__")]
            paths += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    tree = {}
    for path in paths:
        try:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                tree[path] = file.read()
        except (FileNotFoundError, IsADirectoryError):
            continue  # just deleted, or a link to a folder
        except UnicodeDecodeError:
            tree[path] = ""  # bytes of a test or a picture: there, but not to be read
    return tree


def has_git():
    return any(os.access(os.path.join(folder, "git"), os.X_OK) for folder in os.environ.get("PATH", "").split(":"))


def function_lengths(path, text):
    """By the layout clang-format gives: from a line that opens a body to the brace at its indentation."""
    lines = text.split("\n")
    for start, line in enumerate(lines):
        head = re.match(r"( *)(?!(?:if|for|while|switch|else|do|try|catch|namespace|class|struct|enum|union)\b)"
                        r"[\w:~<].*\).*\{$", line)
        if head:
            end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith(head[1] + "}")), start)
            yield end - start + 1, f"{path}:{start + 1}"


def print_lengths(tree):
    files = cpp_files(tree)
    print(f"{'layer':<10}{'files':>7}{'lines':>8}{'median':>8}{'p90':>6}{'max':>6}")
    for layer in list(LAYERS) + ["tests", "bench"]:
        counts = sorted(text.count("\n") for path, text in files.items() if path.startswith(layer + "/"))
        if counts:
            print(f"{layer:<10}{len(counts):>7}{sum(counts):>8}{counts[len(counts) // 2]:>8}"
                  f"{counts[len(counts) * 9 // 10]:>6}{counts[-1]:>6}")
    longest = sorted(((text.count("\n"), path) for path, text in files.items()), reverse=True)[:10]
    print("\nlongest files\n" + "\n".join(f"{count:>5}  {path}" for count, path in longest))
    functions = sorted((f for path, text in files.items() for f in function_lengths(path, text)), reverse=True)[:10]
    print("\nlongest functions\n" + "\n".join(f"{count:>5}  {where}" for count, where in functions))


def main():
    tree = read_tree(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if sys.argv[1:] == ["--lengths"]:
        print_lengths(tree)
        return 0
    if sys.argv[1:]:
        print("usage: tests/tidy.py [--lengths]", file=sys.stderr)
        return 2
    findings = check(tree)
    for finding, rule in findings:
        print(f"{finding.path}:{finding.line}: {rule}: {finding.text}")
    print(f"tidy: {len(tree)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
