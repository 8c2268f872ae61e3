#include "parser/trace_reader.h"

#include <algorithm>
#include <cstring>

#include "parser/lines.h"

namespace mmreplay {
namespace {

using Severity = TraceIssue::Severity;

// Text of users and drivers, which may run over several lines.
bool CarriesFreeText(std::string_view name, std::string_view args) {
  return name == "tracing_mark_write" || name == "print" || name == "bprint" || name == "bputs" ||
         name == "console" || (!args.empty() && args[0] != '(' && args.find('=') == std::string_view::npos);
}

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

// Meant to be an event.
bool LooksLikeEvent(std::string_view line) {
  return HasCpuColumn(line) || HasTimeColumn(line);
}

}  // namespace

TraceReader::TraceReader(ReadFn read, StringTable* strings, Decoder* decoder)
    : read_(std::move(read)), strings_(strings), decoder_(decoder) {}

// Fills `text` with whole lines. The unfinished rest waits in carry_ for the next batch.
bool TraceReader::FillText(std::vector<char>* text) {
  text->assign(carry_.begin(), carry_.end());
  carry_.clear();
  size_t filled = text->size();
  text->resize(std::max(kBatchBytes, filled));
  while (!input_ended_ && filled < text->size()) {
    size_t got = read_(text->data() + filled, text->size() - filled);
    if (got == 0) input_ended_ = true;
    filled += got;
  }
  text->resize(filled);
  if (input_ended_) return filled > 0;

  auto last_newline = std::find(text->rbegin(), text->rend(), '\n').base();
  if (last_newline == text->begin()) return true;  // one overlong line: Next() deals with it
  carry_.assign(last_newline, text->end());
  text->erase(last_newline, text->end());
  return true;
}

bool TraceReader::Next(Batch* batch) {
  batch->events.clear();
  batch->markers.clear();
  batch->frames.clear();
  batch->fields.clear();
  if (input_ended_ && carry_.empty()) return false;
  if (!FillText(&batch->text)) return false;

  std::string_view rest(batch->text.data(), batch->text.size());
  while (!rest.empty()) {
    size_t end = rest.find('\n');
    bool terminated = end != std::string_view::npos;
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(terminated ? end + 1 : rest.size());
    if (skipping_line_) {  // the tail of a line that was rejected already
      skipping_line_ = !terminated;
      continue;
    }
    if (!terminated && !input_ended_) {
      ++lines_.total;
      ++lines_.rejected;
      Note(Severity::kWarning, "line too long", "a line of more than 1 MiB was left out");
      skipping_line_ = true;
      continue;
    }
    ReadLine(line, terminated, batch);
  }
  return true;
}

void TraceReader::ReadLine(std::string_view line, bool terminated, Batch* batch) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  ++lines_.total;
  switch (Classify(line, terminated, batch)) {
    case Line::kEvent:
      ++lines_.events;
      break;
    case Line::kComment:
      ++lines_.comments;
      break;
    case Line::kContinuation:
      ++lines_.continuations;
      break;
    case Line::kMarker:
      ++lines_.markers;
      break;
    case Line::kRejected:
      ++lines_.rejected;
      break;
  }
}

TraceReader::Line TraceReader::Classify(std::string_view line, bool terminated, Batch* batch) {
  if (auto split = SplitTraceLine(line)) return AddEvent(*split, batch);

  //  => do_syscall_64
  if (stack_owner_) {
    if (auto frame = ParseStackFrame(line)) {
      batch->frames.push_back({*stack_owner_, next_depth_++, *frame});
      return Line::kContinuation;
    }
  }
  // CPU:3 [LOST 5255 EVENTS]
  if (auto lost = ParseLostLine(line)) {
    batch->markers.push_back(
        {LossMarker::Kind::kLost, lost->cpu, lost->lost, lines_.total, static_cast<EventId>(next_event_)});
    return Line::kMarker;
  }
  // ##### CPU 3 buffer started ####
  if (auto cpu = ParseBufferStartedLine(line)) {
    batch->markers.push_back(
        {LossMarker::Kind::kBufferStarted, *cpu, {}, lines_.total, static_cast<EventId>(next_event_)});
    return Line::kMarker;
  }
  if (line.starts_with('#')) {
    if (line.starts_with("# tracer: ")) native_ = true;
    ParseHeaderLine(line, &header_);
    return Line::kComment;
  }
  if (TrimBlanks(line).empty()) {
    if (text_may_continue_) return Line::kContinuation;
    return Line::kComment;
  }
  if (LooksLikeEvent(line)) {
    Note(Severity::kWarning, "line rejected",
         "a line looks like an event and could not be read: " + std::string(line.substr(0, 80)));
    return Line::kRejected;
  }
  if (text_may_continue_) return Line::kContinuation;
  if (!terminated && native_) {
    Note(Severity::kWarning, "truncated", "the last line is cut off: the file is not complete");
    return Line::kRejected;
  }
  if (native_) {
    Note(Severity::kInfo, "foreign line",
         "a line of the trace is no event and no comment: " + std::string(line.substr(0, 80)));
  }
  return Line::kComment;
}

TraceReader::Line TraceReader::AddEvent(const TraceLine& split, Batch* batch) {
  if (!clock_is_ticks_) clock_is_ticks_ = split.ts.is_ticks;
  if (*clock_is_ticks_ != split.ts.is_ticks) {
    Note(Severity::kWarning, "clock changes",
         "time stamps of two kinds in one file: events of the second kind were left out");
    return Line::kRejected;
  }
  TraceBody body = SplitTraceBody(split.body);
  auto id = static_cast<EventId>(next_event_++);
  Event& event = batch->events.emplace_back(Event{
      .id = id,
      .ts = split.ts.value,
      .cpu = split.cpu,
      .pid = static_cast<Pid>(split.pid),
      .tgid = split.tgid,
      .comm = strings_->Intern(split.comm),
      .name = strings_->Intern(body.name),
      .context = strings_->Intern(split.context),
      .in_interrupt = ContextIsInterrupt(split.context),
      .args = body.args,
      .line = lines_.total,
      .payload = Opaque{},
  });
  event.payload = decoder_->Decode(event.name, body.args);

  bool is_stack = body.name == "kernel_stack" || body.name == "user_stack";
  auto [last, first_on_cpu] = last_on_cpu_.try_emplace(split.cpu, LastOnCpu{split.pid, id});
  if (is_stack) {
    // The stack is a record of its own behind the event it belongs to, on the same cpu.
    stack_owner_ = !first_on_cpu && last->second.pid == split.pid ? last->second.event : id;
    next_depth_ = 0;
  } else {
    stack_owner_.reset();
    last->second = {split.pid, id};
  }
  text_may_continue_ = !is_stack && CarriesFreeText(body.name, body.args);
  return Line::kEvent;
}

void TraceReader::Note(Severity severity, std::string_view kind, std::string_view text) {
  for (TraceIssue& issue : issues_) {
    if (issue.kind == kind) {
      ++issue.count;
      return;
    }
  }
  issues_.push_back({severity, std::string(kind), lines_.total, 1, std::string(text)});
}

}  // namespace mmreplay
