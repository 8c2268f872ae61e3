// One function object of several lambdas, for std::visit.
#pragma once

namespace mmreplay {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace mmreplay
