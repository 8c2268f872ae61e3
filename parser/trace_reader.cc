#include "parser/trace_reader.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "parser/latency_text.h"
#include "parser/lines.h"
#include "parser/numbers.h"
#include "parser/perf_script.h"

namespace mmreplay {
namespace {

using Severity = TraceIssue::Severity;

// What a file system or a cable puts in the place of a block is one byte again and again, and that runs from
// one event into another.
bool IsOverwritten(std::string_view line) {
  constexpr size_t kRun = 256;
  line = line.size() < kRun ? std::string_view() : TrimBlanks(line);
  for (size_t begin = 0, end = 0; begin < line.size(); begin = end) {
    end = std::min(line.find_first_not_of(line[begin], begin), line.size());
    if (end - begin >= kRun) return true;
  }
  return false;
}

bool CanBeName(std::string_view name) {
  constexpr size_t kLongest = 100;  // of events: 64
  return !name.empty() && name.size() <= kLongest;
}

// Text of users and drivers, which may run over several lines. What trace_printk prints in a function has its
// name.
bool CarriesFreeText(std::string_view name, std::string_view args) {
  if (PrintsText(name)) return true;
  if (args.empty() || args[0] == '(') return false;
  bool in_function =
      FunctionOfSymbol(name) != KernelFunction::kOther && TracepointNamed(name) == Tracepoint::kNone;
  return in_function || args.find('=') == std::string_view::npos;
}

constexpr const char* kLastLineIsCut = "the last line is cut off: the file is not complete";
constexpr const char* kHole =
    "there are NUL bytes in the place of text: what stood there is lost (blocks of a file system "
    "that were not written before a crash)";
constexpr const char* kCut = "a line is a piece of an event";
constexpr const char* kOverwritten = "a block of the file was overwritten";
constexpr const char* kSeveral = "a line holds several events";
constexpr const char* kOtherForm = "a line is an event in another form than the trace's own";

bool IsNameChar(char c) {
  return IsDigit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Nothing, or a word and no colon, behind an event's time. What tracers print there besides has blanks.
bool NameIsCut(const TraceBody& body) {
  return body.name.empty() && std::all_of(body.args.begin(), body.args.end(), IsNameChar);
}

// A line that could not be read has two words that end with a colon: its time and its name.
bool HasName(std::string_view line) {
  size_t first = line.find(": ");
  return first != kNotFound && (line.find(": ", first + 2) != kNotFound || line.ends_with(':'));
}

// "d..2.     5.801402: ": what follows a cpu column.
std::optional<TimeStamp> TimeBehindCpu(std::string_view text) {
  constexpr size_t kMostColumns = 2;  // flags or none, and the time
  for (size_t column = 0; column < kMostColumns; ++column) {
    while (!text.empty() && IsBlank(text[0])) text.remove_prefix(1);
    std::string_view word = text.substr(0, std::min(text.find(' '), size_t{40}));
    text.remove_prefix(word.size());
    if (word.size() > 8 && word.back() == ':' && word.find('.') != kNotFound)
      return ParseTimeStamp(word.substr(0, word.size() - 1));
  }
  return std::nullopt;
}

// The time of another event in the arguments of one: the end of its line is lost, or is no '\n'.
//   val=1            init-1       [001] .....     5.801402: page_ref_mod: ...
std::optional<TimeStamp> TimeOfSecondEvent(std::string_view args) {
  for (size_t open = args.find('['); open != kNotFound; open = args.find('[', open + 1)) {
    size_t close = open + 1;
    while (close < args.size() && IsDigit(args[close])) ++close;
    bool is_cpu = close >= open + 4 && close + 1 < args.size() && args[close] == ']' &&
                  args[close + 1] == ' ' && open > 0 && IsBlank(args[open - 1]);
    if (!is_cpu) continue;
    if (auto ts = TimeBehindCpu(args.substr(close + 1))) return ts;
  }
  return std::nullopt;
}

// How a sample of a mail's text looks when it is encoded as quoted-printable: no '=' stands for itself.
bool LooksQuotedPrintable(std::string_view text) {
  auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  size_t encoded = 0;
  size_t bare = 0;
  for (size_t at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1)) {
    std::string_view next = text.substr(at + 1, 2);
    bool is_code = next.size() == 2 && is_hex(next[0]) && is_hex(next[1]);
    bool is_fold = next.empty() || next[0] == '\n' || next == "\r\n";
    ++(is_code || is_fold ? encoded : bare);
  }
  return encoded >= 3 && bare * 10 < encoded && text.find("=3D") != std::string_view::npos;
}

std::string DecodeQuotedPrintable(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '=' && at + 2 < text.size()) {
      if (auto byte = ParseHexDigits(text.substr(at + 1, 2))) {
        decoded += static_cast<char>(*byte);
        at += 2;
        continue;
      }
    }
    decoded += text[at];
  }
  return WithBlanks(decoded);  // mailers turn runs of them into no-break spaces
}

// "> > >   kworker/0:1-44  [000] ...": what was quoted. No line of a trace begins so: comms have 15
// characters in a column of 16.
std::string_view StripQuotes(std::string_view line) {
  while (!line.empty() && line[0] == '>') {
    line.remove_prefix(1);
    if (line.starts_with(" >")) line.remove_prefix(1);
  }
  return line;
}

}  // namespace

TraceReader::TraceReader(ReadFn read, std::unique_ptr<LineFormat> format, StringTable* strings,
                         Decoder* decoder, size_t batch_bytes, size_t longest_line,
                         std::shared_ptr<RecentTexts> recent)
    : read_(std::move(read)),
      format_(std::move(format)),
      strings_(strings),
      recent_(recent ? std::move(recent) : std::make_shared<RecentTexts>()),
      decoder_(decoder),
      batch_bytes_(batch_bytes),
      longest_line_(std::max(batch_bytes, longest_line)) {
  if (format_->user_space_text()) decoder_->set_user_space_text();
}

// Fills `text` with whole lines. The unfinished rest waits in carry_ for the next batch.
bool TraceReader::FillText(TextBuffer* text) {
  text->assign(carry_.begin(), carry_.end());
  carry_.clear();
  size_t filled = text->size();
  text->resize(std::max(batch_bytes_, filled));
  auto last_newline = text->begin();
  for (size_t looked_at = 0;;) {
    while (!input_ended_ && filled < text->size()) {
      size_t got = read_(text->data() + filled, text->size() - filled);
      if (got == 0) input_ended_ = true;
      filled += got;
    }
    if (input_ended_) {
      text->resize(filled);
      return filled > 0;
    }
    auto unseen = std::make_reverse_iterator(text->begin() + static_cast<std::ptrdiff_t>(looked_at));
    last_newline = std::find(text->rbegin(), unseen, '\n').base();
    bool found = last_newline != text->begin() + static_cast<std::ptrdiff_t>(looked_at);
    if (!found) last_newline = text->begin();
    if (found || filled >= longest_line_) break;
    looked_at = filled;
    text->resize(std::min(2 * filled, longest_line_));
  }
  if (last_newline == text->begin()) return true;  // one overlong line: Next() deals with it
  carry_.assign(last_newline, text->end());
  text->erase(last_newline, text->end());
  return true;
}

bool TraceReader::Next(Batch* batch) {
  batch->Clear();
  if (input_ended_ && carry_.empty()) return false;
  if (!FillText(&batch->text)) {
    if (folded_lines_ == 0) return false;
    FinishFolded(batch);
    return true;
  }

  batch->text_at = text_at_;
  batch->events.reserve(events_in_last_ + events_in_last_ / 32);
  std::string_view rest(batch->text.data(), batch->text.size());
  if (!quoted_printable_) quoted_printable_ = LooksQuotedPrintable(rest);
  if (!disguise_) disguise_ = Disguise(rest);
  has_nul_ = rest.find('\0') != kNotFound;
  for (size_t lines = 0; !rest.empty() && lines < kBatchLines; ++lines) {
    size_t end = rest.find('\n');
    bool terminated = end != std::string_view::npos;
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(terminated ? end + 1 : rest.size());
    if (skipping_line_) {  // the tail of a line that was rejected already
      skipping_line_ = !terminated;
      continue;
    }
    if (!terminated && !input_ended_) {
      line_ = ++lines_.total;
      ++lines_.rejected;
      LeaveOutLongLine(line, batch);
      skipping_line_ = true;
      continue;
    }
    ReadLine(line, terminated, batch);
  }
  text_at_ += batch->text.size() - rest.size();
  if (!rest.empty()) carry_.insert(0, rest);
  TellLeftOut(batch);
  events_in_last_ = batch->events.size();
  if (input_ended_ && carry_.empty() && folded_lines_ > 0) FinishFolded(batch);
  return true;
}

// No event has such a line: where they have begun, some are lost, with the ends of their lines.
void TraceReader::LeaveOutLongLine(std::string_view line, Batch* batch) {
  if (lines_.events == 0 || !format_->in_events())
    return Note(Severity::kWarning, "line too long", "a line of more than 1 MiB was left out");
  if (line.find('\0') != kNotFound) {
    Note(Severity::kError, "damaged", kHole);
  } else {
    Note(Severity::kError, "line too long",
         "a line of more than 1 MiB was left out: the events that stood in its place are lost");
  }
  AddUnreadable(kAnyCpu, batch);
}

void TraceReader::ReadLine(std::string_view line, bool terminated, Batch* batch) {
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  ++lines_.total;
  line_ = lines_.total;
  if (disguise_->any() && disguise_->IsOn(line)) line = batch->owned.emplace_back(disguise_->TakeOff(line));
  if (line_ == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (*quoted_printable_ && !Unfold(&line, !terminated, batch)) return;
  if (!native_) line = StripQuotes(line);
  bool hole = has_nul_ && format_->in_events() && TakeHole(&line, batch);
  if (format_->TakeLoss(&line)) {
    Note(Severity::kError, "messages dropped",
         "the console, or what kept its log, could not follow while the trace was printed: events are "
         "missing");
    AddUnreadable(kAnyCpu, batch);
    if (line.empty()) return Count(LineKind::kComment);
  }
  const int64_t pieces = pieces_;
  LineKind kind = hole ? LineKind::kRejected : Classify(line, terminated, batch);
  if (pieces_ == pieces) pieces_ = 0;  // what stands here is none
  // Behind a name without arguments may be what a mailer put into the next line.
  behind_event_ = (kind == LineKind::kEvent && !body_.args.empty()) || pieces_ > 0;
  Count(kind);
}

// Blocks of a file that never reached the disk are NULs. Where they stand in a line's beginning what follows
// may be a line; true where they are within one, and it is another line's end.
bool TraceReader::TakeHole(std::string_view* line, Batch* batch) {
  size_t first = line->find('\0');
  if (first == kNotFound) return false;
  bool begins = first == 0;
  if (begins) line->remove_prefix(std::min(line->find_first_not_of('\0'), line->size()));
  if (lines_.events == 0) return false;  // a log's head
  Note(Severity::kError, "damaged", kHole);
  AddUnreadable(kAnyCpu, batch);
  bool within = line->find('\0') != kNotFound;
  if (!begins || within) return format_->Split(*line, &batch->owned, &split_, &body_) || ReadsAsEvent(*line);
  return false;
}

// The line that was split last goes on with an event that came after it.
bool TraceReader::HoldsAnotherEvent() const {
  if (format_->holds_several()) return true;
  // CPU:1 [LOST 12 EVENTS]        toucher/1-71 [001] ...       or, of a screen, behind a carriage return
  // Of a comm there are 15 characters at most.
  static const RE2 lost(R"(CPU:\d+ \[LOST \d+ EVENTS\])");
  constexpr size_t kLongestComm = 15;
  auto tells_loss = [](std::string_view text) {
    return text.find('[') != kNotFound && RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), lost);
  };
  if ((split_.comm.size() > kLongestComm && tells_loss(split_.comm)) || tells_loss(body_.args)) return true;
  std::optional<TimeStamp> second;
  if (format_->latency_columns()) {
    // Its head may be lost.
    static const RE2 time(R"(\d+us[ +!#*@$]?\s*: [a-z_]\w*: )");
    TraceLine split;
    if (body_.args.find("us") != kNotFound &&
        RE2::PartialMatch(re2::StringPiece(body_.args.data(), body_.args.size()), time))
      return true;
    if (body_.args.find("us") != kNotFound && SplitLatencyLine(body_.args, &split)) second = split.ts;
  } else {
    second = TimeOfSecondEvent(body_.args);
  }
  if (!second) return false;
  constexpr int64_t kLongest = 60'000'000'000;  // ns
  if (!split_.ts || split_.ts->is_ticks != second->is_ticks) return true;
  return second->value >= split_.ts->value && second->value - split_.ts->value <= kLongest;
}

// What an event or a piece of the trace told is missing.
void TraceReader::AddUnreadable(int32_t cpu, Batch* batch) const {
  AddMarker({LossMarker::Kind::kUnreadable, cpu, {}, line_, {}}, batch);
}

LineKind TraceReader::Reject(std::string_view line, std::optional<std::string_view> concerning,
                             const char* why, Batch* batch) {
  std::string text = std::string(why) + ": " + std::string(line.substr(0, 80));
  TraceIssue issue = decoder_->RejectedIssue("line rejected", line_, concerning, std::move(text));
  if (issue.severity == Severity::kError) AddUnreadable(kAnyCpu, batch);
  CountIssue(std::move(issue), &issues_);
  return LineKind::kRejected;
}

// Decodes a line of a mail; false when it goes on in the next one.
bool TraceReader::Unfold(std::string_view* line, bool last, Batch* batch) {
  bool folded = !last && !line->empty() && line->back() == '=';
  if (folded) line->remove_suffix(1);
  folded_ += DecodeQuotedPrintable(*line);
  if (folded && folded_.size() < batch_bytes_) {
    ++folded_lines_;
    return false;
  }
  *line = batch->owned.emplace_back(std::exchange(folded_, {}));
  line_ -= folded_lines_;
  return true;
}

// The last line asked for another one.
void TraceReader::FinishFolded(Batch* batch) {
  std::string_view line = batch->owned.emplace_back(std::exchange(folded_, {}));
  line_ = lines_.total;
  --folded_lines_;
  Count(Classify(StripQuotes(line), true, batch));
}

void TraceReader::Count(LineKind kind) {
  if (kind == LineKind::kEvent && folded_lines_ == 0) {
    ++lines_.events;
    return;
  }
  auto add = [&](LineKind what, int64_t count) {
    switch (what) {
      case LineKind::kEvent:
        lines_.events += count;
        break;
      case LineKind::kComment:
        lines_.comments += count;
        break;
      case LineKind::kContinuation:
        lines_.continuations += count;
        break;
      case LineKind::kMarker:
        lines_.markers += count;
        break;
      case LineKind::kRejected:
        lines_.rejected += count;
        break;
    }
  };
  add(kind, 1);
  bool goes_on = kind == LineKind::kEvent || kind == LineKind::kMarker;
  add(goes_on ? LineKind::kContinuation : kind, std::exchange(folded_lines_, 0));
}

// The end of an event whose beginning is lost.
bool TraceReader::IsHeadless(std::string_view line, bool in_events) const {
  bool among_events = lines_.events > 0 && !text_may_continue_ && in_events;
  return among_events && (native_ || format_->is_no_prose()) && EndsEvent(line) &&
         decoder_->Concerns(line.substr(0, line.rfind(": ")));
}

// Between two events there is no prose; behind the last one, and between what another program prints, there
// is.
bool TraceReader::MayBePiece(std::string_view line) const {
  constexpr std::string_view kRules = "-=*_.~+";  // that people draw between paragraphs
  if (!behind_event_ || text_may_continue_ || line.empty()) return false;
  if (decoder_->IsPieceOfHit(line)) return true;
  return !format_->prints_between_events() &&
         (IsPieceOfEvent(line) || format_->IsTail(line) || decoder_->IsTailOfHit(line) ||
          (kRules.find(line[0]) == kNotFound && IsOverwritten(line)));
}

void TraceReader::AddPiece(std::string_view line) {
  ++pieces_;
  piece_line_ = line_;
  piece_ = line.substr(0, 80);
}

// They were counted as comments.
void TraceReader::RejectPieces(Batch* batch) {
  AddUnreadable(kAnyCpu, batch);
  for (; pieces_ > 0; --pieces_) {
    --lines_.comments;
    ++lines_.rejected;
    CountIssue(decoder_->RejectedIssue("line rejected", piece_line_, std::nullopt,
                                       std::string(kCut) + ": " + piece_),
               &issues_);
  }
}

void TraceReader::SeeWidth(std::string_view line) {
  if (line.size() > width_) {
    width_ = line.size();
    cut_at_width_ = 0;
  }
  at_width_ = line.size() == width_;
}

// What such a line tells may be cut, too: a number that lost its last digits is another number.
bool TraceReader::IsCutAtWidth() const {
  constexpr int64_t kSome = 3;
  return at_width_ && cut_at_width_ >= kSome;
}

LineKind TraceReader::Classify(std::string_view line, bool terminated, Batch* batch) {
  SeeWidth(line);
  if (format_->Split(line, &batch->owned, &split_, &body_)) {
    if (pieces_ > 0) RejectPieces(batch);
    if (lines_.events > 0 && IsOverwritten(line) && !PrintsText(body_.name) &&
        (!CanBeName(body_.name) || decoder_->Concerns(body_.name)))
      return Reject(line, std::nullopt, kOverwritten, batch);
    if (HoldsAnotherEvent() && !PrintsText(body_.name)) {
      if (HasMeaning(body_)) return Reject(line, line, kSeveral, batch);
      Reject(line, body_.args, kSeveral, batch);  // the others: what carries a text is kept
    }
    // Where mails wrap lines the name, or what stands behind it, is in the next one.
    bool wrapped = body_.args.empty() && !native_ && !format_->user_space_text();
    bool cut = (native_ && body_.args.empty() && decoder_->Concerns(body_.name)) ||
               (NameIsCut(body_) && !wrapped && decoder_->BeginsKnownName(body_.args));
    if (terminated && cut && header_.tracer != "function") return Reject(line, std::nullopt, kCut, batch);
    terminated_ = terminated;
    return AddEvent(split_, body_, batch);
  }
  bool in_events = format_->in_events();  // before this line, which may end them
  if (auto other = format_->Classify(line)) {
    bool prose =
        other->kind == LineKind::kComment && !other->frame && !line.starts_with('#') && !IsPerfSideband(line);
    if (prose && ReadsAsEvent(line)) return Reject(line, line, kOtherForm, batch);
    if (prose && terminated && IsHeadless(line, in_events)) return Reject(line, std::nullopt, kCut, batch);
    if (prose && terminated && MayBePiece(line)) AddPiece(line);
    return AddOther(*other, batch);
  }

  //  => do_syscall_64
  if (stack_owner_) {
    if (auto frame = ParseStackFrame(line)) return AddFrame(*frame, batch);
  }
  // CPU:3 [LOST 5255 EVENTS]
  if (auto lost = ParseLostLine(line))
    return AddMarker({LossMarker::Kind::kLost, lost->cpu, lost->lost, line_, {}}, batch);
  static const RE2 damaged_loss(R"(^\s*CPU:\d+ \[[^\]]*(?:LOST|EVENTS|DROPPED)[^\]]*\]\s*$)");
  if (!text_may_continue_ && line.find("CPU:") != kNotFound &&
      RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), damaged_loss))
    return Reject(line, std::nullopt, "how many events were lost could not be read", batch);
  // ##### CPU 3 buffer started ####
  if (auto cpu = ParseBufferStartedLine(line))
    return AddMarker({LossMarker::Kind::kBufferStarted, *cpu, {}, line_, {}}, batch);
  if (line.starts_with('#')) {
    ReadHead(line);
    ParseHeaderLine(line, &header_);
    return LineKind::kComment;
  }
  if (TrimBlanks(line).empty()) {
    if (text_may_continue_) return LineKind::kContinuation;
    return LineKind::kComment;
  }
  if (format_->LooksLikeEvent(line) || (!text_may_continue_ && format_->LooksLikeDamagedEvent(line))) {
    // A file that is cut off ends within a line: the recording ends before it.
    auto concerning = HasName(line) ? std::optional(line) : std::nullopt;
    return Reject(line, terminated ? concerning : std::string_view(),
                  "a line looks like an event and could not be read", batch);
  }
  bool within = terminated && lines_.events > 0 && !text_may_continue_ && format_->in_events();
  if (within && (BeginsEvent(line, native_) || IsHeadless(line, in_events)))
    return Reject(line, std::nullopt, kCut, batch);
  if (ReadsAsEvent(line)) return Reject(line, line, kOtherForm, batch);
  if (text_may_continue_) return LineKind::kContinuation;
  if (!terminated && native_) {
    Note(Severity::kWarning, "truncated", kLastLineIsCut);
    return LineKind::kRejected;
  }
  if (native_) {
    Note(Severity::kInfo, "foreign line",
         "a line of the trace is no event and no comment: " + std::string(line.substr(0, 80)));
  }
  if (terminated && MayBePiece(line)) AddPiece(line);
  return LineKind::kComment;
}

// The head of a trace stands at its beginning. Behind events another one begins, unless a text quotes it,
// which has no line of how many entries there are.
void TraceReader::ReadHead(std::string_view line) {
  constexpr size_t kLongest = 4096;
  bool begins = line.starts_with("# tracer: ");
  if (begins) {
    native_ = in_head_ = true;
    legend_.clear();
  }
  // "#                                _-----=> irqs-off/BH-disabled", "# function latency trace v1.1.5
  // on 6.1.0"
  size_t meaning = line.find("=> ");
  if (meaning == std::string_view::npos) meaning = line.find("latency trace v");
  if (meaning != std::string_view::npos && legend_.size() < kLongest)
    legend_.append(line.substr(meaning)).append("\n");
  bool is_head = (begins && !text_may_continue_) || (in_head_ && line.starts_with("# entries-in-buffer"));
  if (is_head && kept_any_ && !next_head_) next_head_ = line_;
}

// Where the stamps go back it is the file of the next cpu, or what is out of order anyway. What follows is
// taken for the same machine's, read again after a while: what happened meanwhile is missing. What another
// legend explains is another kernel's: kernel/trace/trace.c:print_lat_help_header and
// print_func_help_header_irq name the flags there are.
void TraceReader::BeginAnother(const TraceLine& split, Batch* batch) {
  if (!split.ts || !last_ts_ || split.ts->value >= *last_ts_) {
    bool both = !first_legend_.empty() && !legend_.empty();
    if (both && legend_ != first_legend_) {
      next_boot_ = next_head_;
    } else {
      batch->markers.push_back(
          {LossMarker::Kind::kUnreadable, kAnyCpu, {}, *next_head_, static_cast<EventId>(next_event_ - 1)});
      Note(Severity::kWarning, "recordings joined",
           "the head of a trace stands behind events, and its stamps go on: what happened between the "
           "two recordings is missing");
    }
  }
  next_head_.reset();
}

LineKind TraceReader::AddOther(const OtherLine& other, Batch* batch) {
  if (other.ends_text) text_may_continue_ = false;
  if (other.boots && kept_any_ && !next_boot_) next_boot_ = line_;
  if (other.frame && stack_owner_) return AddFrame(*other.frame, batch);
  if (other.lost)
    return AddMarker({LossMarker::Kind::kLost, other.lost->cpu, other.lost->lost, line_, {}}, batch);
  return other.kind;
}

LineKind TraceReader::AddFrame(std::string_view frame, Batch* batch) {
  if (!owner_left_out_) batch->frames.push_back({*stack_owner_, next_depth_++, frame});
  return LineKind::kContinuation;
}

LineKind TraceReader::AddMarker(const LossMarker& marker, Batch* batch) const {
  LossMarker placed = marker;
  placed.next_event = static_cast<EventId>(next_event_);
  if (filter_) {
    filter_->Pass(placed, batch);
  } else {
    batch->markers.push_back(placed);
  }
  return LineKind::kMarker;
}

// Before anything of the event is stored or decoded.
bool TraceReader::Keeps(const TraceLine& split, const TraceBody& body, Batch* batch) {
  EventFilter::Subject event{.id = static_cast<EventId>(next_event_),
                             .line = line_,
                             .ts = split.ts ? std::optional(split.ts->value) : std::nullopt,
                             .cpu = split.cpu,
                             .pid = split.pid ? std::optional(static_cast<Pid>(*split.pid)) : std::nullopt,
                             .comm = split.comm,
                             .name = body.name};
  if (filter_->Keeps(event, clock_is_ticks_.value_or(false), batch)) return true;
  ++lines_.left_out;
  if (filter_->AsksForMeaning() && HasMeaning(body)) filter_->LeftOutMeaning(event, batch);
  return false;
}

bool TraceReader::HasMeaning(const TraceBody& body) {
  return !std::holds_alternative<Opaque>(decoder_->Decode(strings_->InternName(body.name), body.args));
}

inline TraceReader::LastOnCpu& TraceReader::LastOn(int32_t cpu) {
  auto index = static_cast<size_t>(cpu);
  return index < last_on_cpu_.size() ? last_on_cpu_[index] : LastOnNew(cpu);
}

TraceReader::LastOnCpu& TraceReader::LastOnNew(int32_t cpu) {
  // NR_CPUS is 8192 at most (arch/x86/Kconfig); what an odd log may name besides is kept apart.
  constexpr size_t kCpus = 8192;
  constexpr size_t kUsualCpus = 512;  // one of thousands of files has few cpus, and high ones
  auto index = static_cast<size_t>(cpu);
  if (cpu < 0 || index >= kUsualCpus) {
    if (last_on_other_cpu_.size() >= kCpus) last_on_other_cpu_.clear();
    return last_on_other_cpu_[cpu];
  }
  if (index >= last_on_cpu_.size()) last_on_cpu_.resize(index + 1);
  return last_on_cpu_[index];
}

LineKind TraceReader::AddEvent(const TraceLine& split, const TraceBody& body, Batch* batch) {
  if (split.ts) {
    if (!clock_is_ticks_) clock_is_ticks_ = split.ts->is_ticks;
    if (*clock_is_ticks_ != split.ts->is_ticks) {
      Note(Severity::kError, "clock changes",
           "time stamps of two kinds in one file: events of the second kind were left out");
      return LineKind::kRejected;
    }
  }
  without_time_ |= !split.ts;
  without_task_ |= !split.pid;
  bool kept = !filter_ || Keeps(split, body, batch);
  auto id = static_cast<EventId>(next_event_++);
  if (kept) {
    if (next_head_) BeginAnother(split, batch);
    if (!kept_any_) first_legend_ = legend_;
    in_head_ = false;
    last_ts_ = split.ts ? std::optional(split.ts->value) : std::nullopt;
    kept_any_ = true;
    if (next_boot_) batch->markers.push_back({LossMarker::Kind::kNextBoot, -1, {}, *next_boot_, id});
    next_boot_.reset();
  }
  const Event* event = kept ? &StoreEvent(id, split, body, batch) : nullptr;

  bool is_stack = body.name.ends_with("_stack") && (body.name == "kernel_stack" || body.name == "user_stack");
  LastOnCpu& last = LastOn(split.cpu.value_or(-1));
  if (is_stack) {
    // The stack is a record of its own behind the event it belongs to, on the same cpu.
    stack_owner_ = last.event && last.pid == split.pid ? *last.event : id;
  } else {
    if (format_->frames_follow_events()) {
      stack_owner_ = id;
    } else {
      stack_owner_.reset();
    }
    last = {split.pid, id};
  }
  owner_left_out_ = !kept;
  next_depth_ = 0;
  if (event) {
    text_may_continue_ =
        !is_stack && std::holds_alternative<Opaque>(event->payload) && CarriesFreeText(body.name, body.args);
  } else {
    text_may_continue_ = !is_stack && CarriesFreeText(body.name, body.args) && !HasMeaning(body);
  }
  return LineKind::kEvent;
}

// An event whose name is not kept has it in its arguments.
void TraceReader::KeepWhole(const TraceBody& body, Event* event, Batch* batch) {
  meaning_left_out_ |= body.args.starts_with('(');  // a probe may be one of the model's
  std::string whole(body.name);
  if (!body.args.empty()) whole.append(": ").append(body.args);
  event->args = batch->PlaceOf(whole);
}

void TraceReader::TellLeftOut(Batch* batch) {
  if (left_out_told_ || (!meaning_left_out_ && decoder_->places_left_out() == 0)) return;
  left_out_told_ = true;
  batch->markers.push_back(
      {LossMarker::Kind::kLeftOut, -1, {}, lines_.total, static_cast<EventId>(next_event_)});
}

bool TraceReader::IsCopy(const TraceLine& split, const Event& event, std::string_view args) {
  constexpr size_t kMostBuffers = 200;  // of more all others count as one
  auto known = std::find(buffers_.begin(), buffers_.end(), split.buffer);
  if (known == buffers_.end()) {
    if (buffers_.size() < kMostBuffers) buffers_.emplace_back(split.buffer);
    known = buffers_.end() - 1;
  }
  auto number = static_cast<uint32_t>(known - buffers_.begin());
  if (!copies_.IsCopy(number, event.name, split.cpu.value_or(kAnyCpu), split.pid.value_or(0),
                      BufferCopies::SubjectOf(args)))
    return false;
  Note(Severity::kInfo, "event in two buffers", BufferCopies::Note(strings_->Text(event.name), *known));
  return true;
}

const Event& TraceReader::StoreEvent(EventId id, const TraceLine& split, const TraceBody& body,
                                     Batch* batch) {
  static const Event kBlank{};  // copied faster than made: `rep stos` is slow on two hundred bytes
  Event& event = batch->events.emplace_back(kBlank);
  event.id = id;
  if (split.ts) event.ts = split.ts->value;
  event.cpu = split.cpu;
  if (split.pid) event.pid = static_cast<Pid>(*split.pid);
  event.tgid = split.tgid;
  event.comm = recent_->comms.Intern(split.comm, strings_);
  event.name = recent_->names.InternName(body.name, strings_);
  event.context = recent_->contexts.Intern(split.context, strings_);
  event.in_interrupt = ContextIsInterrupt(split.context);
  event.args = batch->PlaceOf(body.args);
  event.line = line_;
  if (strings_->IsNotKept(event.name)) KeepWhole(body, &event, batch);
  std::string_view args = batch->Args(event);
  if (format_->names_buffers() && IsCopy(split, event, args)) {
    event.copy = true;
    return event;
  }
  bool understood = decoder_->Understand(args, &event);
  cut_at_width_ += !understood && at_width_;
  if (understood && IsCutAtWidth() && !std::holds_alternative<Opaque>(event.payload)) {
    event.payload = Opaque{};
    event.unreadable = true;
    understood = false;
  }
  batch->KeepTextOf(&event);
  if (!understood) {
    if (!terminated_) {
      event.unreadable = false;
      Note(Severity::kWarning, "truncated", kLastLineIsCut);
      return event;
    }
    CountIssue(decoder_->NotUnderstoodIssue(event.name, args, line_), &issues_);
    AddUnreadable(event.cpu.value_or(kAnyCpu), batch);
  }
  return event;
}

std::vector<TraceIssue> TraceReader::Issues() const {
  std::vector<TraceIssue> issues = issues_;
  if (filter_) {
    for (TraceIssue& issue : filter_->Issues()) issues.push_back(std::move(issue));
  }
  auto add = [&](Severity severity, const char* kind, std::string text) {
    issues.push_back({severity, kind, 0, 1, std::move(text)});
  };
  auto not_kept = [&](const char* kind, int64_t count, const char* text) {
    if (count > 0) issues.push_back({Severity::kWarning, kind, 0, count, text});
  };
  not_kept("texts not kept", strings_->texts_not_kept(),
           "comms and flag columns beyond what --max-memory allows: their events have the text \"<text not "
           "kept>...\" instead, and what it was is in the trace at their line");
  not_kept(
      "names not kept", strings_->names_not_kept(),
      "names of events beyond what --max-memory allows: their events are named \"<text not kept>...\" and "
      "have the name in their arguments; if they are probes no wait is judged from there on");
  not_kept(
      "places not kept", decoder_->places_left_out(),
      "probe hits at more places of the kernel than are remembered: they mean nothing to the model, and no "
      "wait is judged from there on");
  if (lines_.events == 0) return issues;
  if (without_time_) {
    add(Severity::kWarning, "no time stamps",
        clock_is_ticks_
            ? "some lines carry no time: their order is that of the file only"
            : "the lines carry no time: events are in the order of the file, and nothing is known of "
              "how long anything took; " +
                  format_->TimeAdvice());
  } else if (std::string note = format_->TimeNote(); !note.empty()) {
    add(Severity::kInfo, "relative time", note);
  }
  if (without_task_) {
    add(Severity::kWarning, "no tasks",
        "lines without a task: who did what is not known for them; " + format_->TaskAdvice());
  }
  return issues;
}

void TraceReader::Note(Severity severity, std::string_view kind, std::string_view text) {
  CountIssue({severity, std::string(kind), line_, 1, std::string(text)}, &issues_);
}

}  // namespace mmreplay
