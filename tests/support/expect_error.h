#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "burin/kernels/base/error.h"

namespace burin {

/// `f` must throw Error with `part` in its message.
template <class F>
void expect_error(const F& f, std::string_view part) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
        << "the message is: " << error.what() << "\nit should contain: " << part;
    return;
  }
  ADD_FAILURE() << "nothing was thrown; expected: " << part;
}

}  // namespace burin
