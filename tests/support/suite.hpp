// The test framework, in one place: CAF's own. A test file names its suite with `#define CAF_SUITE name` before it
// includes this; each binary has one main.cpp. Names of tests are sentences about behaviour.
#pragma once

#define FAIL CAF_FAIL
#include <caf/test/unit_test.hpp>
