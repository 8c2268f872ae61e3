#include "parser/string_table.h"

namespace mmreplay {

StringId StringTable::Intern(std::string_view text) {
  if (auto known = ids_.find(text); known != ids_.end()) return known->second;
  auto id = static_cast<StringId>(texts_.size());
  ids_.emplace(texts_.emplace_back(text), id);
  return id;
}

}  // namespace mmreplay
