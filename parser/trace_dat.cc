#include "parser/trace_dat.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "parser/byte_reader.h"
#include "parser/error.h"
#include "parser/event_layout.h"
#include "parser/trace_dat_child.h"

namespace mmreplay {
namespace {

using Severity = TraceIssue::Severity;

constexpr size_t kMessageHead = 5;

// A word of a file nobody vouches for, in a message.
std::string Printable(std::string_view text) {
  std::string printable(text.substr(0, 16));
  for (char& c : printable) {
    if (c < ' ' || c > '~') c = '?';
  }
  return printable.empty() ? "?" : printable;
}

std::string SignalText(int signal) {
  switch (signal) {
    case SIGXCPU:
      return "took longer than any file of its size can take";
    case SIGXFSZ:
      return "unpacked to more than any file of its size can hold";
    default:
      return "crashed in libtracecmd (" + std::string(strsignal(signal)) + ")";
  }
}

}  // namespace

bool IsTickClock(std::string_view clock) {
  return clock == "counter" || clock == "uptime" || clock == "x86-tsc" || clock == "ppc-tb";
}

TraceDatReader::TraceDatReader(std::shared_ptr<SeekableFile> file, StringTable* strings, Decoder* decoder)
    : file_(std::move(file)),
      strings_(strings),
      contexts_(strings),
      decoder_(decoder),
      dat_header_(ReadTraceDatHeader(*file_)) {
  if (dat_header_.big_endian)
    throw Error(file_->name() + ": was recorded on a big-endian machine, which this version does not read");
  if (dat_header_.version != "6" && dat_header_.version != "7")
    throw Error(file_->name() + ": is a trace.dat of version " + Printable(dat_header_.version) +
                "; this version reads 6 and 7: `trace-cmd convert --file-version 7` writes one");
  if (dat_header_.compression != "none" && dat_header_.compression != "zstd")
    throw Error(file_->name() + ": is compressed with " + Printable(dat_header_.compression) +
                "; this version reads zstd: `trace-cmd convert --compression zstd` writes it");
  if (dat_header_.latency)
    throw Error(file_->name() +
                ": holds the text of a latency trace; give what `trace-cmd report` prints of it");
  if (dat_header_.clocks_differ)
    Note(Severity::kWarning, "clocks differ",
         "the buffers were recorded with different clocks: the order of their events means nothing");
  if (dat_header_.tables_contradict)
    Note(
        Severity::kError, "damaged",
        "the file is damaged: what it says of pages and of what the cpus recorded does not fit together, and "
        "events are missing");
  if (dat_header_.bytes_behind > 0)
    Note(Severity::kError, "damaged",
         std::to_string(dat_header_.bytes_behind) +
             " bytes behind the end of the recording were not read: several files were put into one");
  if (dat_header_.dates)
    Note(Severity::kInfo, "date offset", "recorded with --date: time stamps are wall-clock time");
  if (dat_header_.dropped_events > 0)
    Note(Severity::kWarning, "buffer full",
         std::to_string(dat_header_.dropped_events) +
             " events found a buffer full and were not recorded (options/overwrite 0)");
}

TraceDatReader::~TraceDatReader() {
  if (pipe_ >= 0) close(pipe_);
  if (child_ > 0) {
    kill(child_, SIGKILL);
    Reap();
  }
}

void TraceDatReader::set_layouts(RecordLayouts* layouts) {
  layouts_ = layouts;
  Start();
}

void TraceDatReader::Start() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Error(file_->name() + ": pipe: " + Reason(errno));
  child_ = fork();
  if (child_ < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    throw Error(file_->name() + ": fork: " + Reason(error));
  }
  if (child_ == 0) RunTraceDatChild(*file_, dat_header_, ends[1], layouts_ != nullptr);
  close(ends[1]);
  pipe_ = ends[0];
  // Fewer turns for the two processes. Not every user may have it so large.
  fcntl(pipe_, F_SETPIPE_SZ, static_cast<int>(kBatchBytes));
}

int TraceDatReader::Reap() {
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  return status;
}

// The child is gone. What it left unsaid is damage.
void TraceDatReader::Finish() {
  ended_ = true;
  int status = Reap();
  if (complete_) return;
  std::string why = failure_;
  if (why.empty() && WIFSIGNALED(status)) why = SignalText(WTERMSIG(status));
  if (why.empty()) why = "stopped";
  std::string text = "the file is damaged or cut off: reading it " + why;
  if (!failure_.empty()) text = "the file is damaged or cut off: " + failure_;
  if (lines_.events == 0) throw Error(file_->name() + ": " + text);
  Note(Severity::kError, "damaged", text + "; what came before is kept");
}

// Whole messages, up to the size of a batch.
bool TraceDatReader::Fill(TextBuffer* text) {
  text->assign(carry_.begin(), carry_.end());
  carry_.clear();
  size_t filled = text->size();
  // Of records a batch has as many as of texts.
  const size_t batch_bytes = layouts_ ? kBatchBytes / 8 * 5 : kBatchBytes;
  text->resize(std::max(batch_bytes, filled));
  while (!ended_ && filled < text->size()) {
    ssize_t got = read(pipe_, text->data() + filled, text->size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(file_->name() + ": pipe: " + Reason(errno));
    if (got == 0) ended_ = true;
    filled += static_cast<size_t>(got);
  }
  text->resize(filled);
  return filled > 0;
}

bool TraceDatReader::Next(Batch* batch) {
  batch->Clear();
  batch->events.reserve(events_in_last_);
  if (ended_ && carry_.empty() && child_ < 0) return false;
  if (child_ < 0 && !ended_) Start();
  if (Fill(&batch->text)) {
    std::string_view rest(batch->text.data(), batch->text.size());
    while (rest.size() >= kMessageHead) {
      uint32_t size = 0;
      std::memcpy(&size, rest.data(), sizeof(size));
      if (size > kMaxTraceDatMessage || rest.size() - kMessageHead < size) break;
      ReadMessage(static_cast<uint8_t>(rest[4]), rest.substr(kMessageHead, size), batch);
      rest.remove_prefix(kMessageHead + size);
    }
    // Half a message at the end is a child that died over it.
    if (!ended_) carry_ = rest;
    if (!ended_ && batch->text.size() == rest.size()) ended_ = true;  // a message that never fits
  }
  events_in_last_ = batch->events.size();
  if (ended_ && child_ > 0) {
    carry_.clear();
    if (!complete_) kill(child_, SIGKILL);
    Finish();
    if (batch->events.empty() && batch->markers.empty()) return false;
  }
  return true;
}

void TraceDatReader::ReadMessage(uint8_t type, std::string_view payload, Batch* batch) {
  switch (static_cast<TraceDatMessage>(type)) {
    case TraceDatMessage::kKind:
      kinds_.push_back({.name = strings_->InternName(payload),
                        .is_stack = payload == "kernel_stack" || payload == "user_stack",
                        .records = {}});
      break;
    case TraceDatMessage::kLayout:
      AddLayout(payload);
      break;
    case TraceDatMessage::kEvent:
      AddEvent(payload, false, batch);
      break;
    case TraceDatMessage::kRecord:
      AddEvent(payload, true, batch);
      break;
    case TraceDatMessage::kFrame:
      batch->frames.push_back({stack_owner_, next_depth_++, payload});
      break;
    case TraceDatMessage::kLost:
      AddLost(payload, batch);
      break;
    case TraceDatMessage::kRejected:
      ++lines_.total;
      ++lines_.rejected;
      CountIssue(decoder_->RejectedIssue("record rejected", lines_.total, payload,
                                         "a record could not be read: " + std::string(payload)),
                 &issues_);
      AddUnreadable(kAnyCpu, batch);
      break;
    case TraceDatMessage::kUnknownType:
      ++lines_.total;
      ++lines_.rejected;
      Note(Severity::kError, "unknown event",
           "the file has no format of event " + std::string(payload) +
               ": a record that cannot be read may be one that counts");
      AddUnreadable(kAnyCpu, batch);
      break;
    case TraceDatMessage::kFailed:
      failure_ = payload;
      break;
    case TraceDatMessage::kUnreadable:
      throw Error(std::string(payload));
    case TraceDatMessage::kDamaged:
      AddDamaged(payload);
      break;
    case TraceDatMessage::kEnd:
      complete_ = true;
      break;
  }
}

// The child holds itself to what RecordLayouts takes.
void TraceDatReader::AddLayout(std::string_view packed) {
  auto layout = UnpackLayout(packed);
  if (!layout || kinds_.empty() || !layouts_) return;
  Kind& kind = kinds_.back();
  kind.records = RecordDecoder::For(*layout);
  kind.record_layout = kind.records ? layouts_->Add(*layout) : 0;
}

void TraceDatReader::AddEvent(std::string_view payload, bool as_record, Batch* batch) {
  TraceDatEvent read{};
  if (payload.size() < kTraceDatEventBytes) return;
  std::memcpy(&read, payload.data(), kTraceDatEventBytes);
  payload.remove_prefix(kTraceDatEventBytes);
  if (payload.size() < read.comm_length || read.kind >= kinds_.size()) return;
  Kind& kind = kinds_[read.kind];
  std::string_view arguments = payload.substr(read.comm_length);
  if (as_record && (kind.record_layout == 0 || !kind.records->Holds(arguments))) return;
  ++lines_.total;
  ++lines_.events;
  auto id = static_cast<EventId>(next_event_++);
  Event& event = batch->events.emplace_back();
  event.id = id;
  event.ts = StampOf(read.ts);
  event.cpu = read.cpu;
  event.pid = static_cast<Pid>(read.pid);
  event.comm = comms_.Intern(payload.substr(0, read.comm_length), strings_);
  event.name = kind.name;
  event.context = contexts_.Columns(read.flags, read.preempt_count);
  event.in_interrupt = FlagsAreInterrupt(read.flags);
  event.args = batch->PlaceOf(arguments);
  if (as_record) event.layout = kind.record_layout;
  event.line = lines_.total;
  std::string_view subject =
      as_record ? BufferCopies::SubjectOfRecord(arguments) : BufferCopies::SubjectOf(arguments);
  if (!dat_header_.buffers.empty() && copies_.IsCopy(read.buffer, kind.name, read.cpu, read.pid, subject)) {
    event.copy = true;
    NoteCopy(kind, read.buffer);
  } else if (as_record) {
    event.payload = kind.records->Decode(arguments);
  } else if (!decoder_->Understand(arguments, &event)) {
    CountIssue(decoder_->NotUnderstoodIssue(event.name, arguments, event.line), &issues_);
    AddUnreadable(read.cpu, batch);
  }
  batch->KeepTextOf(&event);
  LastOnCpu& last = LastOn(read.cpu);
  if (kind.is_stack) {
    // The stack is a record of its own behind the event it belongs to, on the same cpu.
    if (!last.event) last = {read.pid, id};
    stack_owner_ = last.pid == read.pid ? *last.event : id;
    next_depth_ = 0;
  } else {
    last = {read.pid, id};
  }
}

void TraceDatReader::AddUnreadable(int32_t cpu, Batch* batch) const {
  batch->markers.push_back(
      {LossMarker::Kind::kUnreadable, cpu, {}, lines_.total, static_cast<EventId>(next_event_)});
}

TraceDatReader::LastOnCpu& TraceDatReader::LastOn(int32_t cpu) {
  constexpr int32_t kCpus = 4096;
  if (cpu < 0 || cpu >= kCpus) return last_on_other_cpu_[cpu];
  auto index = static_cast<size_t>(cpu);
  if (index >= last_on_cpu_.size()) last_on_cpu_.resize(index + 1);
  return last_on_cpu_[index];
}

void TraceDatReader::NoteCopy(const Kind& kind, uint32_t buffer) {
  std::string name;
  if (buffer > 0)
    name = buffer <= dat_header_.buffers.size() ? dat_header_.buffers[buffer - 1] : std::to_string(buffer);
  Note(Severity::kInfo, "event in two buffers", BufferCopies::Note(strings_->Text(kind.name), name));
}

void TraceDatReader::AddDamaged(std::string_view payload) {
  ByteReader reader(payload);
  auto places = reader.Read<int64_t>();
  CountIssue({Severity::kError, "damaged pages", 0, places, std::string(reader.rest())}, &issues_);
}

void TraceDatReader::AddLost(std::string_view payload, Batch* batch) {
  ByteReader reader(payload);
  auto cpu = reader.Read<int32_t>();
  auto lost = reader.Read<int64_t>();
  if (!reader.ok()) return;
  ++lines_.total;
  ++lines_.markers;
  batch->markers.push_back({LossMarker::Kind::kLost, cpu, lost > 0 ? std::optional(lost) : std::nullopt,
                            lines_.total, static_cast<EventId>(next_event_)});
}

std::optional<bool> TraceDatReader::clock_is_ticks() const {
  if (next_event_ == 1) return std::nullopt;
  return dat_header_.clock && IsTickClock(*dat_header_.clock) && !dat_header_.ticks_to_ns;
}

void TraceDatReader::Note(Severity severity, std::string_view kind, const std::string& text) {
  CountIssue({severity, std::string(kind), lines_.total, 1, text}, &issues_);
}

}  // namespace mmreplay
