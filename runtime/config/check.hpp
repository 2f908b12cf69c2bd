// What must hold between settings, beyond what each may be by itself.
#pragma once

#include "runtime/config/settings.hpp"

#include <functional>
#include <string>

namespace finstream {

// Calls `complain` with the path of the setting at fault, such as "feeds[1].name", and a whole sentence.
using complaint = std::function<void(const std::string& path, const std::string& sentence)>;
void check_settings(const settings& x, const complaint& complain);

} // namespace finstream
