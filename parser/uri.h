// Paths in URIs.
#pragma once

#include <string>
#include <string_view>

namespace mmreplay {

inline bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 3986: path characters but ':', which would make a scheme of a relative path's first part.
inline std::string PercentEncoded(std::string_view path) {
  constexpr std::string_view kKept = "-._~!$&'()*+,;=@/";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string uri;
  for (char c : path) {
    if (IsAlphanumeric(c) || kKept.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      auto byte = static_cast<unsigned char>(c);
      uri.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return uri;
}

}  // namespace mmreplay
