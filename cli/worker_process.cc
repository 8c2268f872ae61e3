#include "cli/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "parser/error.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

constexpr size_t kHeaderBytes = 5;  // length, type

std::array<int, 2> MakePair() {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    throw Error("triage: socketpair: " + Reason(errno));
  return pair;
}

// Heap and stacks; what a file is mapped for does not count.
void LimitMemory(uint64_t bytes) {
#ifndef MMREPLAY_ADDRESS_SANITIZER
  if (bytes == 0) return;
  rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  setrlimit(RLIMIT_DATA, &limit);
#else
  static_cast<void>(bytes);  // the sanitizer's own maps are larger
#endif
}

}  // namespace

WorkerChannel::~WorkerChannel() {
  close(fd_);
}

bool WorkerChannel::Send(char type, std::string_view body) const {
  std::string message(kHeaderBytes, type);
  auto length = static_cast<uint32_t>(body.size());
  std::memcpy(message.data(), &length, sizeof(length));
  message += body;
  for (size_t at = 0; at < message.size();) {
    ssize_t sent = send(fd_, message.data() + at, message.size() - at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += static_cast<size_t>(sent);
  }
  return true;
}

bool WorkerChannel::Fill(size_t wanted, std::optional<Deadline> deadline) {
  constexpr size_t kReadBytes = size_t{64} * 1024;
  while (buffer_.size() < wanted) {
    if (deadline) {
      auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now());
      pollfd poll_one{.fd = fd_, .events = POLLIN, .revents = 0};
      int ready = poll(&poll_one, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1 << 30)));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return false;
    }
    size_t have = buffer_.size();
    buffer_.resize(have + kReadBytes);
    ssize_t got = recv(fd_, buffer_.data() + have, kReadBytes, 0);
    buffer_.resize(have + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
  }
  return true;
}

std::optional<Message> WorkerChannel::Receive(std::optional<Deadline> deadline) {
  if (!Fill(kHeaderBytes, deadline)) return std::nullopt;
  uint32_t length = 0;
  std::memcpy(&length, buffer_.data(), sizeof(length));
  if (!Fill(kHeaderBytes + length, deadline)) return std::nullopt;
  Message message{buffer_[4], buffer_.substr(kHeaderBytes, length)};
  buffer_.erase(0, kHeaderBytes + length);
  return message;
}

WorkerProcess::WorkerProcess(const std::function<void(WorkerChannel*)>& serve, uint64_t memory_bytes,
                             const std::function<void()>& before) {
  std::array<int, 2> pair = MakePair();
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) {
    int error = errno;
    close(pair[0]);
    close(pair[1]);
    throw Error("triage: fork: " + Reason(error));
  }
  if (pid_ > 0) {
    close(pair[1]);
    channel_ = std::make_unique<WorkerChannel>(pair[0]);
    setpgid(pid_, pid_);  // as the child does: whoever comes first
    return;
  }
  // A group of its own, so that its children are found when it has to be killed.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  close(pair[0]);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) dup2(null, STDIN_FILENO);
  before();
  LimitMemory(memory_bytes);
  // What a crashing log would leave behind is of no use to anybody.
  rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &no_core);
  try {
    WorkerChannel channel(pair[1]);
    serve(&channel);
  } catch (...) {
    _exit(EXIT_FAILURE);  // the parent's stack is below: nothing may be unwound into it
  }
  _exit(EXIT_SUCCESS);
}

WorkerProcess::~WorkerProcess() {
  channel_.reset();
  if (pid_ < 0) return;
  Kill();
  WaitForEnd();
}

void WorkerProcess::Kill() const {
  if (pid_ > 0) kill(-pid_, SIGKILL);
}

std::string WorkerProcess::WaitForEnd() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFSIGNALED(status)) {
    int signal = WTERMSIG(status);
    return "was ended by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
  }
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

FieldWriter& FieldWriter::Add(std::string_view text) {
  auto length = static_cast<uint32_t>(text.size());
  body_.append(reinterpret_cast<const char*>(&length), sizeof(length));
  body_ += text;
  return *this;
}

FieldWriter& FieldWriter::Add(const std::optional<int64_t>& number) {
  return Add(number ? std::string_view(std::to_string(*number)) : std::string_view());
}

std::string FieldReader::Text() {
  uint32_t length = 0;
  if (body_.size() < sizeof(length)) return {};
  std::memcpy(&length, body_.data(), sizeof(length));
  body_.remove_prefix(sizeof(length));
  std::string text(body_.substr(0, length));
  body_.remove_prefix(text.size());
  return text;
}

int64_t FieldReader::Number() {
  return ParseSigned(Text()).value_or(0);
}

std::optional<int64_t> FieldReader::OptionalNumber() {
  std::string text = Text();
  if (text.empty()) return std::nullopt;
  return ParseSigned(text);
}

}  // namespace mmreplay
