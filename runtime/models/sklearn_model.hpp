// A model of scikit-learn, answered for by a Python program of its own (worker/finstream_sklearn_worker.py): what
// happens in there cannot bring down the node. A thread, the keeper, starts the worker, asks it, and buries it. A
// worker that dies, hangs beyond a request's deadline or says what is no answer is killed with its group and started
// again after a pause; until it is ready, predict() fails at once with io_failure and never waits. A file that changed
// under a running node is not loaded by a new worker: its hash is not the card's.
//
// A pickle is code: to open a model is to run what its author wrote, with the rights of this process's user.
#pragma once

#include "runtime/models/model.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace finstream {

struct worker_options {
  std::string python = "/usr/bin/python3"; // Debian's own: the one that python3-sklearn is installed for
  std::string script;                      // worker/finstream_sklearn_worker.py, wherever it is installed
  nanoseconds ready_within = 30 * second;  // to import and load; a cold disk takes most of it
  nanoseconds stop_grace = 2 * second;     // from SIGTERM to SIGKILL when the model is closed
  // Called on the keeper's thread when a worker has ended: (now, how long it lived) -> the pause before the next, or
  // nothing: there is to be none. Of the one who opens the model (see backoff of actors/logic). Empty: no restarts.
  std::function<std::optional<nanoseconds>(nanoseconds, nanoseconds)> restart_after;
};

// Blocks until the first worker is ready. Errors: start_failed, timed_out (ready_within), io_failure (it ended),
// config_invalid (the file cannot be loaded, or is not what its card says).
expected<std::unique_ptr<model>> open_sklearn_model(const std::string& model_path, model_card card,
                                                    worker_options options);

} // namespace finstream
