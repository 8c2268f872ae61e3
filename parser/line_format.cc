#include "parser/line_format.h"

#include "parser/console_log.h"
#include "parser/latency_text.h"
#include "parser/lines.h"

namespace mmreplay {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// "task-123 [003] ...:", a cpu column with something that could be a task before it.
bool HasCpuColumn(std::string_view line) {
  size_t open = line.find(" [");
  if (open == std::string_view::npos) return false;
  size_t close = open + 2;
  while (close < line.size() && IsDigit(line[close])) ++close;
  if (close == open + 2 || close >= line.size() || line[close] != ']') return false;
  return line.find(':', close) != std::string_view::npos &&
         line.substr(0, open).find('-') != std::string_view::npos;
}

// " 5.364208: ", a time column.
bool HasTimeColumn(std::string_view line) {
  for (size_t end = line.find(": "); end != std::string_view::npos; end = line.find(": ", end + 1)) {
    size_t dot = end;
    while (dot > 0 && IsDigit(line[dot - 1])) --dot;
    size_t decimals = end - dot;
    if ((decimals == 6 || decimals == 9) && dot > 1 && line[dot - 1] == '.' && IsDigit(line[dot - 2]))
      return true;
  }
  return false;
}

// tracefs text: `trace` and `trace_pipe`.
class FtraceFormat : public LineFormat {
 public:
  bool Split(std::string_view line, std::deque<std::string>* /*owned*/, TraceLine* event,
             TraceBody* body) override {
    auto split = SplitTraceLine(line);
    if (!split) return false;
    *event = *split;
    *body = SplitTraceBody(split->body);
    return true;
  }
};

constexpr const char* kRelativeTime =
    "latency format: time stamps count from the start of the trace buffer; the time of day and the console's "
    "time are not known";

// options/latency-format, with and without options/verbose.
class LatencyFormat : public LineFormat {
 public:
  bool Split(std::string_view line, std::deque<std::string>* /*owned*/, TraceLine* event,
             TraceBody* body) override {
    auto split = SplitLatencyLine(line);
    relative_ |= split.has_value();
    if (!split) split = SplitVerboseLine(line);
    if (!split) return false;
    *event = *split;
    *body = SplitTraceBody(split->body);
    return true;
  }
  bool LooksLikeEvent(std::string_view line) const override { return LooksLikeLatencyEvent(line); }
  std::string TimeNote() const override { return relative_ ? kRelativeTime : ""; }

 private:
  bool relative_ = false;
};

// A console log whose kernel dumped its trace buffer: events between printks, each behind the console's
// own prefix.
//   [   10.279302] Dumping ftrace buffer:
//   [   10.279302] ---------------------------------
//   [   10.279302] toucher/-186       0...1. 6362264us : lock_contended: ffff888030489e70 ptlock_ptr(page)
class ConsoleFormat : public LineFormat {
 public:
  bool Split(std::string_view line, std::deque<std::string>* /*owned*/, TraceLine* event,
             TraceBody* body) override {
    printk_ = StripConsolePrefix(line);
    auto split = SplitLatencyLine(printk_);
    if (!split) return false;
    *event = *split;
    *body = SplitTraceBody(split->body);
    return true;
  }
  std::optional<OtherLine> Classify(std::string_view /*line*/) override {
    if (printk_.find("Dumping ftrace buffer:") != std::string_view::npos) {
      in_dump_ = true;
      after_opening_ = false;
      return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
    }
    if (printk_.starts_with("---------------------------------")) {
      in_dump_ = in_dump_ && !after_opening_;
      after_opening_ = true;
      return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
    }
    // The shared lines, without the prefix they do not expect.
    if (auto lost = ParseLostLine(printk_))
      return OtherLine{.kind = LineKind::kMarker, .frame = {}, .lost = lost, .ends_text = true};
    if (auto frame = ParseStackFrame(printk_))
      return OtherLine{.kind = LineKind::kComment, .frame = frame, .lost = {}, .ends_text = true};
    if (in_dump_) return std::nullopt;
    return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
  }
  bool LooksLikeEvent(std::string_view /*line*/) const override { return LooksLikeLatencyEvent(printk_); }
  std::string TimeNote() const override { return kRelativeTime; }

 private:
  std::string_view printk_;  // of the line Split saw last
  bool in_dump_ = false;
  bool after_opening_ = false;
};

}  // namespace

bool LineFormat::LooksLikeEvent(std::string_view line) const {
  return HasCpuColumn(line) || HasTimeColumn(line);
}

std::unique_ptr<LineFormat> MakeLineFormat(InputFormat format) {
  switch (format) {
    case InputFormat::kLatencyText:
      return std::make_unique<LatencyFormat>();
    case InputFormat::kConsoleLog:
      return std::make_unique<ConsoleFormat>();
    default:
      return std::make_unique<FtraceFormat>();
  }
}

}  // namespace mmreplay
