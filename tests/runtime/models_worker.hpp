// Workers for tests: the real one, with its process id noted; and ones that misbehave, written on the spot.
#pragma once

#include "actors/logic/restart_policy.hpp"
#include "tests/runtime/models_language.hpp"
#include "tests/support/temp_dir.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

namespace finstream::test {

class worker_world {
public:
  // The shipped worker, restarted after a moment, `most` times.
  worker_options noting_worker(int most = 100) {
    return worker("import runpy\nnote_pid()\nrunpy.run_path('" + real_worker().script + "', run_name='__main__')\n",
                  most);
  }

  // One that does what `body` says. It has hello(), request() -> {id, columns, values}, answer(), life (0, 1, ...).
  worker_options worker(const std::string& body, int most = 100) {
    auto options = real_worker();
    options.script = directory_.path() + "/worker.py";
    std::ofstream{options.script} << "directory = '" + directory_.path() + "'\n" + helpers + body;
    backoff_rules rules;
    rules.initial = rules.most = 5 * millisecond, rules.crash_limit = most;
    options.restart_after = [policy = backoff{rules, 1}](nanoseconds now, nanoseconds lived) mutable {
      return policy.next(now, lived);
    };
    return options;
  }

  // A model of our own to change, with its card.
  std::string copy_model() const {
    for (auto ending : {".pkl", ".card.json"})
      std::filesystem::copy_file(trained(std::string{"noted"} + ending), directory_.path() + "/m" + ending);
    return directory_.path() + "/m.pkl";
  }

  int pid(const std::string& name = "pid") const { return std::stoi("0" + bytes_of(directory_.path() + "/" + name)); }
  // Reaped, or dead and left to whoever inherits it.
  bool is_gone(int pid) const {
    return wait_until([pid] {
      auto status = bytes_of("/proc/" + std::to_string(pid) + "/stat");
      return status.empty() || status.find(") Z ") != std::string::npos;
    });
  }

  template <class F> bool wait_until(F condition) const {
    for (auto end = within(patience); system_clock().monotonic() < end; pause(2 * millisecond))
      if (condition()) return true;
    return false;
  }

private:
  static constexpr const char* helpers = R"(
import os, struct, subprocess, sys, time
sys.path.append('/usr/lib/python3/dist-packages')
import msgpack
def note_pid(pid=None, name='pid'):
    with open(directory + '/' + name + '.new', 'w') as file: file.write(str(pid or os.getpid()))
    os.rename(directory + '/' + name + '.new', directory + '/' + name)
def write(data): os.write(1, data)
def frame(what):
    body = msgpack.packb(what)
    return struct.pack('>I', len(body)) + body
def send(what): write(frame(what))
def hello(**changes):
    send({'hash': sys.argv[2], 'features': ['ret_1m', 'vol_5m', 'rsi'], 'columns': 3, 'outputs': 2, 'library': 'none',
          **changes})
def request():
    header = sys.stdin.buffer.read(4)
    if len(header) < 4: sys.exit(0)
    return msgpack.unpackb(sys.stdin.buffer.read(struct.unpack('>I', header)[0]))
def answer(to, share=0.25): 
    rows = len(to['values']) // 8 // to['columns']
    send({'id': to['id'], 'outputs': struct.pack('<2d', 1 - share, share) * rows})
life = 0
while os.path.exists(f'{directory}/life{life}'): life += 1
open(f'{directory}/life{life}', 'w').close()
)";

  temp_dir directory_;
};

} // namespace finstream::test
