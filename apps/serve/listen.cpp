#include "burin/apps/serve/listen.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "burin/apps/exit.h"

namespace burin::apps {
namespace {

[[noreturn]] void fail_to_listen(const std::string& host, int port, int error) {
  const std::string hint = error == EADDRINUSE
                               ? "another program listens there: try --port 0 for a free one"
                           : error == EACCES        ? "ports below 1024 are root's: try --port 8000"
                           : error == EADDRNOTAVAIL ? "--host takes an address of this machine"
                                                    : "";
  throw Failure(exit_failed,
                str("cannot listen at ", host, " port ", port, ": ", std::strerror(error)), hint);
}

}  // namespace

int listen_at(const std::string& host, int port) {
  addrinfo wish{};
  wish.ai_family = AF_UNSPEC;
  wish.ai_socktype = SOCK_STREAM;
  wish.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wish, &found);
  if (status != 0) {
    throw Failure(exit_usage, str("--host ", host, ": ", gai_strerror(status)),
                  "an address of this machine: 127.0.0.1, or 0.0.0.0 for all of them");
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  const int s = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s < 0) fail_to_listen(host, port, errno);
  const int on = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(s, found->ai_addr, found->ai_addrlen) != 0 || listen(s, SOMAXCONN) != 0) {
    const int error = errno;
    close(s);
    fail_to_listen(host, port, error);
  }
  return s;
}

int port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  // The port is at the same place for IPv4 and IPv6.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace burin::apps
