// A child process that serves requests over a pair of sockets: what crashes, hangs or eats memory there ends
// the child and nothing else. The parent must have one thread when it starts one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mmreplay {

struct Message {
  char type = 0;
  std::string body;
};

// One end of the pair.
class WorkerChannel {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  explicit WorkerChannel(int fd) : fd_(fd) {}
  WorkerChannel(const WorkerChannel&) = delete;
  WorkerChannel& operator=(const WorkerChannel&) = delete;
  ~WorkerChannel();

  // False where the other end is gone.
  bool Send(char type, std::string_view body) const;
  // nullopt where the other end is gone, or `deadline` is past.
  std::optional<Message> Receive(std::optional<Deadline> deadline = {});
  int fd() const { return fd_; }

 private:
  bool Fill(size_t wanted, std::optional<Deadline> deadline);

  int fd_;
  std::string buffer_;
};

class WorkerProcess {
 public:
  // Runs `serve` in a child until it returns. The child ends when its parent does, reads nothing from
  // standard input, and may use `memory_bytes` of memory (0: as much as there is). `before` runs in the child
  // first.
  WorkerProcess(const std::function<void(WorkerChannel*)>& serve, uint64_t memory_bytes,
                const std::function<void()>& before);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess();

  WorkerChannel* channel() { return channel_.get(); }
  // Kills it with all its children.
  void Kill() const;
  // Waits for its end: "was killed by signal 11 (Segmentation fault)", "ended with status 1".
  std::string WaitForEnd();

 private:
  std::unique_ptr<WorkerChannel> channel_;
  pid_t pid_ = -1;
};

// Fields of a message's body.
class FieldWriter {
 public:
  FieldWriter& Add(std::string_view text);
  FieldWriter& Add(int64_t number) { return Add(std::to_string(number)); }
  FieldWriter& Add(const std::optional<int64_t>& number);
  const std::string& body() const { return body_; }

 private:
  std::string body_;
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view body) : body_(body) {}
  bool AtEnd() const { return body_.empty(); }
  std::string Text();
  int64_t Number();
  std::optional<int64_t> OptionalNumber();

 private:
  std::string_view body_;
};

}  // namespace mmreplay
