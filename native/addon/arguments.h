// What a field takes of a call: numbers of the scratch array, or arguments, or neither.
#pragma once

#include "ops/describe.h"

namespace packed_rnn {

// How many numbers a field takes; if it takes none, how many arguments.
template <class F>
struct NumbersOf {
  static constexpr int count = 1;
};
template <auto m>
struct NumbersOf<Extents<m>> {
  static constexpr int count = 4;
};
template <auto m>
struct NumbersOf<Strides<m>> {
  static constexpr int count = 4;
};
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
template <class F>
constexpr bool kComesFromElsewhere = false;  // neither a number nor an argument
template <auto m>
constexpr bool kComesFromElsewhere<Length<m>> = true;
template <auto m, auto list>
constexpr bool kComesFromElsewhere<Counts<m, list>> = true;
template <auto m>
constexpr bool kComesFromElsewhere<Keeps<m>> = true;
template <auto m>
constexpr bool kComesFromElsewhere<Heeds<m>> = true;
template <auto m, auto flag>
constexpr bool kComesFromElsewhere<Doubts<m, flag>> = true;
template <auto m>
constexpr bool kComesFromElsewhere<FromBackend<m>> = true;
template <class F>
constexpr int numbersOf = ArgumentsOf<F>::count > 0 || kComesFromElsewhere<F> ? 0 : NumbersOf<F>::count;

}  // namespace packed_rnn
