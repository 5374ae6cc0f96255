#include "burin/apps/serve/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <condition_variable>

namespace burin::apps {
namespace {

constexpr std::chrono::milliseconds watch_interval(250);

std::string address_of(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address != nullptr && address->sa_family == AF_INET) {
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
  } else if (address != nullptr && address->sa_family == AF_INET6) {
    const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  }
  return text;
}

/// Where a reverse proxy would be: its connections are those of many clients.
bool is_proxy(const std::string& client) {
  return client == "127.0.0.1" || client == "::1" || client == "::ffff:127.0.0.1";
}

}  // namespace

Connections::Connections(int per_client, int deadline_seconds)
    : per_client_(per_client),
      time_allowed_(std::chrono::seconds(deadline_seconds)),
      thread_([this](const std::stop_token& stop) { watch(stop); }) {}

Connections::~Connections() = default;

bool Connections::may_connect(const sockaddr* address) {
  const std::string client = address_of(address);
  if (is_proxy(client)) return true;
  const std::lock_guard lock(mutex_);
  const auto found = by_client_.find(client);
  return found == by_client_.end() || found->second < 2 * per_client_;
}

Connection* Connections::open(int socket, const sockaddr* address) {
  auto connection = std::make_unique<Connection>();
  connection->socket = socket;
  connection->client = address_of(address);
  restart(*connection);
  const std::lock_guard lock(mutex_);
  const int count = ++by_client_[connection->client];
  connection->one_too_many = count > per_client_ && !is_proxy(connection->client);
  open_.insert(connection.get());
  return connection.release();
}

void Connections::close(Connection* connection) {
  const std::unique_ptr<Connection> owned(connection);
  const std::lock_guard lock(mutex_);
  open_.erase(connection);
  const auto found = by_client_.find(connection->client);
  if (--found->second == 0) by_client_.erase(found);
}

void Connections::restart(Connection& connection) const {
  connection.deadline = (HttpClock::now() + time_allowed_).time_since_epoch().count();
}

void Connections::watch(const std::stop_token& stop) {
  std::condition_variable_any stopped;
  std::mutex unused;
  std::unique_lock waiting(unused);
  while (!stopped.wait_for(waiting, stop, watch_interval, [&] { return stop.stop_requested(); })) {
    const HttpClock::rep now = HttpClock::now().time_since_epoch().count();
    const std::lock_guard lock(mutex_);
    for (const Connection* const connection : open_) {
      if (connection->in_queue || now < connection->deadline) continue;
      shutdown(connection->socket, SHUT_RDWR);  // the server sees an end and closes it
    }
  }
}

}  // namespace burin::apps
