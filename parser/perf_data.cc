#include "parser/perf_data.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "parser/byte_reader.h"
#include "parser/compression.h"
#include "parser/error.h"

namespace mmreplay {
namespace {

using Severity = TraceIssue::Severity;

constexpr size_t kWindowBytes = size_t{1024} * 1024;
constexpr size_t kUnpackBytes = size_t{128} * 1024;
constexpr size_t kBatchEvents = 8192;
constexpr size_t kHeadBytesOfRecord = 8;

// `bytes` must have it.
template <typename Int>
Int LoadAt(std::string_view bytes, size_t at) {
  Int value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// Of a record that has a head.
PerfRecord TypeOf(std::string_view record) {
  return static_cast<PerfRecord>(LoadAt<uint32_t>(record, 0));
}
uint64_t SizeOf(std::string_view record) {
  return LoadAt<uint16_t>(record, 6);
}

std::string Hex(uint64_t value) {
  std::array<char, 20> digits{};
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return {digits.data(), end.ptr};
}

// The values of PERF_SAMPLE_READ, which nobody asks for here.
void SkipReadValues(uint64_t format, ByteReader* reader) {
  constexpr uint64_t kEnabled = 1, kRunning = 2, kId = 4, kGroup = 8, kLost = 16;
  uint64_t per_value = 1 + ((format & kId) ? 1 : 0) + ((format & kLost) ? 1 : 0);
  uint64_t times = ((format & kEnabled) ? 1 : 0) + ((format & kRunning) ? 1 : 0);
  uint64_t values = 1;
  if (format & kGroup) values = reader->U64();
  if (values > 100'000) values = 100'000;  // more than a record can hold: fails below
  reader->Bytes((times + values * per_value) * 8);
}

// The name of a tracepoint without its system: "kmem:mm_page_free" -> "mm_page_free".
std::string_view WithoutSystem(std::string_view name) {
  size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

}  // namespace

// ---- records ----

PerfRecords::PerfRecords(std::shared_ptr<SeekableFile> file, uint64_t begin, uint64_t end)
    : file_(std::move(file)), at_(begin), end_(end) {}

bool PerfRecords::FillWindow(size_t need) {
  size_t left = window_size_ - window_at_;
  if (window_.size() < kWindowBytes) window_.resize(kWindowBytes);
  std::memmove(window_.data(), window_.data() + window_at_, left);
  window_at_ = 0;
  size_t room = window_.size() - left;
  uint64_t more = at_ < end_ ? end_ - at_ : 0;
  size_t got = file_->ReadAt(at_, window_.data() + left, static_cast<size_t>(std::min<uint64_t>(room, more)));
  at_ += got;
  file_->NoteRead(at_);
  window_size_ = left + got;
  return window_size_ >= need;
}

bool PerfRecords::NextOfFile(std::string_view* record) {
  if (!HasWindow(kHeadBytesOfRecord)) {
    if (window_size_ != window_at_) damage_ = "ends in the middle of a record";
    return false;
  }
  std::string_view head(window_.data() + window_at_, kHeadBytesOfRecord);
  uint64_t size = SizeOf(head);
  if (size < kHeadBytesOfRecord) {
    damage_ = "has a record of " + std::to_string(size) + " bytes";
    return false;
  }
  if (!HasWindow(static_cast<size_t>(size))) {
    damage_ = "ends in the middle of a record";
    return false;
  }
  *record = std::string_view(window_.data() + window_at_, static_cast<size_t>(size));
  window_at_ += record->size();
  // Data that are no record follow some records.
  PerfRecord type = TypeOf(*record);
  if (type != PerfRecord::kTracingData && type != PerfRecord::kAuxTrace) return true;
  ByteReader body(record->substr(kHeadBytesOfRecord));
  uint64_t skip = type == PerfRecord::kAuxTrace ? body.U64() : (uint64_t{body.U32()} + 7) / 8 * 8;
  if (skip > 0) {
    uint64_t in_window = std::min<uint64_t>(skip, window_size_ - window_at_);
    // The record itself must stay: it is small, and what follows it is passed over in the file.
    aside_.assign(*record);
    *record = aside_;
    window_at_ += static_cast<size_t>(in_window);
    skip -= in_window;
    if (at_ > end_ || skip > end_ - at_) {
      damage_ = "ends in the middle of a record";
      at_ = end_;
    } else {
      at_ += skip;
    }
  }
  return true;
}

// The next stretch of what is packed. All compressed records of a file are one stream, and a record inside
// may begin in one and end in the next.
bool PerfRecords::Unpack() {
  // No honest recording packs better than this; one made to fill the disk does.
  if (unpacked_bytes_ > (uint64_t{1} << 30) + file_->size() * 200) {
    damage_ = "unpacks to more than 200 times its size";
    return false;
  }
  unpacked_.erase(0, unpacked_at_);
  unpacked_at_ = 0;
  size_t start = unpacked_.size();
  unpacked_.resize(start + kUnpackBytes);
  ZSTD_inBuffer in{packed_.data(), packed_.size(), packed_at_};
  ZSTD_outBuffer out{unpacked_.data() + start, kUnpackBytes, 0};
  size_t status = ZSTD_decompressStream(stream_.get(), &out, &in);
  if (ZSTD_isError(status)) {
    damage_ = std::string("has a compressed record that does not unpack (") + ZSTD_getErrorName(status) + ")";
    unpacked_.resize(start);
    return false;
  }
  packed_at_ = in.pos;
  unpacked_.resize(start + out.pos);
  unpacked_bytes_ += out.pos;
  unpacking_ = packed_at_ < packed_.size() || out.pos == kUnpackBytes;
  return true;
}

bool PerfRecords::NextUnpacked(std::string_view* record) {
  for (;;) {
    std::string_view rest = std::string_view(unpacked_).substr(unpacked_at_);
    if (rest.size() >= kHeadBytesOfRecord) {
      uint64_t size = SizeOf(rest);
      if (size < kHeadBytesOfRecord) {
        damage_ = "has a compressed record of " + std::to_string(size) + " bytes in it";
        return false;
      }
      if (size <= rest.size()) {
        *record = rest.substr(0, static_cast<size_t>(size));
        unpacked_at_ += record->size();
        return true;
      }
    }
    if (!unpacking_ || !Unpack()) return false;
  }
}

bool PerfRecords::Next(std::string_view* record) {
  if (!damage_.empty()) return false;
  if (stream_) {
    if (NextUnpacked(record)) return true;
    if (!damage_.empty()) return false;
  }
  if (!NextOfFile(record)) {
    if (damage_.empty() && unpacked_at_ < unpacked_.size())
      damage_ = "ends in the middle of a compressed record";
    return false;
  }
  PerfRecord type = TypeOf(*record);
  if (type != PerfRecord::kCompressed && type != PerfRecord::kCompressed2) return true;

  ByteReader body(record->substr(kHeadBytesOfRecord));
  uint64_t size = body.rest().size();
  if (type == PerfRecord::kCompressed2) size = body.U64();
  packed_ = body.Bytes(size);
  packed_at_ = 0;
  if (!body.ok()) {
    damage_ = "has a compressed record that is longer than itself";
    return false;
  }
  if (!stream_) {
    stream_.reset(ZSTD_createDStream());
    if (!stream_) throw Error(file_->name() + ": out of memory");
    ZSTD_initDStream(stream_.get());
  }
  unpacking_ = true;
  return true;  // the record around them counts as one too
}

// ---- what the header says ----

PerfDataReader::PerfDataReader(std::shared_ptr<SeekableFile> file, StringTable* strings, Decoder* decoder)
    : file_(std::move(file)),
      strings_(strings),
      contexts_(strings),
      decoder_(decoder),
      perf_(ReadPerfHeader(*file_)),
      records_(file_, perf_.data_offset, perf_.data_end) {
  trace_header_.cpus = perf_.cpus;
  trace_header_.keeps_last = std::any_of(perf_.attrs.begin(), perf_.attrs.end(),
                                         [](const PerfAttr& attr) { return attr.overwrites; });
  if (trace_header_.keeps_last)
    Note(Severity::kWarning, "head may be overwritten", 0,
         "perf record --overwrite keeps the last events only: what each cpu did before may be missing");
  for (const PerfAttr& attr : perf_.attrs) shapes_.emplace_back(attr.sample_type);
  CheckFormats();
  has_identifier_ = std::all_of(perf_.attrs.begin(), perf_.attrs.end(), [](const PerfAttr& attr) {
    return (attr.sample_type & perf_sample::kIdentifier) != 0;
  });
  same_layout_ = std::all_of(perf_.attrs.begin(), perf_.attrs.end(), [this](const PerfAttr& attr) {
    return attr.sample_type == perf_.attrs[0].sample_type;
  });
  if (perf_.cut_off)
    Note(Severity::kError, "damaged", 0,
         "the file is cut off: it says that there is more; what is there is kept");
  // In a pipe events may be described again.
  if (perf_.shares_ids && !perf_.pipe)
    Note(Severity::kError, "damaged", 0,
         "the file is damaged: two of its events have one id, and which of them was recorded is not known");
  if (perf_.bytes_behind > 0)
    Note(Severity::kError, "damaged", 0,
         std::to_string(perf_.bytes_behind) +
             " bytes behind the end of the recording were not read: is it several files in one?");
  if (!perf_.pipe && perf_.directory)
    Note(Severity::kWarning, "directory form", 0,
         "this is one file of a recording of several (perf record --threads): samples in its data.* files "
         "are not "
         "read; record without --threads");
}

// A file without the formats of its events says nothing but that something happened.
void PerfDataReader::CheckFormats() const {
  const std::string& name = file_->name();
  if (perf_.big_endian)
    throw Error(name + ": was recorded on a big-endian machine, which this version does not read");
  if (perf_.attrs.empty()) throw Error(name + ": the file is damaged: it describes no events");
  bool tracepoints = std::any_of(perf_.attrs.begin(), perf_.attrs.end(),
                                 [](const PerfAttr& attr) { return attr.type == PerfAttr::kTracepoint; });
  if (!tracepoints || !perf_.layouts.empty()) return;
  if (perf_.cut_off)
    throw Error(
        name +
        ": the file is cut off or `perf record` was killed before it could finish it: the formats of its "
        "events, at its end, are missing");
  throw Error(name + ": has no formats of its events; record again with `perf record -o perf.data`");
}

// ---- samples ----

// Whatever its type says: it has the id of an event of ours, a time near the others', and the size of its
// parts.
bool PerfDataReader::IsSample(std::string_view body) const {
  if (perf_.attrs.size() < 2) return false;
  const PerfAttr* attr = AttrOfSample(body);
  Sample sample;
  if (!attr || !ReadSample(static_cast<size_t>(attr - perf_.attrs.data()), body, &sample)) return false;
  constexpr uint64_t kNear = 10'000'000'000;  // ns
  bool near = sample.time && newest_ > 0 && *sample.time + kNear > newest_ && *sample.time < newest_ + kNear;
  return near && sample.has_raw && !sample.raw.empty();
}

// The id of a sample stands first where all attrs ask for it there, else where sample_type puts it.
const PerfAttr* PerfDataReader::AttrOfSample(std::string_view body) const {
  if (perf_.attrs.size() == 1) return perf_.attrs.data();
  ByteReader reader(body);
  if (!has_identifier_) {
    uint64_t type = perf_.attrs[0].sample_type;
    if (!same_layout_ || !(type & perf_sample::kId)) return nullptr;
    for (uint64_t before : {perf_sample::kIp, perf_sample::kTid, perf_sample::kTime, perf_sample::kAddr}) {
      if (type & before) reader.U64();
    }
  }
  uint64_t id = reader.U64();
  if (!reader.ok()) return nullptr;
  auto known = perf_.attr_of_id.find(id);
  return known == perf_.attr_of_id.end() ? nullptr : &perf_.attrs[known->second];
}

// Other records have an id behind them, at the very end, where the attrs ask for it.
const PerfAttr* PerfDataReader::AttrOfTrailer(std::string_view body) const {
  const PerfAttr* first = perf_.attrs.data();
  if (!has_identifier_ || body.size() < 8) return same_layout_ || perf_.attrs.size() == 1 ? first : nullptr;
  auto known = perf_.attr_of_id.find(ByteReader(body.substr(body.size() - 8)).U64());
  return known == perf_.attr_of_id.end() ? first : &perf_.attrs[known->second];
}

// The order of the fields is fixed (include/uapi/linux/perf_event.h, PERF_RECORD_SAMPLE).
PerfDataReader::SampleShape::SampleShape(uint64_t sample_type) {
  auto place = [&](uint64_t field) {
    if (!(sample_type & field)) return kAbsent;
    return std::exchange(size, size + 8);
  };
  place(perf_sample::kIdentifier);
  ip = place(perf_sample::kIp);
  tid = place(perf_sample::kTid);
  time = place(perf_sample::kTime);
  addr = place(perf_sample::kAddr);
  place(perf_sample::kId);
  place(perf_sample::kStreamId);
  cpu = place(perf_sample::kCpu);
  period = place(perf_sample::kPeriod);
}

bool PerfDataReader::ReadSample(size_t attr, std::string_view body, Sample* sample) const {
  const SampleShape& shape = shapes_[attr];
  if (body.size() < shape.size) return false;
  auto load = [&](size_t at, auto* field) {
    if (at != SampleShape::kAbsent) *field = LoadAt<uint64_t>(body, at);
  };
  load(shape.ip, &sample->ip);
  load(shape.time, &sample->time);
  load(shape.addr, &sample->addr);
  load(shape.period, &sample->period);
  if (shape.tid != SampleShape::kAbsent) {
    sample->pid = LoadAt<int32_t>(body, shape.tid);
    sample->tid = LoadAt<int32_t>(body, shape.tid + 4);
  }
  if (shape.cpu != SampleShape::kAbsent) {
    auto cpu = LoadAt<int32_t>(body, shape.cpu);
    if (cpu >= 0) sample->cpu = cpu;
  }
  uint64_t type = perf_.attrs[attr].sample_type;
  ByteReader reader(body.substr(shape.size));
  if (type & perf_sample::kRead) SkipReadValues(perf_.attrs[attr].read_format, &reader);
  if (type & perf_sample::kCallchain) {
    uint64_t frames = reader.U64();
    sample->callchain = reader.Bytes(frames > body.size() ? body.size() + 1 : frames * 8);
  }
  if (type & perf_sample::kRaw) {
    sample->raw = reader.Bytes(reader.U32());
    sample->has_raw = true;
    // What stands behind it belongs to the next sample, whose head was taken for a part of this one.
    constexpr uint64_t kBehindRaw = ~((perf_sample::kRaw << 1) - 1) & ~perf_sample::kIdentifier;
    sample->goes_on = !(type & kBehindRaw) && reader.rest().size() >= 8;
    if (sample->goes_on) return false;
  }
  bool in_range = !sample->time || StampOf(*sample->time);
  return reader.ok() && in_range;
}

// struct sample_id, behind the record's own fields.
PerfDataReader::Stamp PerfDataReader::ReadTrailer(const PerfAttr& attr, std::string_view body) {
  uint64_t type = attr.sample_type;
  Stamp stamp;
  if (!attr.sample_id_all) return stamp;
  size_t words = 0;
  for (uint64_t field : {perf_sample::kTid, perf_sample::kTime, perf_sample::kId, perf_sample::kStreamId,
                         perf_sample::kCpu, perf_sample::kIdentifier}) {
    words += (type & field) != 0;
  }
  if (body.size() < words * 8) return stamp;
  ByteReader reader(body.substr(body.size() - words * 8));
  if (type & perf_sample::kTid) {
    stamp.pid = reader.Read<int32_t>();
    stamp.tid = reader.Read<int32_t>();
  }
  if (type & perf_sample::kTime) stamp.time = reader.U64();
  if (type & perf_sample::kId) reader.U64();
  if (type & perf_sample::kStreamId) reader.U64();
  if (type & perf_sample::kCpu) stamp.cpu = reader.Read<int32_t>();
  // What perf record itself wrote has no time.
  if (stamp.time && (*stamp.time == 0 || !StampOf(*stamp.time))) stamp.time.reset();
  if (stamp.cpu && *stamp.cpu < 0) stamp.cpu.reset();
  return stamp;
}

// Neither perf.data nor its formats know symbols: the definitions of the probes do, where one alone has the
// event's name.
void PerfDataReader::ResolveProbe(Kind* kind) const {
  const EventLayout& layout = *kind->layout;
  bool is_return = !layout.probe_ip;
  const ProbeDefinition* found = nullptr;
  for (const ProbeDefinition& probe : decoder_->probes()) {
    if (probe.event != layout.name || probe.group != layout.system || probe.is_return != is_return) continue;
    if (found && (found->function != probe.function || found->offset != probe.offset)) {
      kind->unresolved = true;  // one event, several functions
      return;
    }
    found = &probe;
  }
  kind->unresolved = !found;
  if (!found || found->function.empty()) return;
  if (is_return) {
    kind->returns_from = found->function;
  } else {
    kind->arguments_begin = "(" + found->function + "+0x" + Hex(found->offset) + ")";
  }
}

PerfDataReader::Kind& PerfDataReader::KindOf(size_t index) {
  if (kinds_.empty()) kinds_.resize(perf_.attrs.size());
  std::optional<Kind>& known = kinds_[index];
  if (known) return *known;
  const PerfAttr& attr = perf_.attrs[index];
  Kind& kind = known.emplace();
  std::string name = attr.name;
  if (attr.type == PerfAttr::kTracepoint) {
    auto layout = perf_.layouts.find(attr.config);
    if (layout != perf_.layouts.end()) {
      kind.layout = &layout->second;
      kind.common.emplace(*kind.layout);
      name = kind.layout->name;
      if (kind.layout->is_probe()) ResolveProbe(&kind);
    } else {
      name = WithoutSystem(name);
      Note(
          Severity::kWarning, "no format", 0,
          "the file has no format of the event " + attr.name + ": its samples are kept without their fields");
    }
  } else {
    Note(Severity::kInfo, "not a tracepoint", 0,
         (name.empty() ? "an event" : name) +
             " is no tracepoint: its samples are kept as events that mean nothing to the model");
  }
  if (name.empty()) name = "event-" + std::to_string(attr.type) + "-" + Hex(attr.config);
  kind.name = strings_->InternName(name);
  if (kind.layout && !kind.arguments_begin.empty())
    decoder_->LearnFields(kind.name, kind.arguments_begin, *kind.layout);
  if (layouts_ && kind.layout) BindRecords(&kind);
  if (kind.unresolved) {
    Note(Severity::kWarning, "probe not placed", 0,
         "no definition says which function the probe " + kind.layout->system + ":" + kind.layout->name +
             " sits on: give the kprobe_events of the recording with --probes");
  }
  return kind;
}

// ---- order ----

void PerfDataReader::Enqueue(std::string_view record, std::optional<uint64_t> time, size_t attr) {
  // Without a time a record stands where it was read: behind all that is older.
  uint64_t at = time.value_or(newest_);
  newest_ = std::max(newest_, at);
  pending_.records.push_back({at, lines_.total, pending_.arena.Append(record),
                              static_cast<uint32_t>(record.size()), static_cast<uint32_t>(attr)});
  size_t bytes = pending_.arena.size() + pending_.records.size() * sizeof(Pending);
  if (bytes < most_pending_) return;
  // A round that does not end: the older half goes.
  MoveReady(TimeOfOlderHalf());
}

// Of the bytes that wait, half are as old as that.
uint64_t PerfDataReader::TimeOfOlderHalf() {
  std::vector<Pending>& records = pending_.records;
  auto begin = records.begin();
  size_t wanted = pending_.arena.size() / 2;
  for (;;) {
    auto middle = begin + (records.end() - begin) / 2;
    std::nth_element(begin, middle, records.end(),
                     [](const Pending& a, const Pending& b) { return a.time < b.time; });
    size_t bytes = 0;
    for (auto one = begin; one != middle; ++one) bytes += one->size;
    if (bytes >= wanted || middle + 1 >= records.end()) return middle->time;
    wanted -= bytes;
    begin = middle;
  }
}

// Everything written after this is younger than what was read before the round that just ended began: what is
// not younger than the last but one round's newest record is complete.
void PerfDataReader::EndRound() {
  limit_ = round_newest_;
  round_newest_ = newest_;
  // Each pass costs as much as there is in the queue, so it must have grown first.
  constexpr size_t kWorthwhile = size_t{256} * 1024;
  if (pending_.arena.size() >= kWorthwhile + 2 * left_) MoveReady(limit_);
}

void PerfDataReader::Queue::Clear() {
  constexpr size_t kKept = size_t{4} << 20;
  if (records.capacity() * sizeof(Pending) > kKept) records = {};
  arena.Clear(kKept);
  records.clear();
}

// Sorts out of the queue what is not younger than `limit`. Called only when ready_ is used up.
void PerfDataReader::MoveReady(uint64_t limit) {
  Queue& rest = spare_;
  std::vector<Pending>& ready = pending_.records;
  size_t count = 0;
  for (const Pending& one : ready) {
    if (one.time <= limit) {
      ready[count++] = one;
      continue;
    }
    Pending& kept = rest.records.emplace_back(one);
    kept.at = rest.arena.Append(pending_.arena.At(one.at, one.size));
  }
  left_ = rest.arena.size();
  ready.resize(count);
  std::sort(ready.begin(), ready.end(), [](const Pending& a, const Pending& b) {
    return a.time != b.time ? a.time < b.time : a.line < b.line;
  });
  std::swap(ready_, pending_);
  std::swap(pending_, rest);
}

void PerfDataReader::ReadRecord(std::string_view record) {
  constexpr uint32_t kCompressed = 81;
  constexpr uint32_t kFinishedInit = 82;
  constexpr uint32_t kCompressed2 = 83;
  ++lines_.total;
  std::string_view body = record.substr(kHeadBytesOfRecord);
  auto type = static_cast<uint32_t>(TypeOf(record));
  if (TypeOf(record) != PerfRecord::kSample && IsSample(body)) {
    ++lines_.comments;
    Note(Severity::kError, "damaged", lines_.total,
         "the file is damaged: a record of type " + std::to_string(type) + " holds what a sample does");
    return;
  }
  bool is_mark = TypeOf(record) == PerfRecord::kFinishedRound || type == kFinishedInit;
  bool is_packed = perf_.compressed && type != kCompressed && type != kCompressed2 &&
                   CompressionOf(body) == Compression::kZstd;
  if ((is_mark && !body.empty()) || is_packed) {
    ++lines_.comments;
    Note(Severity::kError, "damaged", lines_.total,
         "the file is damaged: a record of type " + std::to_string(type) +
             " holds what none of that type does");
    return;
  }
  switch (TypeOf(record)) {
    case PerfRecord::kSample: {
      const PerfAttr* attr = AttrOfSample(body);
      Sample sample;
      size_t index = attr ? static_cast<size_t>(attr - perf_.attrs.data()) : 0;
      if (!attr || !ReadSample(index, body, &sample)) {
        ++lines_.rejected;
        NoteRejected(lines_.total, attr ? "is not as long as its parts" : "names no event of the file",
                     attr && !sample.goes_on ? strings_->Text(KindOf(index).name) : std::string_view());
        return;
      }
      Enqueue(record, sample.time, index);
      in_round_ = true;
      return;
    }
    case PerfRecord::kLost:
    case PerfRecord::kLostSamples:
    case PerfRecord::kComm:
    case PerfRecord::kFork: {
      const PerfAttr* attr = AttrOfTrailer(body);
      Enqueue(record, attr ? ReadTrailer(*attr, body).time : std::nullopt, 0);
      return;
    }
    case PerfRecord::kFinishedRound:
      ++lines_.comments;
      in_round_ = false;
      EndRound();
      return;
    default:
      ++lines_.comments;
      // The kernel's are below 64, perf's own from there on, some twenty of each (tools/perf/util/event.h),
      // and one more in a year.
      constexpr uint32_t kPerf = 64;
      constexpr uint32_t kMost = 32;
      if (type == 0 || type % kPerf >= kMost || type >= 2 * kPerf) {
        Note(Severity::kError, "damaged", lines_.total,
             "the file is damaged: perf writes no records of type " + std::to_string(type) +
                 ", and what stands there instead is not known");
      }
      return;
  }
}

// ---- events ----

bool PerfDataReader::Next(Batch* batch) {
  batch->Clear();
  batch->events.reserve(events_in_last_);
  text_.clear();
  ends_.clear();
  frame_text_.clear();
  frame_ends_.clear();
  while (batch->events.size() < kBatchEvents && batch->markers.size() < kBatchMarkers &&
         text_.size() + frame_text_.size() < kBatchBytes) {
    if (next_ready_ < ready_.records.size()) {
      Emit(ready_.records[next_ready_++], batch);
      if (next_ready_ == ready_.records.size()) {
        ready_.Clear();
        next_ready_ = 0;
      }
      continue;
    }
    if (ended_) break;
    std::string_view record;
    if (records_.Next(&record)) {
      ReadRecord(record);
      continue;
    }
    ended_ = true;
    if (!records_.damage().empty()) {
      ++lines_.total;
      ++lines_.rejected;
      Note(Severity::kError, "damaged", lines_.total,
           "the file is damaged: it " + records_.damage() + "; what came before is kept");
    } else if (perf_.pipe && in_round_) {
      // tools/perf/builtin-record.c: record__mmap_read_evlist ends each pass over the buffers with such a
      // record.
      Note(Severity::kError, "damaged", lines_.total, "the file ends within a round: it is cut off");
    }
    MoveReady(std::numeric_limits<uint64_t>::max());
  }
  if (ended_ && next_ready_ >= ready_.records.size()) EmitLostSomewhere(batch);
  FinishBatch(batch);
  events_in_last_ = batch->events.size();
  bool more = !ended_ || next_ready_ < ready_.records.size();
  return more || !batch->events.empty() || !batch->markers.empty();
}

void PerfDataReader::Emit(const Pending& pending, Batch* batch) {
  std::string_view record = ready_.arena.At(pending.at, pending.size);
  if (pending.time < emitted_)
    Note(Severity::kWarning, "out of order", pending.line,
         "records came later than their round allows: the order of some events may be wrong");
  emitted_ = std::max(emitted_, pending.time);
  switch (TypeOf(record)) {
    case PerfRecord::kSample:
      EmitSample(record.substr(kHeadBytesOfRecord), pending, batch);
      return;
    case PerfRecord::kLost:
    case PerfRecord::kLostSamples:
      EmitLost(record, pending.line, batch);
      return;
    default:
      ++lines_.comments;
      TakeTask(record);
      return;
  }
}

// PERF_RECORD_COMM: u32 pid, tid; char comm[].     PERF_RECORD_FORK: u32 pid, ppid, tid, ptid; u64 time.
void PerfDataReader::TakeTask(std::string_view record) {
  recent_comms_.fill(std::nullopt);
  ByteReader body(record.substr(kHeadBytesOfRecord));
  body.U32();
  if (TypeOf(record) == PerfRecord::kComm) {
    auto tid = body.Read<int32_t>();
    if (body.ok() && MayName(tid)) comms_[tid] = strings_->Intern(UpToNul(body.rest()));
    return;
  }
  body.U32();
  auto tid = body.Read<int32_t>();
  auto parent = body.Read<int32_t>();
  auto known = comms_.find(parent);
  if (!body.ok() || known == comms_.end() || !MayName(tid)) return;
  StringId comm = known->second;
  comms_[tid] = comm;
}

// PID_MAX_LIMIT is 4 Mi, and no recording names that many tasks. A name that is forgotten is unknown:
// "<...>".
bool PerfDataReader::MayName(int32_t tid) {
  if (comms_.size() < PerfHeader::kMostComms || comms_.contains(tid)) return true;
  Note(Severity::kWarning, "tasks not named", 0,
       "the file names more than 262,144 tasks: the names of the others are not known");
  return false;
}

StringId PerfDataReader::CommOf(int32_t tid) {
  auto& recent = recent_comms_[static_cast<uint32_t>(tid) % recent_comms_.size()];
  if (!recent || recent->tid != tid) recent = TaskName{tid, LookUpComm(tid)};
  return recent->comm;
}

StringId PerfDataReader::LookUpComm(int32_t tid) const {
  auto known = comms_.find(tid);
  if (known != comms_.end()) return known->second;
  if (tid == 0) return strings_->Intern("swapper");
  auto saved = perf_.comms.find(tid);
  return strings_->Intern(saved == perf_.comms.end() ? "<...>" : saved->second);
}

void PerfDataReader::NoteCpu(int32_t cpu) {
  constexpr size_t kLower = 4096;
  auto index = static_cast<size_t>(cpu);
  if (index < kLower) {
    if (index >= is_in_cpus_.size()) is_in_cpus_.resize(index + 1);
    if (is_in_cpus_[index]) return;
    is_in_cpus_[index] = true;
  }
  cpus_.insert(cpu);
}

// A sample of that event, "" where nothing tells which.
void PerfDataReader::NoteRejected(int64_t line, const std::string& why, std::string_view event) {
  std::string text = "a sample " + (event.empty() ? "" : "of " + std::string(event) + " ") + why;
  if (event.empty()) {
    Note(Severity::kError, "event rejected", line, text);
  } else {
    CountIssue(decoder_->RejectedIssue("record rejected", line, event, text), &issues_);
  }
}

void PerfDataReader::EmitSample(std::string_view body, const Pending& pending, Batch* batch) {
  Sample sample;
  ReadSample(pending.attr, body, &sample);
  Kind& kind = KindOf(pending.attr);
  bool as_record = IsRecord(kind, sample);
  if (as_record) {
    text_.append(sample.raw);
  } else if (!AppendSampleText(kind, sample)) {
    ++lines_.rejected;
    NoteRejected(pending.line, "does not fit its format", strings_->Text(kind.name));
    batch->markers.push_back(
        {LossMarker::Kind::kUnreadable, kAnyCpu, {}, pending.line, static_cast<EventId>(next_event_)});
    return;
  }
  ends_.push_back(text_.size());
  ++lines_.events;
  uint64_t flags = 0;
  std::optional<uint64_t> preempt_count;
  if (kind.layout && sample.has_raw) {
    flags = kind.common->Flags(sample.raw).value_or(0);
    preempt_count = kind.common->PreemptCount(sample.raw).value_or(0);
    // A task that is gone has no pid left for perf; the kernel's own record still has it.
    if (!sample.tid || *sample.tid < 0) {
      if (auto pid = kind.common->Pid(sample.raw)) sample.tid = static_cast<int32_t>(*pid);
    }
  }
  if (sample.pid && *sample.pid < 0) sample.pid.reset();
  if (sample.tid && *sample.tid < 0) sample.tid.reset();
  if (sample.cpu) NoteCpu(*sample.cpu);
  auto id = static_cast<EventId>(next_event_++);
  Event& event = batch->events.emplace_back();
  event.id = id;
  if (sample.time) event.ts = StampOf(*sample.time);
  event.cpu = sample.cpu;
  if (sample.tid) event.pid = static_cast<Pid>(*sample.tid);
  event.tgid = sample.pid;
  event.comm = sample.tid ? CommOf(*sample.tid) : strings_->Intern("<...>");
  event.name = kind.name;
  event.context = preempt_count ? contexts_.Columns(flags, *preempt_count) : strings_->Intern("");
  event.in_interrupt = FlagsAreInterrupt(flags);
  event.line = pending.line;
  if (as_record) {
    event.layout = kind.record_layout;
    event.payload = kind.hits ? decoder_->Decode(*kind.hits, sample.raw) : kind.records->Decode(sample.raw);
  }
  if (!sample.callchain.empty()) AddFrames(sample, id, batch);
}

// Whose records may be left as they are.
void PerfDataReader::BindRecords(Kind* kind) {
  kind->records = RecordDecoder::For(*kind->layout);
  if (!kind->arguments_begin.empty())
    kind->hits = decoder_->BindRecords(kind->name, kind->arguments_begin, *kind->layout);
  if (kind->records || kind->hits) kind->record_layout = layouts_->Add(*kind->layout, kind->arguments_begin);
}

bool PerfDataReader::IsRecord(const Kind& kind, const Sample& sample) {
  if (kind.record_layout == 0 || !sample.has_raw) return false;
  return kind.records ? kind.records->Holds(sample.raw) : kind.hits->Holds(sample.raw);
}

bool PerfDataReader::AppendSampleText(const Kind& kind, const Sample& sample) {
  if (kind.layout) {
    if (!sample.has_raw) return true;
    // The probed address is the place the definition names; the caller of a return probe is not known.
    if (!kind.arguments_begin.empty())
      return AppendArgumentsAt(kind.arguments_begin, *kind.layout, sample.raw, &text_);
    if (kind.returns_from.empty()) return AppendArguments(*kind.layout, sample.raw, {}, &text_);
    SymbolPrinter symbol = [&kind](uint64_t, bool with_offset) {
      return with_offset ? std::string_view() : std::string_view(kind.returns_from);
    };
    return AppendArguments(*kind.layout, sample.raw, symbol, &text_);
  }
  auto add = [&](std::string_view key, const std::optional<uint64_t>& value, bool hex) {
    if (!value) return;
    if (!text_.empty() && (ends_.empty() ? !text_.empty() : text_.size() > ends_.back()))
      text_.push_back(' ');
    text_.append(key);
    text_.append(hex ? "=0x" + Hex(*value) : "=" + std::to_string(*value));
  };
  add("ip", sample.ip, true);
  add("addr", sample.addr, true);
  add("period", sample.period, false);
  return true;
}

// Addresses, the innermost first. Numbers above -4096 only say whose the following ones are.
void PerfDataReader::AddFrames(const Sample& sample, EventId event, Batch* batch) {
  constexpr auto kMarkers = static_cast<uint64_t>(-4095);
  int32_t depth = 0;
  ByteReader reader(sample.callchain);
  while (reader.rest().size() >= 8) {
    uint64_t address = reader.U64();
    if (address >= kMarkers) continue;
    frame_text_ += "0x" + Hex(address);
    frame_ends_.push_back(frame_text_.size());
    batch->frames.push_back({event, depth++, {}});
  }
}

// PERF_RECORD_LOST: u64 id, lost.     PERF_RECORD_LOST_SAMPLES: u64 lost. Which cpu lost them is behind it.
void PerfDataReader::EmitLost(std::string_view record, int64_t line, Batch* batch) {
  std::string_view bytes = record.substr(kHeadBytesOfRecord);
  ByteReader body(bytes);
  if (TypeOf(record) == PerfRecord::kLost) body.U64();
  uint64_t lost = body.U64();
  if (!body.ok()) {
    ++lines_.rejected;
    Note(Severity::kError, "event rejected", line, "a record about lost events is cut off");
    return;
  }
  ++lines_.markers;
  constexpr uint64_t kMost = uint64_t{1} << 48;
  lost = std::min(lost, kMost);
  const PerfAttr* attr = AttrOfTrailer(bytes);
  Stamp stamp = attr ? ReadTrailer(*attr, bytes) : Stamp{};
  if (!stamp.cpu || !stamp.time) {
    lost_samples_ = std::min(lost_samples_ + lost, kMost);
    lost_line_ = line;
    return;
  }
  lost_placed_ = std::min(lost_placed_ + lost, kMost);
  batch->markers.push_back({LossMarker::Kind::kLost, *stamp.cpu,
                            lost > 0 ? std::optional(static_cast<int64_t>(lost)) : std::nullopt, line,
                            static_cast<EventId>(next_event_)});
}

// What perf record counted beyond the losses that have a place: any cpu may have lost it.
void PerfDataReader::EmitLostSomewhere(Batch* batch) {
  if (lost_samples_ <= lost_placed_) return;
  Note(Severity::kWarning, "events lost somewhere", lost_line_,
       std::to_string(lost_samples_ - lost_placed_) +
           " samples were lost, and the file does not say where: use larger buffers (perf record -m)");
  for (int32_t cpu : cpus_) {
    batch->markers.push_back(
        {LossMarker::Kind::kLost, cpu, std::nullopt, lost_line_, static_cast<EventId>(next_event_)});
  }
  lost_samples_ = 0;
}

// The text of the batch stands still from here on.
void PerfDataReader::FinishBatch(Batch* batch) {
  batch->text.resize(text_.size() + frame_text_.size());
  std::copy(text_.begin(), text_.end(), batch->text.begin());
  std::copy(frame_text_.begin(), frame_text_.end(),
            batch->text.begin() + static_cast<std::ptrdiff_t>(text_.size()));
  std::string_view text(batch->text.data(), batch->text.size());
  size_t start = 0;
  const size_t markers = batch->markers.size();
  for (size_t i = 0; i < batch->events.size(); ++i) {
    Event& event = batch->events[i];
    std::string_view args = text.substr(start, ends_[i] - start);
    event.args = batch->PlaceOf(args);
    start = ends_[i];
    if (event.layout != 0) continue;
    if (!decoder_->Understand(args, &event)) {
      CountIssue(decoder_->NotUnderstoodIssue(event.name, args, event.line), &issues_);
      batch->markers.push_back(
          {LossMarker::Kind::kUnreadable, event.cpu.value_or(kAnyCpu), {}, event.line, event.id});
    }
    batch->KeepTextOf(&event);
  }
  auto in_order = [](const LossMarker& a, const LossMarker& b) {
    return Value(a.next_event) < Value(b.next_event);
  };
  std::inplace_merge(batch->markers.begin(), batch->markers.begin() + static_cast<std::ptrdiff_t>(markers),
                     batch->markers.end(), in_order);
  std::string_view frames = text.substr(text_.size());
  start = 0;
  for (size_t i = 0; i < batch->frames.size(); ++i) {
    batch->frames[i].text = frames.substr(start, frame_ends_[i] - start);
    start = frame_ends_[i];
  }
}

std::optional<bool> PerfDataReader::clock_is_ticks() const {
  if (next_event_ == 1) return std::nullopt;
  return false;
}

void PerfDataReader::Note(Severity severity, std::string_view kind, int64_t line, const std::string& text) {
  CountIssue({severity, std::string(kind), line, 1, text}, &issues_);
}

}  // namespace mmreplay
