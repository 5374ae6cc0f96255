// `burin serve` under those who mean it no good, or too well: it stays up, and answers others.
#include <gtest/gtest.h>

#include <random>

#include "apps/serve/served.h"
#include "support/test_data.h"

namespace burin {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class ServeHostile : public testing::Test {
 protected:
  void SetUp() override {
    if (server_.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
    ASSERT_NE(server_.port(), 0) << server_.log();
  }
  /// Others are answered within a second.
  void expect_well() {
    const Clock::time_point start = Clock::now();
    EXPECT_EQ(server_.get("/healthz").status, 200) << server_.log();
    EXPECT_EQ(server_.predict(server_.png()).status, 200) << server_.log();
    EXPECT_LT(seconds_since(start), 1 * slowdown) << server_.log();
  }

  ServedProcess server_;
};

TEST_F(ServeHostile, SlowClientsHoldNobodyUp) {
  std::vector<std::unique_ptr<RawClient>> slow;
  const std::string request = ServedProcess::predict_request(server_.png());
  for (size_t i = 0; i < 100; ++i) {
    slow.push_back(std::make_unique<RawClient>(server_.port()));
    slow.back()->send(request.substr(0, i % 2 == 0 ? 10 : request.size() - 100));
  }
  expect_well();
}

TEST_F(ServeHostile, ClientsThatNeverReadHoldNobodyUp) {
  std::vector<std::unique_ptr<RawClient>> deaf;
  for (int i = 0; i < 50; ++i) {
    deaf.push_back(std::make_unique<RawClient>(server_.port()));
    for (int k = 0; k < 100; ++k) {
      deaf.back()->send("GET /assets/page.js HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
  }
  expect_well();
}

TEST_F(ServeHostile, ClientsThatLeaveAreForgotten) {
  for (int i = 0; i < 200; ++i) {
    RawClient(server_.port()).send(ServedProcess::predict_request(server_.png(), "?gradcam=1"));
  }
  for (int i = 0; i < 100 && !server_.get("/metrics").says("burin_queue_images 0\n"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_TRUE(server_.get("/metrics").says("burin_queue_images 0\n")) << "their places are free";
  expect_well();
}

TEST_F(ServeHostile, EndlessBodiesAreCutOff) {
  RawClient client(server_.port());
  client.send(
      "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  size_t sent = 0;
  while (client.send(chunk) && sent < 200u << 20) sent += chunk.size();
  EXPECT_LT(sent, 60u << 20) << "four times the limit is read, not more";
  expect_well();

  RawClient header(server_.port());
  header.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
  sent = 0;
  while (header.send("X: " + std::string(1000, 'y') + "\r\n") && sent < 200u << 20) sent += 1005;
  EXPECT_LT(sent, 20u << 20) << "an endless header";
  expect_well();
}

TEST_F(ServeHostile, OversizeBodiesAreToldSo) {
  const HttpReply reply = server_.predict(std::string(20 << 20, 'x'));
  EXPECT_EQ(reply.status, 413) << "and not a connection reset";
  RawClient huge(server_.port());
  huge.send(
      "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
      "Content-Length: 99999999999\r\n\r\n");
  EXPECT_EQ(huge.receive().status, 413);
  expect_well();
}

TEST_F(ServeHostile, AddressesWithoutEndAreToldSo) {
  const auto expect_status = [&](const std::string& target, int status) {
    const HttpReply reply = server_.get(target);
    EXPECT_EQ(reply.status, status) << target.size() << " bytes: " << target.substr(0, 40);
    EXPECT_EQ(reply.says("the address is longer than 8000 bytes, or has more than 64 parameters"),
              status == 414)
        << reply.body;
  };
  expect_status("/healthz?" + std::string(63, '&'), 200);
  const int64_t files = server_.open_files();
  for (const size_t parameters : {64, 499, 500, 1000, 3000, 7000}) {
    expect_status("/healthz?" + std::string(parameters, '&'), 414);
  }
  std::string named = "/api/v1/predict?topk=1";
  for (int i = 0; i < 500; ++i) named += str("&a", i, "=1");
  expect_status(named, 414);
  expect_status("/healthz?" + std::string(20'000, 'a'), 414);
  expect_status('/' + std::string(20'000, 'a'), 414);
  EXPECT_LE(server_.open_files(), files);
  expect_well();
}

TEST_F(ServeHostile, HostileFormsAndRequestsAreRefused) {
  std::mt19937 random(7);
  const std::string sound = ServedProcess::form(server_.png(), 3);
  for (int i = 0; i < 300; ++i) {
    std::string body = sound;
    for (unsigned k = 0; k < 1 + random() % 8; ++k) {
      const size_t at = random() % body.size();
      if (random() % 3 == 0)
        body.erase(at, random() % 40);
      else if (random() % 2 == 0)
        body.insert(at, body.substr(random() % body.size(), 30));
      else
        body[at] = static_cast<char>(random());
    }
    const int status =
        server_.ask(ServedProcess::post("", "multipart/form-data; boundary=b", body)).status;
    ASSERT_TRUE(status == 200 || status == 400 || status == 415 || status == 422) << status;
  }
  for (const char* const request :
       {"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02",
        "GET /%00%ff%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        "image/png\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"}) {
    RawClient client(server_.port());
    client.send(request);
  }
  expect_well();
}

TEST_F(ServeHostile, BrokenImagesAreAnsweredInWords) {
  const auto folder = testing_support::test_data("images-nasty");
  if (!folder) GTEST_SKIP() << "no images-nasty among the test data";
  int asked = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*folder)) {
    if (!entry.is_regular_file() || entry.file_size() > 10u << 20) continue;
    const HttpReply reply = server_.predict(testing_support::read_whole(entry.path().string()));
    ASSERT_TRUE(reply.status == 200 || reply.status == 415 || reply.status == 422)
        << entry.path() << ' ' << reply.status << ' ' << reply.body;
    ++asked;
  }
  EXPECT_GT(asked, 100);
  expect_well();
}

TEST_F(ServeHostile, LargePicturesTakeTurnsWithSmallOnes) {
  // A request of some hundred kilobytes that takes seconds to decode.
  data::Image white(5000, 4000);
  const testing_support::TemporaryFolder folder;
  apps::write_image(folder.file("white.png"), white);
  const std::string large = testing_support::read_whole(folder.file("white.png"));
  RawClient client(server_.port());
  client.send(
      ServedProcess::post("", "multipart/form-data; boundary=b", ServedProcess::form(large, 8)));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const Clock::time_point start = Clock::now();
  EXPECT_EQ(server_.predict(server_.png()).status, 200);
  EXPECT_LT(seconds_since(start), 3 * slowdown)
      << "one turn of two large ones, on a machine that is shared";
  EXPECT_EQ(client.receive().status, 200);
}

TEST_F(ServeHostile, OneClientCannotTakeAllConnections) {
  std::vector<std::unique_ptr<RawClient>> greedy;
  for (int i = 0; i < 70; ++i) {
    greedy.push_back(std::make_unique<RawClient>(server_.port(), "127.0.0.2"));
    ASSERT_TRUE(greedy.back()->connected());
  }
  greedy.back()->send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const HttpReply reply = greedy.back()->receive();
  EXPECT_EQ(reply.status, 429);
  EXPECT_TRUE(reply.has("Retry-After: 1"));
  greedy.front()->send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(greedy.front()->receive().status, 200);
  expect_well();
}

// The idle timeout (10 s) never sees a client that sends a byte every five seconds.
TEST(SlowServe, CutsRequestsThatTakeTooLong) {
  const ServedProcess server;
  if (server.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  RawClient client(server.port());
  const Clock::time_point start = Clock::now();
  client.send(
      "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
      "Content-Length: 1000\r\n\r\n");
  while (client.send("x") && seconds_since(start) < 60) {
    std::this_thread::sleep_for(std::chrono::seconds(3));
  }
  EXPECT_GT(seconds_since(start), 25);
  EXPECT_LT(seconds_since(start), 40);
  EXPECT_EQ(server.get("/healthz").status, 200);
}

}  // namespace
}  // namespace burin
