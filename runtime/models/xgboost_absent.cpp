// In the place of xgboost_model.cpp where the build is configured without the library.
#include "runtime/models/xgboost_model.hpp"

namespace finstream {

expected<std::unique_ptr<model>> open_xgboost_model(model_files files) {
  return fail(errc::config_invalid, "model " + files.card.name +
                                      " is of xgboost, and this program was built without it: install libxgboost-dev, "
                                      "configure with -DFINSTREAM_XGBOOST=ON and build again");
}

} // namespace finstream
