// "Did you mean": the known word that a typing error is closest to.
#pragma once

#include <string_view>
#include <vector>

namespace finstream {

// Empty where nothing is close: a wrong guess is worse than none.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

} // namespace finstream
