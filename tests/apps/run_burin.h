#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "support/temporary_folder.h"

namespace burin {

/// How a run of the command ended.
struct Ran {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs `burin ARGUMENTS` through the shell, with VARIABLE=value pairs before it and nothing on
/// stdin.
inline Ran run_burin(const std::string& arguments, const std::string& environment = "") {
  const testing_support::TemporaryFolder folder;
  const std::string command = environment + " '" BURIN_COMMAND "' " + arguments + " >" +
                              folder.file("out") + " 2>" + folder.file("err") + " </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          testing_support::read_whole(folder.file("out")),
          testing_support::read_whole(folder.file("err"))};
}

}  // namespace burin
