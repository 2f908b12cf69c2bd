// Which fault is planted, by name. A program without faults has no names.
#pragma once

#include <string>
#include <vector>

namespace finstream::simulation {

std::vector<std::string> fault_names();
bool plant(const std::string& name); // false: there is none of this name

} // namespace finstream::simulation
