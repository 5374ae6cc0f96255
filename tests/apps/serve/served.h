#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "burin/apps/image_file.h"
#include "burin/apps/training/model_file.h"
#include "burin/models/catalog.h"
#include "support/temporary_folder.h"

namespace burin {

/// How many times longer than otherwise an answer may take: sanitized code is slow, and not
/// optimised.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double slowdown = 5;
#else
constexpr double slowdown = 1;
#endif

struct HttpReply {
  int status = 0;  // 0: the connection ended before a whole reply was here
  std::string head;
  std::string body;

  bool has(const std::string& header) const { return head.find(header) != std::string::npos; }
  bool says(const std::string& words) const { return body.find(words) != std::string::npos; }
};

/// A client that says exactly what a test wants said.
class RawClient {
 public:
  /// `from`: an address of the loopback device to come from.
  explicit RawClient(int port, const char* from = "127.0.0.1") {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{60, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    sockaddr_in address = address_of(from, 0);
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return;
    address = address_of("127.0.0.1", port);
    connected_ =
        connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(socket_); }

  bool connected() const { return connected_; }
  /// False once the server has closed the connection.
  bool send(const std::string& bytes) const {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }
  HttpReply receive() {
    HttpReply reply;
    size_t head_end = std::string::npos;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more()) return reply;
    }
    reply.head = received_.substr(0, head_end + 2);
    const size_t field = reply.head.find("Content-Length: ");
    const size_t length =
        field == std::string::npos ? 0 : std::stoul(reply.head.substr(field + 16));
    while (received_.size() < head_end + 4 + length) {
      if (!read_more()) return reply;
    }
    reply.body = received_.substr(head_end + 4, length);
    reply.status = std::stoi(reply.head.substr(9, 3));
    received_.erase(0, head_end + 4 + length);
    if (reply.status == 100) return receive();
    return reply;
  }
  /// Waits until the server closes the connection.
  void wait_for_end() {
    while (read_more()) received_.clear();
  }

 private:
  static sockaddr_in address_of(const char* ip, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, ip, &address.sin_addr);
    return address;
  }
  bool read_more() {
    char buffer[16384];
    const ssize_t n = recv(socket_, buffer, sizeof(buffer), 0);
    if (n > 0) received_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }

  int socket_ = -1;
  bool connected_ = false;
  std::string received_;
};

/// A `burin serve` of its own on a free port, with an untrained model of the classes ai and real.
class ServedProcess {
 public:
  explicit ServedProcess(const std::string& options = "") {
    Generator generator(1);
    const auto model = models::make_model("resnet20", 2, generator);
    model->preprocess.resize = 32;
    model->preprocess.crop = 32;
    apps::save_model(folder_.file("first.safetensors"), *model, {"ai", "real"},
                     {{"burin.accuracy", "0.75"}});
    apps::save_model(folder_.file("second.safetensors"), *model, {"ai", "real"});
    data::Image picture(40, 30);
    for (size_t i = 0; i < picture.pixels.size(); ++i)
      picture.pixels[i] = static_cast<uint8_t>(i * 7);
    std::filesystem::create_directories(folder_.path() / "examples");
    apps::write_image(folder_.file("examples/picture.png"), picture);
    png_ = testing_support::read_whole(folder_.file("examples/picture.png"));
    start("-m " + folder_.file("first.safetensors") + ' ' + folder_.file("second.safetensors") +
          " --port 0 --metrics --examples " + folder_.file("examples") + ' ' + options);
  }
  ~ServedProcess() {
    if (process_ > 0) kill(process_, SIGKILL);
    if (process_ > 0) waitpid(process_, nullptr, 0);
  }

  /// Why there is no server: burin was built without one.
  bool absent() const { return log().find("built without a web server") != std::string::npos; }
  int port() const { return port_; }
  const std::string& png() const { return png_; }
  std::string log() const { return testing_support::read_whole(folder_.file("log")); }

  int64_t resident_bytes() const {
    const std::string status =
        testing_support::read_whole("/proc/" + std::to_string(process_) + "/status");
    return std::stoll(status.substr(status.find("VmRSS:") + 6)) << 10;
  }
  int64_t open_files() const {
    const std::filesystem::directory_iterator files("/proc/" + std::to_string(process_) + "/fd");
    return std::distance(begin(files), end(files));
  }

  void terminate() const { kill(process_, SIGTERM); }
  /// Waits for the end of the process; its exit code.
  int exit_code() {
    int status = 0;
    waitpid(std::exchange(process_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  HttpReply get(const std::string& target) const {
    return ask("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  HttpReply ask(const std::string& request) const {
    RawClient client(port_);
    client.send(request);
    return client.receive();
  }
  HttpReply predict(const std::string& image, const std::string& query = "") const {
    return ask(predict_request(image, query));
  }
  static std::string predict_request(const std::string& image, const std::string& query = "") {
    return post(query, "image/png", image);
  }
  static std::string post(const std::string& query, const std::string& type,
                          const std::string& body) {
    return "POST /api/v1/predict" + query +
           " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  /// A form with so many fields of one content.
  static std::string form(const std::string& content, int count,
                          const std::string& field = "image") {
    std::string body;
    for (int i = 0; i < count; ++i) {
      body += "--b\r\nContent-Disposition: form-data; name=\"" + field + "\"; filename=\"" +
              std::to_string(i) + ".png\"\r\n\r\n" + content + "\r\n";
    }
    return body + "--b--\r\n";
  }

 private:
  void start(const std::string& arguments) {
    process_ = fork();
    if (process_ == 0) {
      const std::string command = "exec '" BURIN_COMMAND "' serve " + arguments + " >" +
                                  folder_.file("log") + " 2>&1 </dev/null";
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    for (int i = 0; i < 600; ++i) {
      const std::string text = log();
      const size_t at = text.find("http://127.0.0.1:");
      if (at != std::string::npos && text.find('\n', at) != std::string::npos) {
        port_ = std::stoi(text.substr(at + 17));
        return;
      }
      if (text.find("error:") != std::string::npos) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  testing_support::TemporaryFolder folder_;
  std::string png_;
  pid_t process_ = -1;
  int port_ = 0;
};

}  // namespace burin
