#include "runtime/models/open_model.hpp"

#include "runtime/models/xgboost_model.hpp"

namespace finstream {

expected<std::unique_ptr<model>> open_model(const std::string& path, worker_options worker) {
  auto files = read_model_files(path);
  if (!files) return tl::unexpected{files.error()};
  switch (files->card.kind) {
  case model_kind::xgboost: return open_xgboost_model(std::move(*files));
  case model_kind::sklearn: return open_sklearn_model(path, std::move(files->card), std::move(worker));
  }
  stop_on_bug("a kind of model without a driver");
}

} // namespace finstream
