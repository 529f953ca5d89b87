// A hash of all descriptions: different descriptions have different hashes. It covers names and kinds of
// fields in their order, the shapes of buffers, and what else src/contract/identity.ts has, but not comments.
#pragma once

#include <string>

#include "backend.h"
#include "ops/all.h"

namespace packed_rnn {

namespace detail {
template <class T>
constexpr std::string_view kindOf() {
  const std::string_view s = __PRETTY_FUNCTION__;
  return s.substr(s.find("T = "));
}
template <class E, int... i>
void eachValue(auto&& f, std::integer_sequence<int, i...>) {
  (f(nameOf<static_cast<E>(i)>()), ...);
}
}  // namespace detail

// 53 bits of FNV-1a.
inline double contractNumber() {
  std::uint64_t state = 0xcbf29ce484222325ull;
  const auto add = [&](std::string_view text) {
    for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    state = (state ^ 0xff) * 0x100000001b3ull;
  };
  const auto addValues = [&]<auto m>(Choice<m>) {
    using E = TypeOf<m>;
    detail::eachValue<E>(add, std::make_integer_sequence<int, valuesOf<E>()>{});
  };
  const auto addMembers = [&]<auto m>(Structs<m>) {
    using S = std::remove_const_t<std::remove_pointer_t<TypeOf<m>>>;
    S::Fields::each([&]<class F> { add(detail::kindOf<F>()); });
  };
  Ops::each([&]<class O> {
    add(O::name);
    O::Fields::each([&]<class F> {
      add(detail::kindOf<F>());
      if constexpr (requires { addValues(F{}); }) addValues(F{});
      if constexpr (requires { addMembers(F{}); }) addMembers(F{});
    });
  });
  detail::eachValue<Precision>(add, std::make_integer_sequence<int, valuesOf<Precision>()>{});
  for (const std::int64_t size : {std::int64_t{kMostMissedSteps}, missedStepsWords(0)})
    add(std::to_string(size));
  return static_cast<double>(state >> 11);
}

}  // namespace packed_rnn
