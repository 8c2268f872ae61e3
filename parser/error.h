#pragma once

#include <stdexcept>
#include <string>

namespace mmreplay {

// What ends a run: an input that cannot be read, a rule that is wrong, a disk that is full. The
// text names the object first ("x.txt: is a directory"). Thrown by any module, caught in main.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace mmreplay
