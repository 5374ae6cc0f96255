#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "burin/kernels/base/error.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {

/// What the process answers to its caller.
enum ExitCode : int {
  exit_ok = 0,
  exit_failed = 1,        // the run failed: I/O, NaN loss, a threshold missed
  exit_usage = 2,         // the command line, the environment or the config file
  exit_bad_input = 3,     // data or model file
  exit_no_device = 4,     // a device asked for by name is not there
  exit_no_memory = 5,     // out of memory
  exit_interrupted = 130  // Ctrl-C, after the last checkpoint was written
};

/// An error that knows how the process ends and what the user can do about it.
class Failure : public Error {
 public:
  Failure(ExitCode exit_code, const std::string& what, std::string what_to_do = "")
      : Error(what), code(exit_code), hint(std::move(what_to_do)) {}
  ~Failure() override;

  ExitCode code;
  std::string hint;  // one line, or empty
};

/// Runs f and turns an Error into a Failure with `code`; a Failure, OutOfMemory and WriteError,
/// which no input is to blame for, pass.
/// A "\n  hint: …" at the end of the message becomes the hint.
template <class F>
decltype(auto) failing_with(ExitCode code, const F& f) {
  try {
    return f();
  } catch (const Failure&) {
    throw;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const WriteError&) {
    throw;
  } catch (const Error& error) {
    throw Failure(code, error.what());
  }
}

/// failing_with(exit_bad_input, f), with a hint how to find all images that can't be read.
template <class F>
decltype(auto) reading_images(const F& f) {
  try {
    return failing_with(exit_bad_input, f);
  } catch (Failure& failure) {
    failure.hint = "burin scan DIR lists all such files; --move-to FOLDER takes them out";
    throw;
  }
}

/// "runs/train: Permission denied"
std::string words_of(const std::filesystem::filesystem_error& error);

/// Prints what `error` says as "burin train: error: …" and "  hint: …" to stderr and returns the
/// exit code that belongs to it.
int report_error(const std::exception& error, const std::string& program);

}  // namespace burin::apps
