#include "burin/apps/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "burin/apps/exit.h"

namespace burin::apps {

FolderLock::FolderLock(const std::string& file)
    : file_(open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (file_ < 0) throw WriteError(str(file, ": can't be written: ", std::strerror(errno)));
  if (flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(file_);
    throw Failure(exit_failed, str(file, ": another training is writing this run"),
                  "wait until it has ended, or give this one another --name");
  }
}

FolderLock::~FolderLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace burin::apps
