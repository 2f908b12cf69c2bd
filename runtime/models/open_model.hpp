// The factory: a model's card says which library its file is of.
#pragma once

#include "runtime/models/sklearn_model.hpp"

namespace finstream {

// Reads the card and the file, checks one against the other, and gets the model ready to answer: of sklearn that means
// waiting for a worker (a second or two), so not on a thread that others wait for. `worker` is for sklearn only.
// Errors: not_found, io_failure, config_invalid, start_failed, timed_out; each says what to do.
expected<std::unique_ptr<model>> open_model(const std::string& path, worker_options worker);

} // namespace finstream
