// A model of XGBoost, computed in this process by Debian's libxgboost, with one thread: no request crosses a process,
// and a batch of a few rows takes some 20 microseconds. It takes the files of XGBoosterSaveModel, JSON or UBJ, and not
// the old binary format. libxgboost keeps values as floats; a double is rounded to one on its way in.
#pragma once

#include "runtime/models/model.hpp"

#include <memory>

namespace finstream {

// Errors: config_invalid: the file is not a model, or not one that the card describes, or this build has no xgboost.
expected<std::unique_ptr<model>> open_xgboost_model(model_files files);

} // namespace finstream
