#pragma once

#include <string>
#include <vector>

namespace burin::apps {

/// A picture that the page offers to try.
struct ExampleImage {
  std::string name;  // "3.jpg", as in /examples/3.jpg
  std::string type;  // "image/jpeg"
  std::string bytes;
};

/// Up to twelve images below `folder`, none above `max_bytes`, in formats that browsers show; taken
/// from its sub-folders in turn, so that each class comes up. Empty for "".
/// Throws Failure (bad input) where there is no such folder or no such image in it.
std::vector<ExampleImage> load_examples(const std::string& folder, int64_t max_bytes);

}  // namespace burin::apps
