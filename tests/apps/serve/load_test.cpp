// `burin serve` with more to do than it can: everybody gets an answer, and what is under way is
// finished when it is told to stop.
#include <gtest/gtest.h>

#include <atomic>

#include "apps/serve/served.h"

namespace burin {
namespace {

using Clock = std::chrono::steady_clock;

/// Somebody else, who looks in every 20 ms for as long as this lives: is the server there, and what
/// is in a picture?
class Bystander {
 public:
  explicit Bystander(const ServedProcess& server)
      : thread_([this, &server](const std::stop_token& stop) {
          while (!stop.stop_requested()) look_in(server);
        }) {}
  /// Every answer came within a second: the server's health, and a verdict or when to ask again.
  void expect_well() {
    thread_.request_stop();
    thread_.join();
    EXPECT_GE(times_, 1);
    EXPECT_EQ(wrong_, 0);
    EXPECT_LT(slowest_, 1 * slowdown);
  }

 private:
  void look_in(const ServedProcess& server) {
    const Clock::time_point start = Clock::now();
    const HttpReply health = server.get("/healthz");
    const Clock::time_point middle = Clock::now();
    const HttpReply verdict = server.predict(server.png());
    const bool answered =
        verdict.status == 200 || (verdict.status == 503 && verdict.has("Retry-After: "));
    if (health.status != 200 || !answered) ++wrong_;
    for (const auto& taken : {middle - start, Clock::now() - middle}) {
      slowest_ = std::max(slowest_, std::chrono::duration<double>(taken).count());
    }
    ++times_;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }

  int times_ = 0, wrong_ = 0;
  double slowest_ = 0;  // seconds
  std::jthread thread_;
};

/// What many clients were told who asked about one picture at once.
struct Uploads {
  std::atomic<int> done{0}, busy{0}, other{0}, without_time{0};

  Uploads(const ServedProcess& server, const std::string& image, int clients) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < clients; ++i) {
      threads.emplace_back([&] {
        const HttpReply reply = server.predict(image);
        ++(reply.status == 200 ? done : reply.status == 503 ? busy : other);
        if (reply.status == 503 && !reply.has("Retry-After: ")) ++without_time;
      });
    }
  }
};

std::string png_of_side(int64_t side) {
  const testing_support::TemporaryFolder folder;
  apps::write_image(folder.file("picture.png"), data::Image(side, side));
  return testing_support::read_whole(folder.file("picture.png"));
}

TEST(ServeLoad, TwoHundredUploadsAtOnceAreAllAnswered) {
  const ServedProcess server;
  if (server.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  Bystander bystander(server);
  const Uploads uploads(server, server.png(), 200);
  EXPECT_EQ(uploads.other, 0) << server.log();
  EXPECT_EQ(uploads.without_time, 0);
  EXPECT_EQ(uploads.done + uploads.busy, 200);
  EXPECT_GE(uploads.done, 63) << "what the queue holds, but for the bystander's place";
  bystander.expect_well();
}

// Some large pictures keep the decoders at work while the others come.
TEST(ServeLoad, WhoFindsTheQueueFullIsToldWhenToComeBack) {
  const ServedProcess server("--queue 8");
  if (server.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  Bystander bystander(server);
  const Uploads uploads(server, png_of_side(600), 200);
  EXPECT_EQ(uploads.other, 0) << server.log();
  EXPECT_EQ(uploads.without_time, 0);
  EXPECT_EQ(uploads.done + uploads.busy, 200);
  EXPECT_GE(uploads.done, 7);
  EXPECT_GT(uploads.busy, 0);
  bystander.expect_well();
}

TEST(ServeQueue, SaysWhenItIsFull) {
  const ServedProcess server("--queue 4");
  if (server.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  const HttpReply reply = server.ask(ServedProcess::post("", "multipart/form-data; boundary=b",
                                                         ServedProcess::form(server.png(), 5)));
  EXPECT_EQ(reply.status, 503) << reply.body;
  EXPECT_TRUE(reply.has("Retry-After: 1"));
  EXPECT_EQ(server.predict(server.png()).status, 200);
}

TEST(ServeStop, FinishesWhatIsUnderWay) {
  ServedProcess server;
  if (server.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  data::Image large(5000, 4000);
  const testing_support::TemporaryFolder folder;
  apps::write_image(folder.file("large.png"), large);
  const std::string png = testing_support::read_whole(folder.file("large.png"));
  RawClient waiting(server.port()), uploading(server.port());
  waiting.send(
      ServedProcess::post("", "multipart/form-data; boundary=b", ServedProcess::form(png, 4)));
  const std::string request = ServedProcess::predict_request(server.png());
  uploading.send(request.substr(0, request.size() - 20));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  server.terminate();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(RawClient(server.port()).connected()) << "no new connections";
  uploading.send(request.substr(request.size() - 20));
  EXPECT_EQ(waiting.receive().status, 200);
  const HttpReply last = uploading.receive();
  EXPECT_EQ(last.status, 200);
  EXPECT_TRUE(last.has("Connection: close"));
  EXPECT_EQ(server.exit_code(), 0) << server.log();
}

TEST(ServeStop, AnswersEverybodyInTheQueue) {
  ServedProcess server;
  if (server.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  const std::string png = png_of_side(1500);
  std::vector<std::unique_ptr<RawClient>> waiting;
  for (int i = 0; i < 40; ++i) {
    waiting.push_back(std::make_unique<RawClient>(server.port()));
    waiting.back()->send(ServedProcess::predict_request(png));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server.terminate();
  for (const auto& client : waiting) EXPECT_EQ(client->receive().status, 200);
  EXPECT_EQ(server.exit_code(), 0) << server.log();
}

TEST(SlowServeStop, DoesNotWaitForOneWhoHasFallenSilent) {
  ServedProcess server;
  if (server.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  const RawClient silent(server.port());
  silent.send(ServedProcess::predict_request(server.png()).substr(0, 200));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const Clock::time_point start = Clock::now();
  server.terminate();
  EXPECT_EQ(server.exit_code(), 0) << server.log();
  EXPECT_LT(std::chrono::duration<double>(Clock::now() - start).count(), 15) << "10 s, and some";
}

TEST(SlowServe, AnswersTenThousandRequestsAndKeepsNothingOfThem) {
  const ServedProcess server;
  if (server.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  std::atomic<int> wrong{0};
  const auto ask = [&](int requests_each) {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 8; ++c) {
      clients.emplace_back([&] {
        RawClient client(server.port());
        for (int i = 0; i < requests_each; ++i) {
          client.send(i % 10 == 0 ? "GET /api/v1/model HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                  : ServedProcess::predict_request(server.png()));
          if (client.receive().status != 200) ++wrong;
        }
      });
    }
  };
  ask(250);
  const int64_t memory = server.resident_bytes(), files = server.open_files();
  Bystander bystander(server);
  ask(1000);
  bystander.expect_well();
  EXPECT_EQ(wrong, 0) << server.log();
  EXPECT_LT(server.resident_bytes(), memory + (16 << 20));
  for (int i = 0; i < 50 && server.open_files() > files; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the last ones are being closed
  }
  EXPECT_LE(server.open_files(), files);
}

}  // namespace
}  // namespace burin
