#include "replay/pte.h"

namespace mmreplay {
namespace {

// Migration types are the highest swap types (include/linux/swap.h: SWP_MIGRATION_READ ... sit
// right below MAX_SWAPFILES); how many special types there are depends on the configuration.
constexpr uint64_t kLowestMigrationType = 22;

// Since 6.1 the bits above the pfn carry young and dirty (SWP_MIG_YOUNG_BIT); before, they are 0.
// SWP_PFN_BITS is MAX_PHYSMEM_BITS - PAGE_SHIFT: 46 (52 with five levels) and 48 (52) bits of
// physical address. Pages above 64 TiB are not told apart from those bits.
constexpr int kX86PhysicalBits = 46;
constexpr int kArm64PhysicalBits = 48;

uint64_t Mask(int bits) {
  return (uint64_t{1} << bits) - 1;
}

}  // namespace

Architecture PteDecoder::ArchitectureOf(uint64_t entry) const {
  if (architecture_ != Architecture::kUnknown) return architecture_;
  // Not present on x86: type in bits 59-63, offset inverted. On arm64: bits 59-63 are clear.
  if ((entry & 1) == 0) return (entry >> 59) != 0 ? Architecture::kX86_64 : Architecture::kArm64;
  // Present: arm64 has bit 1 set in a page descriptor and clear in a block, bit 10 (access flag) in
  // both; x86 has bits 0, 5 and 6 for present, accessed, dirty. No bit decides: unknown.
  return Architecture::kUnknown;
}

std::optional<Pfn> PteDecoder::Present(uint64_t entry) const {
  // Bits 12-47 hold the address on arm64 with 48 bits and on x86 up to 64 TiB of memory.
  constexpr uint64_t kAddress = 0x0000fffffffff000;
  if ((entry & 1) == 0) return std::nullopt;
  return static_cast<Pfn>((entry & kAddress) >> page_shift_);
}

// arch/arm64/include/asm/pgtable.h: bits 3-7 type and 8-57 offset up to 6.9; bits 6-10 type and
// 12-61 offset since (6.12 and 7.2 observed). Most entries read as one of the two only.
std::optional<Pfn> PteDecoder::Arm64Migration(uint64_t entry, bool huge) const {
  if ((entry & 3) != 0) return std::nullopt;
  uint64_t pfn_mask = Mask(kArm64PhysicalBits - page_shift_);
  // The smallest huge page is a pmd of 4 KiB pages: order 9.
  uint64_t alignment = huge ? Mask(9) : 0;
  auto decode = [&](int type_shift, int offset_shift) -> std::optional<Pfn> {
    if (((entry >> type_shift) & 0x1f) < kLowestMigrationType) return std::nullopt;
    uint64_t pfn = (entry >> offset_shift) & pfn_mask;
    if ((pfn & alignment) != 0) return std::nullopt;
    return static_cast<Pfn>(pfn);
  };
  std::optional<Pfn> before = decode(3, 8);
  std::optional<Pfn> since = decode(6, 12);
  if (!before || !since) return before ? before : since;
  if (!release_) return std::nullopt;
  return release_->AtLeast(6, 10) ? since : before;
}

std::optional<Pfn> PteDecoder::Migration(uint64_t entry, bool huge) const {
  switch (ArchitectureOf(entry)) {
    case Architecture::kX86_64: {
      // arch/x86/include/asm/pgtable_64.h, 4.19+: __swp_type, __swp_offset (stored inverted)
      if ((entry & 1) != 0 || (entry >> 59) < kLowestMigrationType) return std::nullopt;
      uint64_t offset = (~entry << 5) >> 14;
      return static_cast<Pfn>(offset & Mask(kX86PhysicalBits - page_shift_));
    }
    case Architecture::kArm64:
      return Arm64Migration(entry, huge);
    case Architecture::kUnknown:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Pfn> PteDecoder::SwapEntry(uint64_t entry) const {
  // include/linux/swapops.h since 4.20: type in bits 58-62; both architectures.
  if ((entry >> 58) < kLowestMigrationType) return std::nullopt;
  int bits = architecture_ == Architecture::kX86_64 ? kX86PhysicalBits : kArm64PhysicalBits;
  // With the architecture unknown the narrower pfn field would cut, the wider one would take
  // x86's young and dirty bits (34, 35) for address bits: those are cut off when set alone.
  if (architecture_ == Architecture::kUnknown) bits = kX86PhysicalBits;
  return static_cast<Pfn>(entry & Mask(bits - page_shift_));
}

}  // namespace mmreplay
