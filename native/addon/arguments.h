// What a field takes of a call. Numbers are in the scratch array, in the order of the fields; this counts
// arguments.
#pragma once

#include "ops/describe.h"

namespace packed_rnn {

// How many arguments a field takes.
template <class F>
struct ArgumentsOf {
  static constexpr int count = 0;
};
template <auto m>
struct ArgumentsOf<Offsets<m>> {
  static constexpr int count = 1;
};
template <auto m>
struct ArgumentsOf<Optional<Offsets<m>>> {
  static constexpr int count = 1;
};
template <auto m>
struct ArgumentsOf<Extents64<m>> {
  static constexpr int count = 1;
};
template <auto m>
struct ArgumentsOf<Structs<m>> {
  static constexpr int count = 1;
};
template <class F>
requires IsBuffer<F>
struct ArgumentsOf<F> {
  static constexpr int count = Field<F>::copies;
};
template <class F>
requires IsList<F>
struct ArgumentsOf<F> {
  static constexpr int count = 1;
};

}  // namespace packed_rnn
