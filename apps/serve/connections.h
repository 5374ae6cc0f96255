#pragma once

#include <sys/socket.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

#include "burin/apps/serve/http.h"

namespace burin::apps {

/// A connection as the watch sees it.
struct Connection {
  int socket = -1;
  std::string client;  // its address
  bool one_too_many = false;
  std::atomic<HttpClock::rep> deadline{0};
  /// A job of the model's queue holds the request: the queue keeps the deadline.
  std::atomic<bool> in_queue{false};
};

/// The open connections, how many each client has, and a thread that cuts those whose deadline has
/// passed: a client that sends or reads a byte now and then never trips the idle timeout.
class Connections {
 public:
  Connections(int per_client, int deadline_seconds);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  /// False for a client that has twice its share: it is not even answered.
  bool may_connect(const sockaddr* address);
  Connection* open(int socket, const sockaddr* address);
  void close(Connection* connection);
  /// Gives the request that begins now its time.
  void restart(Connection& connection) const;

 private:
  void watch(const std::stop_token& stop);

  int per_client_;
  HttpClock::duration time_allowed_;
  std::mutex mutex_;  // guards the two below; held while a socket is cut, so that it is not reused
  std::unordered_set<Connection*> open_;
  std::map<std::string, int> by_client_;
  std::jthread thread_;  // last: stopped and joined before the rest goes
};

}  // namespace burin::apps
