#include "parser/line_format.h"

#include <re2/re2.h>

#include <set>
#include <string>
#include <utility>

#include "parser/console_log.h"
#include "parser/disguise.h"
#include "parser/function_graph.h"
#include "parser/latency_text.h"
#include "parser/lines.h"
#include "parser/perf_script.h"

namespace mmreplay {
namespace {

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
  explicit FtraceFormat(std::shared_ptr<TraceLineSplitter> splitter) : splitter_(std::move(splitter)) {}

  bool Split(std::string_view line, std::deque<std::string>* /*owned*/, TraceLine* event,
             TraceBody* body) override {
    if (!splitter_->Split(line, event)) return false;
    *body = SplitTraceBody(event->body);
    return true;
  }

 private:
  std::shared_ptr<TraceLineSplitter> splitter_;
};

constexpr const char* kRelativeTime =
    "latency format: time stamps count from the start of the trace buffer; the time of day and the console's "
    "time are not known";

// options/latency-format, with and without options/verbose.
class LatencyFormat : public LineFormat {
 public:
  bool Split(std::string_view line, std::deque<std::string>* /*owned*/, TraceLine* event,
             TraceBody* body) override {
    bool relative = SplitLatencyLine(line, event);
    relative_ |= relative;
    if (!relative && !SplitVerboseLine(line, event)) return false;
    *body = SplitTraceBody(event->body);
    return true;
  }
  bool LooksLikeEvent(std::string_view line) const override { return LooksLikeLatencyEvent(line); }
  bool LooksLikeDamagedEvent(std::string_view line) const override { return HasLatencyTime(line); }
  bool latency_columns() const override { return true; }
  bool is_no_prose() const override { return true; }
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
    prefixed_ = printk_.size() < line.size();
    // Behind no prefix an event may tell what was printed, with its time (console).
    if (!SplitLatencyLine(printk_, event) && !(prefixed_ && SplitLatencyLine(line, event))) {
      printk_ = StripForeignPrefix(line);
      return false;
    }
    events_are_prefixed_ = prefixed_;
    *body = SplitTraceBody(event->body);
    return true;
  }
  std::optional<OtherLine> Classify(std::string_view /*line*/) override {
    if (printk_.find("Dumping ftrace buffer:") != std::string_view::npos) {
      in_dump_ = true;
      after_opening_ = false;
      return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
    }
    if (TrimBlanks(printk_).ends_with("---------------------------------")) {
      in_dump_ = in_dump_ && !after_opening_;
      after_opening_ = true;
      return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
    }
    // The shared lines, without the prefix they do not expect.
    auto lost = in_dump_ ? ParseLostLineBehind(printk_) : ParseLostLine(printk_);
    if (lost) return OtherLine{.kind = LineKind::kMarker, .frame = {}, .lost = lost, .ends_text = true};
    if (auto frame = ParseStackFrame(printk_))
      return OtherLine{.kind = LineKind::kComment, .frame = frame, .lost = {}, .ends_text = true};
    // A dump may end without its closing dashes; what follows has other prefixes, or stands behind a blank
    // line.
    in_dump_ = in_dump_ && prefixed_ == events_are_prefixed_ && !TrimBlanks(printk_).empty();
    if (in_dump_) return std::nullopt;
    if (LooksLikeLatencyEvent(printk_)) return std::nullopt;
    // init/main.c:start_kernel prints linux_banner.
    return OtherLine{.kind = LineKind::kComment,
                     .frame = {},
                     .lost = {},
                     .ends_text = true,
                     .boots = printk_.starts_with("Linux version ")};
  }

  // Of console_unlock in 4.10, of console_emit_next_record in 6.1, and of systemd-journald:
  //   ** 17 printk messages dropped ** [   10.279302] toucher/-186       0...1. ...
  //   ** 17 printk messages dropped **
  //   Nov 22 10:00:00 vm systemd-journald[212]: Missed 23 kernel messages
  bool TakeLoss(std::string_view* line) const override {
    if (!in_dump_) return false;
    constexpr std::string_view kDropped = " printk messages dropped **";
    if (size_t dropped = line->find(kDropped);
        dropped != kNotFound && line->rfind("** ", dropped) != kNotFound) {
      line->remove_prefix(dropped + kDropped.size());
      if (line->starts_with(' ')) line->remove_prefix(1);
      return true;
    }
    std::string_view text = TrimBlanks(*line);
    size_t missed = text.ends_with(" kernel messages") ? text.rfind("Missed ") : kNotFound;
    if (missed == kNotFound || text.size() - missed > 40) return false;
    *line = {};
    return true;
  }
  bool in_events() const override { return in_dump_; }
  bool latency_columns() const override { return true; }
  bool is_no_prose() const override { return true; }
  bool prints_between_events() const override { return true; }
  bool LooksLikeEvent(std::string_view /*line*/) const override { return LooksLikeLatencyEvent(printk_); }
  bool LooksLikeDamagedEvent(std::string_view /*line*/) const override {
    return in_dump_ && HasLatencyTime(printk_);
  }
  std::string TimeNote() const override { return kRelativeTime; }

 private:
  std::string_view printk_;  // of the line Split saw last
  bool in_dump_ = false;
  bool after_opening_ = false;
  bool prefixed_ = false;             // the line carried a prefix
  bool events_are_prefixed_ = false;  // and the dump's lines do
};

// --ts-diff: "(+456)   mm_page_alloc: ..." follows the time, on the first line blanks.
std::string_view WithoutDifference(std::string_view body) {
  if (!body.empty() && body[0] != ' ' && body[0] != '(') return body;
  std::string_view rest = TrimBlanks(body);
  size_t close = rest.find(')');
  bool difference = rest.size() > 2 && rest[0] == '(' && (rest[1] == '+' || rest[1] == '-') &&
                    close != std::string_view::npos &&
                    rest.substr(2, close - 2).find_first_not_of("0123456789.") == std::string_view::npos;
  return difference ? TrimBlanks(rest.substr(close + 1)) : rest;
}

// trace-cmd report, whatever of -t -l -R and --cpu it was given.
//   cpus=4
//             work-69    [002]     6.792132: page_ref_set:         pfn=0x32112 flags=none ...
//   trace-cm-20913   2d..2. 852655.067718: sched_switch:         trace-cmd:20913 [120] R ==> ...      (-l)
//   trace-cm-20913   2-0x1  852655.067718: sched_switch:          prev_comm=trace-cmd ...          (-l -R)
//   CPU:3 [5255 EVENTS DROPPED]
class TraceCmdFormat : public LineFormat {
 public:
  explicit TraceCmdFormat(std::shared_ptr<TraceLineSplitter> splitter) : splitter_(std::move(splitter)) {}

  bool Split(std::string_view line, std::deque<std::string>* /*owned*/, TraceLine* event,
             TraceBody* body) override {
    if (!splitter_->Split(line, event) && !SplitLatencyReportLine(line, event)) return false;
    // Several buffers, or files, in one report: "trace.dat:             work-69 [002] ...". A comm has 15
    // characters at most.
    constexpr size_t kLongestComm = 15;
    event->buffer = {};
    if (size_t colon = event->comm.find(": ");
        event->comm.size() > kLongestComm && colon != std::string_view::npos) {
      event->buffer = event->comm.substr(0, colon);
      event->comm = TrimBlanks(event->comm.substr(colon + 1));
    }
    *body = SplitTraceBody(WithoutDifference(event->body));
    body->args = TrimBlanks(body->args);  // names are padded to a column
    return true;
  }
  std::optional<OtherLine> Classify(std::string_view line) override {
    //            => do_syscall_64 (ffffffff81a0008c)
    if (auto frame = ParseStackFrame(line))
      return OtherLine{.kind = LineKind::kContinuation, .frame = frame, .lost = {}, .ends_text = false};
    // foo: CPU:3 [5255 EVENTS DROPPED]       of several files
    if (size_t name = line.find(": CPU:"); name < 64) {
      if (auto lost = ParseLostLine(line.substr(name + 2)))
        return OtherLine{.kind = LineKind::kMarker, .frame = {}, .lost = lost, .ends_text = true};
    }
    // cpus=4     version = 7     CPU 3 is empty
    bool prologue = IsReportPrologue(line);
    if (prologue) return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
    return std::nullopt;
  }
  bool user_space_text() const override { return true; }
  bool names_buffers() const override { return true; }

 private:
  std::shared_ptr<TraceLineSplitter> splitter_;
};

//            work    69 [002]     6.79                           a sample that lost its end
bool BeginsPerfSample(std::string_view line) {
  static const RE2 pattern(R"(^\s*\S.{0,40}[\s/]\d+\s+\[\d{3,}\](?:\s+[\d.]*:?)?\s*$)");
  return line.find(" [") != kNotFound &&
         RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), pattern);
}

// perf script: samples, each with its call chain below it up to a blank line.
class PerfScriptFormat : public LineFormat {
 public:
  bool Split(std::string_view line, std::deque<std::string>* /*owned*/, TraceLine* event,
             TraceBody* body) override {
    in_chain_ = in_chain_ && !TrimBlanks(line).empty();
    const bool behind_event = std::exchange(behind_event_, false);
    if (IsPerfSideband(line)) return in_chain_ = false;
    if (!SplitPerfLine(line, event, !has_tids_) || (!event->ts && timed_)) return false;
    timed_ |= event->ts.has_value();
    has_tids_ |= event->pid.has_value();
    *body = SplitPerfBody(event->body);
    // "numa:" is the head of an event of a group.
    constexpr size_t kMostGroups = 64;
    std::string_view group = event->body.substr(0, event->body.find(':'));
    if (body->name != group) {
      if (!groups_.contains(group) && groups_.size() < kMostGroups) groups_.emplace(group);
    } else if (body->args.empty() && groups_.contains(group)) {
      *body = {};
    }
    behind_event_ = true;
    without_chains_ |= behind_event;
    in_chain_ = true;
    return true;
  }
  std::optional<OtherLine> Classify(std::string_view line) override {
    if (auto lost = ParsePerfLostLine(line))
      return OtherLine{.kind = LineKind::kMarker, .frame = {}, .lost = lost, .ends_text = true};
    if (IsPerfSideband(line))
      return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
    if (!in_chain_) return std::nullopt;
    if (auto frame = ParsePerfFrame(line); frame && !HasTimeColumn(line) && !ReadsAsEvent(line) &&
                                           !BeginsPerfSample(line) &&
                                           !(without_chains_ && IsPieceOfEvent(line)))
      return OtherLine{.kind = LineKind::kContinuation, .frame = frame, .lost = {}, .ends_text = true};
    return std::nullopt;
  }
  bool LooksLikeEvent(std::string_view line) const override {
    return (HasTimeColumn(line) && line[0] != '#') || BeginsPerfSample(line);
  }
  std::string TimeAdvice() const override { return "perf script prints it with -F +time"; }
  std::string TaskAdvice() const override { return "perf script prints it with -F +comm,+tid"; }
  bool frames_follow_events() const override { return true; }
  bool user_space_text() const override { return true; }

 private:
  bool in_chain_ = false;
  bool behind_event_ = false;    // the line before was a sample
  bool without_chains_ = false;  // of a sample: there would be a blank line before the next one
  bool timed_ = false;           // samples carry a time: a line without is none
  bool has_tids_ = false;        // and a tid
  std::set<std::string, std::less<>> groups_;
};

class FunctionGraphFormat : public LineFormat {
 public:
  bool Split(std::string_view line, std::deque<std::string>* /*owned*/, TraceLine* event,
             TraceBody* body) override {
    *event = {};
    holds_several_ = false;
    kind_ = graph_.Read(line, event, body);
    if (kind_ == FunctionGraph::Line::kEvent) {
      // Events are printed as comments, and may run over lines: /* mm_compaction_end: zone_start=0x1000
      size_t open = line.rfind("/*");
      holds_several_ = open != kNotFound && line.find("| ") < open && line.find("/* ") < open;
      in_comment_ = open != std::string_view::npos && line.find("*/", open) == std::string_view::npos;
      return true;
    }
    // A log may hold what other tracers printed as well.
    if (!SplitTraceLine(line, event)) return false;
    *body = SplitTraceBody(event->body);
    in_comment_ = false;
    return true;
  }
  std::optional<OtherLine> Classify(std::string_view line) override {
    if (kind_ == FunctionGraph::Line::kOther) {
      if (line.starts_with('#') || LooksLikeFunctionGraphRow(line) || ParseLostLine(line))
        return std::nullopt;
      if (ParseStackFrame(line)) return std::nullopt;
      if (in_comment_ && !TrimBlanks(line).empty()) {
        in_comment_ = line.find("*/") == std::string_view::npos;
        return OtherLine{.kind = LineKind::kContinuation, .frame = {}, .lost = {}, .ends_text = true};
      }
      in_comment_ = false;
    }
    return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
  }
  bool LooksLikeEvent(std::string_view line) const override { return LooksLikeFunctionGraphRow(line); }
  bool is_no_prose() const override { return true; }
  // 20 target_cpu=003 */
  bool IsTail(std::string_view line) const override {
    return TrimBlanks(line).ends_with("*/") && line.find("/*") == kNotFound;
  }
  bool holds_several() const override { return holds_several_; }
  std::string TimeAdvice() const override { return "record with options/funcgraph-abstime"; }
  std::string TaskAdvice() const override { return "record with options/funcgraph-proc"; }

 private:
  FunctionGraph graph_;
  FunctionGraph::Line kind_ = FunctionGraph::Line::kOther;
  bool in_comment_ = false;
  bool holds_several_ = false;
};

// A systrace or atrace page: tracefs text inside a script element, or in old ones inside a JavaScript string
// whose lines end in "\n\".
//   <script class="trace-data" type="application/text">
//             <idle>-0     (-----) [001] d..3   269.641356: sched_switch: prev_comm=swapper/1 ...
//   </script>
class HtmlFormat : public LineFormat {
 public:
  bool Split(std::string_view line, std::deque<std::string>* owned, TraceLine* event,
             TraceBody* body) override {
    text_ = line;
    if (text_.ends_with("\\n\\")) text_.remove_suffix(3);
    if (!splitter_.Split(text_, event)) return false;
    // Pages of old versions are escaped, and the comm <idle> shows it.
    escaped_ |= event->comm.find("&lt;") != std::string_view::npos;
    if (escaped_ && text_.find('&') != std::string_view::npos &&
        !SplitTraceLine(owned->emplace_back(Unescape(text_)), event))
      return false;
    *body = SplitTraceBody(event->body);
    return true;
  }
  std::optional<OtherLine> Classify(std::string_view /*line*/) override {
    // "# tracer: nop\n\" must not look like a line of a trace file to the reader: pages are full of other
    // text.
    bool comment = text_.starts_with('#') || text_.starts_with('<') || text_.starts_with("//");
    if (!comment) return std::nullopt;
    return OtherLine{.kind = LineKind::kComment, .frame = {}, .lost = {}, .ends_text = true};
  }
  bool is_no_prose() const override { return true; }
  bool prints_between_events() const override { return true; }

 private:
  TraceLineSplitter splitter_;
  std::string_view text_;
  bool escaped_ = false;
};

}  // namespace

bool LineFormat::LooksLikeEvent(std::string_view line) const {
  return HasCpuColumn(line) || HasTimeColumn(line);
}

bool IsReportPrologue(std::string_view line) {
  constexpr size_t kLongestName = 64;
  return line.starts_with("cpus=") || line.find(": cpus=") < kLongestName || line.starts_with("version = ") ||
         (line.starts_with("CPU ") && line.ends_with(" is empty"));
}

bool ReadsAsEvent(std::string_view line) {
  TraceLine split;
  if (SplitLatencyLine(StripConsolePrefix(line), &split) || SplitVerboseLine(line, &split)) return true;
  // 3)               |  /* page_ref_set: pfn=0x3081c ... */
  size_t comment = line.find("| ");
  bool in_graph = comment != kNotFound && TrimBlanks(line.substr(comment + 1)).starts_with("/* ");
  if (in_graph && line.find(": ", comment) != kNotFound && LooksLikeFunctionGraphRow(line)) return true;
  if (!HasTimeColumn(line) || IsPerfSideband(line)) return false;
  if (HasCpuColumn(line) && SplitTraceLine(line, &split)) return true;
  if (SplitLatencyReportLine(line, &split)) return true;
  return line.find(" [0") != kNotFound && SplitPerfLine(line, &split) && split.cpu;
}

bool BeginsEvent(std::string_view line, bool native) {
  static const RE2 prose(
      R"(^\s*\S.{0,40}-\d+\s+(?:\([\s\d-]+\)\s+)?\[\d{3,}\](?:\s+\S{4,8})?(?:\s+[\d.]*:?)?\s*$)");
  static const RE2 cut(
      R"(^\s*\S.{0,40}-\d+\s+(?:\([\s\d-]+\)\s+)?\[\d*\]?(?:\s+\S{1,8})?(?:\s+[\d.]*:?)?\s*$)");
  return line.find(" [") != kNotFound &&
         RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), native ? cut : prose);
}

bool EndsEvent(std::string_view line) {
  static const RE2 pattern(R"(^\s*(?:/\* )?(?:(?:[\d.]*:|(?:\S{1,8}\s+)?\d+us[ +!#*@$]?\s*:) )?)"
                           R"([a-z_][\w.]*: (?:\w+=\S|\([\w.]+\+0x))");
  return RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), pattern);
}

bool IsPieceOfEvent(std::string_view line) {
  // The task's name is right-aligned to 16 columns, and its pid stands behind it.
  constexpr size_t kNameColumns = 16;
  constexpr size_t kMostHead = 64;
  static const RE2 pid(R"(^(?:-| +)\d+(?:/\d*)? *(?:\([\s\d-]*\)?)? *(?:\[\d*\]?)? *$)");
  static const RE2 fields(R"((?:^|\s)\w+=\S+ (?:.* )?\w+=\S)");
  static const RE2 ours(
      R"(\b(?:pfn|prev_prio|prev_state|next_comm|next_pid|target_cpu|mapcount|migratetype|gfp_flags)=)");
  const re2::StringPiece text(line.data(), line.size());
  if (line.size() > kNameColumns && line.size() <= kMostHead && line[0] == ' ' &&
      line[kNameColumns - 1] != ' ') {
    std::string_view behind = line.substr(kNameColumns);
    if (RE2::PartialMatch(re2::StringPiece(behind.data(), behind.size()), pid)) return true;
  }
  // n_entry_wait_on_locked+0x0/0x300) entry=0x7800000c0000c000
  static const RE2 place(R"(^[\w.]*\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[\w+\])?(?: <- [\w.]+)?\)(?:$| \w+=))");
  return RE2::PartialMatch(text, place) || (RE2::PartialMatch(text, ours) && RE2::PartialMatch(text, fields));
}

std::unique_ptr<LineFormat> MakeLineFormat(InputFormat format, std::shared_ptr<TraceLineSplitter> splitter) {
  if (!splitter) splitter = std::make_shared<TraceLineSplitter>();
  switch (format) {
    case InputFormat::kTraceCmdReport:
      return std::make_unique<TraceCmdFormat>(std::move(splitter));
    case InputFormat::kPerfScript:
      return std::make_unique<PerfScriptFormat>();
    case InputFormat::kFunctionGraph:
      return std::make_unique<FunctionGraphFormat>();
    case InputFormat::kSystraceHtml:
      return std::make_unique<HtmlFormat>();
    case InputFormat::kLatencyText:
      return std::make_unique<LatencyFormat>();
    case InputFormat::kConsoleLog:
      return std::make_unique<ConsoleFormat>();
    default:
      return std::make_unique<FtraceFormat>(std::move(splitter));
  }
}

}  // namespace mmreplay
