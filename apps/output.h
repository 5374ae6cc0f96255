#pragma once

#include <initializer_list>
#include <string>

namespace burin::apps {

/// Throws Failure where no file can be written at `path`, before there is work to lose. An empty
/// path stands for no file.
void expect_writable(const std::string& path);

/// Throws Failure where no folder can be made at `path`, before there is work to lose. Makes none.
void expect_room_for_folder(const std::string& path);

/// Throws Failure (usage) where the file that `option` names has none of these extensions.
void expect_extension(const char* option, const std::string& path,
                      std::initializer_list<const char*> extensions);

}  // namespace burin::apps
