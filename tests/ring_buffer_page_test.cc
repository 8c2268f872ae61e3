// Pages of the ring buffer. Synthetic: as the kernel lays them out (kernel/trace/ring_buffer.c of 6.1).
#include "parser/ring_buffer_page.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/binary.h"

namespace mmreplay {
namespace {

constexpr size_t kPageSize = 4096;
constexpr uint64_t kMissedEvents = uint64_t{1} << 31;
constexpr uint64_t kMissedStored = uint64_t{1} << 30;

uint32_t HeadWord(uint32_t type, uint32_t delta) {
  return delta << 5 | type;
}

std::string EventBytes(uint32_t delta, const std::string& data) {
  return Bytes().Add(HeadWord(static_cast<uint32_t>(data.size() / 4), delta)).Add(data).text();
}

std::string PageBytes(uint64_t ts, const std::string& events, uint64_t flags = 0,
                      const std::string& behind = "") {
  std::string page = Bytes().Add(ts).Add(events.size() | flags).Add(events).Add(behind).text();
  page.resize(kPageSize);
  return page;
}

struct PageRead {
  std::vector<std::pair<uint64_t, std::string>> records;
  int64_t lost = 0;
  bool damaged = false;
};

PageRead ReadPage(const std::string& bytes, size_t long_bytes = 8) {
  PageRead read;
  RingBufferPage page(bytes, kPageSize, long_bytes);
  for (RingBufferRecord record; page.Next(&record);) read.records.emplace_back(record.ts, record.data);
  read.lost = page.lost();
  read.damaged = page.damaged();
  return read;
}

using PageRecords = std::vector<std::pair<uint64_t, std::string>>;

}  // namespace

TEST_CASE("stamps of a page add up", "[ring_buffer_page]") {
  std::string events = EventBytes(0, "aaaa") + EventBytes(7, "bbbbbbbb");
  events += Bytes().Add(HeadWord(30, 5)).Add(uint32_t{2}).text();  // time extend: 2^28 + 5
  events += EventBytes(1, "cccc");
  events += Bytes().Add(HeadWord(31, 9)).Add(uint32_t{3}).text();  // the time itself: 3 * 2^27 + 9
  events += EventBytes(2, "dddd");
  // A filter took it back: 12 bytes, and its time counts.
  events += Bytes().Add(HeadWord(29, 4)).Add(uint32_t{12}).Add(std::string("xxxxxxxx")).text();
  events += EventBytes(1, "eeee");
  // More than the head can tell: a word of length, which counts itself.
  events += Bytes()
                .Add(HeadWord(0, 3))
                .Add(uint32_t{4 + 117})
                .Add(std::string(117, 'f') + std::string(3, '\0'))
                .text();
  PageRead read = ReadPage(PageBytes(1000, events));
  constexpr uint64_t kAbsolute = (uint64_t{3} << 27) + 9;
  CHECK(read.records ==
        PageRecords{{1000, "aaaa"},
                    {1007, "bbbbbbbb"},
                    {1007 + (uint64_t{2} << 27) + 5 + 1, "cccc"},
                    {kAbsolute + 2, "dddd"},
                    {kAbsolute + 2 + 4 + 1, "eeee"},
                    {kAbsolute + 2 + 4 + 1 + 3, std::string(117, 'f') + std::string(3, '\0')}});
  CHECK_FALSE(read.damaged);
  // The high bits of a time of its own are those of the page.
  constexpr uint64_t kHigh = uint64_t{5} << 59;
  PageRead high = ReadPage(
      PageBytes(kHigh + 7, Bytes().Add(HeadWord(31, 9)).Add(uint32_t{1}).text() + EventBytes(0, "aaaa")));
  CHECK(high.records == PageRecords{{kHigh + (uint64_t{1} << 27) + 9, "aaaa"}});
  // Nothing is read behind an end that the kernel marked, which it does where no event fits.
  PageRead ended =
      ReadPage(PageBytes(1, EventBytes(0, "aaaa") + Bytes().Add(HeadWord(29, 0)).Add(~uint32_t{0}).text()));
  CHECK(ended.records.size() == 1);
  CHECK_FALSE(ended.damaged);
}

TEST_CASE("a page tells what was lost before it", "[ring_buffer_page]") {
  CHECK(ReadPage(PageBytes(1, EventBytes(0, "aaaa"))).lost == 0);
  CHECK(ReadPage(PageBytes(1, EventBytes(0, "aaaa"), kMissedEvents)).lost == -1);
  std::string number = Bytes().Add(uint64_t{42}).text();
  CHECK(ReadPage(PageBytes(1, EventBytes(0, "aaaa"), kMissedEvents | kMissedStored, number)).lost == 42);
  // (1 << 31) is negative, and fills the upper half of a long.
  CHECK(ReadPage(PageBytes(1, EventBytes(0, "aaaa"), kMissedEvents | 0xffffffff00000000)).lost == -1);
  CHECK(ReadPage(PageBytes(1, EventBytes(0, "aaaa"), kMissedEvents)).records.size() == 1);
  // Of a machine with longs of 4 bytes.
  std::string events = EventBytes(5, "aaaa");
  std::string page = Bytes().Add(uint64_t{100}).Add(static_cast<uint32_t>(events.size())).Add(events).text();
  page.resize(kPageSize);
  CHECK(ReadPage(page, 4).records == PageRecords{{105, "aaaa"}});
}

TEST_CASE("of a damaged page comes what stands before the damage", "[ring_buffer_page]") {
  const std::string two = EventBytes(1, "aaaa") + EventBytes(1, "bbbb");
  CHECK_FALSE(ReadPage(PageBytes(10, two)).damaged);
  struct Case {
    const char* name;
    std::string page;
    size_t records;
  };
  std::string full = PageBytes(10, two + EventBytes(1, std::string(28 * 4, 'c')));
  const Case cases[] = {
      {"zeros", std::string(kPageSize, '\0'), 0},
      {"ones", std::string(kPageSize, '\xff'), 0},
      {"text", std::string(kPageSize, 't'), 0},
      {"zeros within", PageBytes(10, two + std::string(64, '\0')), 2},
      {"ones within", PageBytes(10, two + std::string(64, '\xff')), 2},
      {"longer than the page", PageBytes(10, two + Bytes().Add(HeadWord(28, 1)).text()), 2},
      {"a length that is none", PageBytes(10, two + Bytes().Add(HeadWord(0, 1)).Add(uint32_t{3}).text()), 2},
      {"a length of nothing", PageBytes(10, two + Bytes().Add(HeadWord(0, 1)).Add(uint32_t{4}).text()), 2},
      {"a length of 2^32", PageBytes(10, two + Bytes().Add(HeadWord(0, 1)).Add(~uint32_t{0}).text()), 2},
      {"padding of 2^32", PageBytes(10, two + Bytes().Add(HeadWord(29, 1)).Add(~uint32_t{0}).text()), 2},
      {"padding of nothing", PageBytes(10, two + Bytes().Add(HeadWord(29, 1)).Add(uint32_t{0}).text()), 2},
      {"an end before the end", PageBytes(10, two + Bytes().Add(HeadWord(29, 0)).text() + two), 2},
      {"half a word", PageBytes(10, two + Bytes().Add(HeadWord(30, 1)).text()), 2},
      {"cut off", full.substr(0, 60), 2},
      {"cut off within its head", full.substr(0, 11), 0},
  };
  for (const Case& damaged : cases) {
    CAPTURE(damaged.name);
    PageRead read = ReadPage(damaged.page);
    CHECK(read.damaged);
    CHECK(read.records.size() == damaged.records);
  }
}

}  // namespace mmreplay
