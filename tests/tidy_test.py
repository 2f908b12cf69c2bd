#!/usr/bin/env python3
"""Each house rule, shown a tree it accepts and trees it refuses."""

import unittest

import tidy


class HouseRules(unittest.TestCase):
    def accepts(self, rule, tree):
        self.assertEqual([], list(rule(tree)))

    def refuses(self, rule, tree, *lines):
        self.assertEqual(list(lines) or [1], [finding.line for finding in rule(tree)])

    def test_arrows_point_down(self):
        self.accepts(tidy.arrows, {"actors/a.cpp": '#include "runtime/bus/bus.hpp"\n#include "messages/errors.hpp"\n'})
        self.refuses(tidy.arrows, {"runtime/bus/a.cpp": '\n#include "actors/window.hpp"\n'}, 2)
        self.refuses(tidy.arrows, {"messages/a.hpp": '#include "runtime/log/log.hpp"\n'})
        self.refuses(tidy.arrows, {"actors/a.cpp": '#include "cluster/membership.hpp"\n'})
        self.refuses(tidy.arrows, {"cluster/a.cpp": '#include "actors/hub.hpp"\n'})
        self.refuses(tidy.arrows, {"feeds/csv/a.cpp": '#include "runtime/log/log.hpp"\n'})
        self.refuses(tidy.arrows, {"cli/a.cpp": '#include "tests/support/suite.hpp"\n'})

    def test_folders_of_runtime_are_strangers(self):
        self.accepts(tidy.arrows,
                     {"runtime/store/a.cpp": '#include "runtime/bus/bus.hpp"\n#include "runtime/store/b.hpp"\n'})
        self.accepts(tidy.arrows, {"runtime/process/a.cpp": '#include "runtime/clock/clock.hpp"\n'})
        self.refuses(tidy.arrows, {"runtime/server/a.cpp": '#include "runtime/bus/bus.hpp"\n'})

    def test_logic_is_pure(self):
        self.accepts(tidy.arrows, {"actors/logic/a.hpp": '#include <vector>\n#include "messages/event/bar.hpp"\n'})
        self.refuses(tidy.arrows, {"actors/logic/a.hpp": '#include <caf/actor.hpp>\n#include <unistd.h>\n'}, 1, 2)
        self.refuses(tidy.arrows, {"actors/logic/a.hpp": '#include "messages/codec/json.hpp"\n'})
        self.refuses(tidy.arrows, {"actors/logic/a.hpp": '#include "actors/window.hpp"\n'})
        self.accepts(tidy.arrows, {"actors/logic/a.hpp": '#include "runtime/expression/expression.hpp"\n'})
        self.refuses(tidy.arrows, {"actors/logic/a.hpp": '#include "runtime/expression/condition_text.hpp"\n'})
        self.refuses(tidy.arrows, {"runtime/expression/a.cpp": '#include "runtime/config/load.hpp"\n'})

    def test_tests_may_include_all_and_comments_include_nothing(self):
        self.accepts(tidy.arrows,
                     {"tests/a.cpp": '#include "cli/node.hpp"\n', "bench/a.cpp": '#include "actors/hub.hpp"\n'})
        self.accepts(tidy.arrows, {"messages/a.hpp": '// #include "cli/node.hpp"\n/*\n#include "cli/node.hpp"\n*/\n'})

    def test_includes_are_rooted(self):
        self.accepts(tidy.rooted, {"a/b.hpp": "", "a/c.cpp": '#include "a/b.hpp"\n'})
        self.refuses(tidy.rooted, {"a/b.hpp": "", "a/c.cpp": '#include "b.hpp"\n'})

    def test_each_library_has_its_room(self):
        self.accepts(tidy.rooms,
                     {"runtime/bus/a.cpp": "#include <rocksdb/db.h>\n", "tests/a.cpp": "#include <caf/all.hpp>\n"})
        self.accepts(tidy.rooms,
                     {"messages/codec/line_x.hpp": "#include <simdjson.h>\n", "cli/a.cpp": "#include <CLI/CLI.hpp>\n"})
        self.refuses(tidy.rooms, {"runtime/store/a.cpp": "#include <rocksdb/db.h>\n"})
        self.refuses(tidy.rooms, {"messages/codec/json.hpp": "#include <simdjson.h>\n"})
        self.refuses(tidy.rooms, {"messages/codec/json.cpp": "#include <msgpack.hpp>\n"})
        self.refuses(tidy.rooms, {"runtime/bus/a.cpp": "#include <yaml-cpp/yaml.h>\n"})
        self.refuses(tidy.rooms, {"actors/gateway.cpp": "#include <boost/asio.hpp>\n"})
        self.refuses(tidy.rooms, {"runtime/log/log.hpp": "#include <spdlog/spdlog.h>\n"})
        self.refuses(tidy.rooms, {"actors/session.cpp": "#include <nlohmann/json.hpp>\n"})
        self.refuses(tidy.rooms, {"runtime/config/a.cpp": "#include <CLI/CLI.hpp>\n"})
        self.refuses(tidy.rooms, {"runtime/bus/a.hpp": "#include <tl/expected.hpp>\n"})
        self.refuses(tidy.rooms, {"actors/a.cpp": "#include <xxhash.h>\n"})

    def test_caf_stays_above_runtime_and_comes_in_pieces(self):
        self.accepts(tidy.rooms, {"actors/a.hpp": "#include <caf/typed_actor.hpp>\n"})
        self.refuses(tidy.rooms, {"runtime/bus/a.hpp": "#include <caf/expected.hpp>\n"})
        self.refuses(tidy.rooms, {"cli/a.cpp": "#include <caf/all.hpp>\n#include <caf/io/all.hpp>\n"}, 1, 2)

    def test_time_and_chance_are_passed_in(self):
        self.accepts(tidy.time_and_chance, {"runtime/clock/clock.cpp": "std::chrono::system_clock::now();\n"})
        self.accepts(tidy.time_and_chance,
                     {"actors/a.cpp": "// never steady_clock::now()\nclock.now(); operand(x); system_clock();\n"})
        self.refuses(tidy.time_and_chance, {"actors/a.cpp": "\nauto t = std::chrono::steady_clock::now();\n"}, 2)
        self.refuses(tidy.time_and_chance,
                     {"runtime/process/a.cpp": "std::this_thread::sleep_for(x);\nusleep(5);\n"}, 1, 2)
        self.refuses(tidy.time_and_chance,
                     {"messages/a.cpp": "std::random_device d;\nint x = rand();\nseed(time(nullptr));\n"}, 1, 2, 3)

    def test_nothing_waits_for_ever(self):
        self.accepts(tidy.no_endless_waits,
                     {"tests/a.cpp": "request(x, caf::infinite);\n", "cli/a.cpp": "// caf::infinite\n"})
        self.refuses(tidy.no_endless_waits, {"actors/a.cpp": "request(x, caf::infinite);\n"})

    def test_files_are_short(self):
        self.accepts(tidy.short_files, {"a.cpp": "\n" * 400, "a.md": "\n" * 4000})
        self.refuses(tidy.short_files, {"a.cpp": "\n" * 401}, 401)

    def test_no_marks_of_work_undone(self):
        self.accepts(tidy.no_marks, {"a.cpp": "mkdtemp(\"finstream-XXXXXX\"); // a hackney carriage\n"})
        self.refuses(tidy.no_marks, {"a.cpp": "\n// TO" "DO: later\n", "b.md": "FIX" "ME\n"}, 2, 1)

    def test_no_paths_of_one_machine(self):
        self.accepts(tidy.no_machine_paths, {"a.md": "${HOME}/work/x net/root/x /workshop\n"})
        self.refuses(tidy.no_machine_paths, {"a.md": "see /" "work/x and\n/" "root/x\n"}, 1, 2)

    def test_no_dead_files(self):
        alive = {"a/x.hpp": "int x;\n", "a/x.cpp": '#include "a/x.hpp"\n', "a/CMakeLists.txt": "add_library(a x.cpp)\n"}
        self.accepts(tidy.no_dead_files, alive)
        self.accepts(tidy.no_dead_files, {"tests/a/x.cpp": "int x;\n", "tests/a/a.cmake": "SUITES my_suite:a/x.cpp\n"})
        self.accepts(tidy.no_dead_files,
                     {"a/x_fuzz.cpp": "int x;\n", "a/a.cmake": "(y ${CMAKE_SOURCE_DIR}/a/${x}_fuzz.cpp)\n"})
        self.refuses(tidy.no_dead_files, {**alive, "a/y.hpp": "int y;\n"})
        self.refuses(tidy.no_dead_files, {**alive, "a/CMakeLists.txt": "add_library(a) # x.cpp\n"})
        self.refuses(tidy.no_dead_files, {**alive, "a/b/x.cpp": "int y;\n", "a.cmake": "${x}.cpp\n"})
        self.refuses(tidy.no_dead_files, {**alive, "a/x.cpp": '#include "a/x.hpp"\n', "a/x.hpp": "\n"})

    def test_links_lead_somewhere(self):
        tree = {"docs/a.md": "# A thing\n", "actors/hub.cpp": "\n\n"}
        self.accepts(tidy.links,
                     {**tree, "README.md": "[a](docs/a.md#a-thing) [c](http://x) [d](actors/hub.cpp#L2) [b](docs)\n"})
        self.accepts(tidy.links,
                     {**tree, "docs/b.md": "[a](a.md) [c](../actors/hub.cpp) `[x](y.md)`\n```\n[x](y.md)\n```\n"})
        self.refuses(tidy.links, {**tree, "docs/b.md": "[a](docs/a.md)\n![p](p.svg)\n[o](../../o.md)\n"}, 1, 2, 3)
        self.refuses(tidy.links,
                     {**tree, "README.md": "[a](docs/a.md#nothing)\n[b](actors/hub.cpp#L3)\n[c](#gone)\n"}, 1, 2, 3)

    def test_a_document_has_one_title(self):
        self.accepts(tidy.one_title, {"a.md": "# A\n## B\n```\n# a comment\n```\n"})
        self.refuses(tidy.one_title, {"a.md": "## B\n"})
        self.refuses(tidy.one_title, {"a.md": "# A\n# B\n"})

    def test_functions_are_measured_by_their_layout(self):
        self.assertEqual([(3, "a.cpp:1")], list(tidy.function_lengths("a.cpp", "int f(int x) {\n  if (x) {}\n}\n")))


if __name__ == "__main__":
    unittest.main()
