// The vocabulary of an op's description. An op is a struct. Its `Fields` describe each member once. The
// addon's unpacking and checks, the TypeScript types and the driver's random cases are derived from that.
// This file depends on neither Node nor a device.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>

// Forced, so that a body compiled for one instruction set is not merged with another set's.
#if defined(__CUDACC__)
#define PACKED_RNN_DESCRIBED __host__ __device__ __forceinline__
#else
#define PACKED_RNN_DESCRIBED inline __attribute__((always_inline))
#endif

namespace packed_rnn {

template <class... T>
struct List {
  static constexpr std::size_t size = sizeof...(T);
  template <class F>
  static constexpr void each(F&& f) {
    (f.template operator()<T>(), ...);
  }
  template <class X>
  static constexpr bool has = (std::same_as<X, T> || ...);
  template <class X>
  static constexpr int indexOf() {
    int i = 0, found = -1;
    ((std::same_as<X, T> ? void(found = i) : void(), i++), ...);
    return found;
  }
};
namespace detail {
template <class... L>
struct Joined {
  using type = List<>;
};
template <class... A>
struct Joined<List<A...>> {
  using type = List<A...>;
};
template <class... A, class... B, class... L>
struct Joined<List<A...>, List<B...>, L...> : Joined<List<A..., B...>, L...> {};

template <auto member>
consteval std::string_view text() {
  std::string_view s = __PRETTY_FUNCTION__;  // … text() [with auto member = &ns::Op::field; …]
  s.remove_prefix(s.find("member = ") + 9);
  return s.substr(0, s.find_first_of(";]"));
}
template <class T>
struct MemberOf;
template <class M, class O>
struct MemberOf<M O::*> {
  using type = M;
};
}  // namespace detail
template <class... L>
using Join = typename detail::Joined<L...>::type;

// The name of a member or an enumerator, as its declaration spells it.
template <auto member>
consteval std::string_view nameOf() {
  std::string_view s = detail::text<member>();
  if (!s.empty() && s.back() == ')') s.remove_suffix(1);
  return s.substr(s.find_last_of(':') + 1);
}
namespace detail {
struct Probe {
  int field;
  std::int64_t derived() const { return 0; }
};
static_assert(nameOf<&Probe::field>() == "field" && nameOf<&Probe::derived>() == "derived",
              "this compiler spells members in another way: see nameOf");

// Whether a value of an enumeration has a name.
template <auto value>
consteval bool named() {
  const std::string_view s = text<value>();
  return s.find(')') == std::string_view::npos && (s[0] < '0' || s[0] > '9');
}
}  // namespace detail
// The number of enumerators of an enumeration, which count from 0.
template <class E, int i = 0>
consteval int valuesOf() {
  if constexpr (detail::named<static_cast<E>(i)>()) {
    return valuesOf<E, i + 1>();
  } else {
    return i;
  }
}

// Up to four dimensions. Missing ones have size 1 and stride 0. This is a struct, because fieldCount would
// not count a built-in array as one member.
struct Four {
  std::int64_t at[4];
};
// One value for each direction of a layer.
template <class T>
struct Two {
  T at[2];
  PACKED_RNN_DESCRIBED constexpr T& operator[](std::int64_t i) { return at[i]; }
  PACKED_RNN_DESCRIBED constexpr const T& operator[](std::int64_t i) const { return at[i]; }
};

// What an op does with a buffer. If a buffer that the op reads or updates has failed, the op fails. If the op
// fails, the buffers that it writes or adds to fail too.
enum class Direction : std::uint8_t {
  read,
  write,   // every element is written; the op allocates the buffer
  part,    // written in part or added to; allocated before
  update,  // read and written in place; unchanged if the op fails; zeros the first time
  borrow,  // updated if it has memory; skipped if it has none yet
};
template <auto member>
using TypeOf = typename detail::MemberOf<decltype(member)>::type;

// ---- Numbers, each a number in JavaScript.
template <auto m>
struct Extent {  // a size: an integer, 0 or more
  static_assert(std::same_as<TypeOf<m>, std::int64_t>, "an extent is a std::int64_t");
};
template <auto m>
struct Number {};  // any other number
template <auto m>
struct Flag {
  static_assert(std::same_as<TypeOf<m>, bool>);
};
template <auto m>
struct Choice {
  static_assert(std::is_enum_v<TypeOf<m>>);
};
template <auto m>
struct Extents {};  // Four
template <auto m>
struct Strides {};  // Four

// ---- Arrays on the host.
template <auto m>
struct Offsets {};  // Sequences: an Int32Array, checked and copied

// ---- Buffers: an element type, and a shape made of members and const member functions of the op.
template <Direction d, auto m, auto... shape>
struct BufferField {
  using Pointer = TypeOf<m>;
  using Element = std::remove_const_t<std::remove_pointer_t<Pointer>>;
  static_assert(std::is_pointer_v<Pointer>, "a buffer is a pointer");
  static_assert((d == Direction::read) == std::is_const_v<std::remove_pointer_t<Pointer>>,
                "what is read is a pointer to const, and what is written is not");
  static constexpr Direction direction = d;
  static constexpr auto member = m;
};
template <auto m, auto... shape>
struct Read : BufferField<Direction::read, m, shape...> {};
template <auto m, auto... shape>
struct Write : BufferField<Direction::write, m, shape...> {};
template <auto m, auto... shape>
struct Part : BufferField<Direction::part, m, shape...> {};
template <auto m, auto... shape>
struct Update : BufferField<Direction::update, m, shape...> {};
template <auto m, auto... shape>
struct Borrow : BufferField<Direction::borrow, m, shape...> {};
template <class B>
struct Optional {};  // null if absent
// For the buffers of directions: each direction of the op needs one.
template <class B>
struct Required {};
// The pointer points this many elements past the beginning of the buffer.
template <class B, auto offset>
struct Behind {};
// Integers from `first` to below a member of the op; random cases draw from this range. Backends check them
// in gatherRows, addRows, takeAlong, addAlong and crossEntropy. The index of a packed sequence, in sumRows
// and the recurrent ops, is checked where it is made: in PackedSequence.
template <class B, auto below, int first = -1>
struct Indices {};
// The starts of groups of places. Group u is order[starts[u]] to order[starts[u + 1]].
template <class B, auto places>
struct Starts {};
// One buffer for each direction of a layer: member `part` of entry d of `m`.
template <Direction d, auto m, auto part, auto... shape>
struct Directed {};

// ---- Lists: one buffer or number for each tensor of the op.
template <auto m>
struct Length {};  // the number of tensors
template <Direction d, auto m, auto countOf>
struct Buffers {};  // T* const*: countOf(i) elements, or any number if that is -1
template <auto m, auto list>
struct Counts {};  // const std::int64_t*: the elements of each buffer of the list
template <auto m>
struct Extents64 {};  // const std::int64_t*: sizes
template <auto m>
struct Structs {};  // const S*: a number for each of S::Fields

// ---- Values that the addon supplies.
template <auto m>
struct FromBackend {};  // a size that the device's backend computes: Backend::recurrentSavedCount of the op
template <auto m>
struct Keeps {};  // Kept**: see O::KeptOf and O::keptShape
template <auto m>
struct Heeds {};  // const std::int32_t*: where the device reports whether the op's inputs failed
template <auto m, auto flag>
struct Doubts {};  // const std::int32_t**, if the flag is set: for an op whose failure may be known later

// ---- Properties of a field, for generic code.
template <class F>
struct Field;
template <template <auto> class K, auto m>
requires(!requires { K<m>::direction; }) struct Field<K<m>> {
  static constexpr auto member = m;
  static constexpr std::string_view name = nameOf<m>();
};
template <auto m, auto list>
struct Field<Counts<m, list>> {
  static constexpr auto member = m;
  static constexpr std::string_view name = nameOf<m>();
};
template <auto m, auto flag>
struct Field<Doubts<m, flag>> {
  static constexpr auto member = m;
  static constexpr std::string_view name = nameOf<m>();
};
template <Direction d, auto m, auto count>
struct Field<Buffers<d, m, count>> {
  static constexpr auto member = m;
  static constexpr Direction listDirection = d;
  static constexpr std::string_view name = nameOf<m>();
  using Element =
      std::remove_const_t<std::remove_pointer_t<std::remove_const_t<std::remove_pointer_t<TypeOf<m>>>>>;
};
namespace detail {
// The number of elements, or -1 if it overflows.
template <auto... shape, class O>
PACKED_RNN_DESCRIBED constexpr std::int64_t countOf(const O& op) {
  std::int64_t n = 1;
  bool over = false;
  ((over |= __builtin_mul_overflow(n, static_cast<std::int64_t>(std::invoke(shape, op)), &n)), ...);
  return over ? -1 : n;
}
template <Direction d, auto m, auto... shape>
struct OneBuffer {
  static constexpr auto member = m;
  static constexpr std::string_view name = nameOf<m>();
  static constexpr Direction direction = d;
  static constexpr bool optional = false;
  static constexpr int copies = 1;
  using Element = typename BufferField<d, m, shape...>::Element;
  template <class O>
  static std::int64_t count(const O& op) {
    return countOf<shape...>(op);
  }
  template <class O>
  static std::int64_t offset(const O&) {
    return 0;
  }
  template <class F>
  static constexpr void eachExtent(F&& f) {
    (f(nameOf<shape>()), ...);
  }
};
}  // namespace detail
template <template <auto, auto...> class K, auto m, auto... s>
requires requires { K<m, s...>::direction; }
struct Field<K<m, s...>> : detail::OneBuffer<K<m, s...>::direction, m, s...> {};
template <class B>
struct Field<Optional<B>> : Field<B> {
  static constexpr bool optional = true;
};
template <class B>
struct Field<Required<B>> : Field<B> {
  static constexpr bool required = true;
};
template <class B, auto o>
struct Field<Behind<B, o>> : Field<B> {
  template <class O>
  static std::int64_t offset(const O& op) {
    return std::invoke(o, op);
  }
};
template <class B, auto b, int first>
struct Field<Indices<B, b, first>> : Field<B> {
  static constexpr auto below = b;
  static constexpr int lowest = first;
};
template <class B, auto p>
struct Field<Starts<B, p>> : Field<B> {
  static constexpr auto startsOf = p;
};
template <Direction d, auto m, auto part, auto... s>
struct Field<Directed<d, m, part, s...>> {
  static constexpr auto member = m;
  static constexpr auto partMember = part;
  static constexpr std::string_view name = nameOf<part>();
  static constexpr Direction direction = d;
  static constexpr bool optional = true;
  static constexpr bool required = false;
  static constexpr int copies = 2;
  using Element = std::remove_const_t<std::remove_pointer_t<TypeOf<part>>>;
  template <class O>
  static std::int64_t count(const O& op) {
    return detail::countOf<s...>(op);
  }
  template <class O>
  static std::int64_t offset(const O&) {
    return 0;
  }
  template <class F>
  static constexpr void eachExtent(F&& f) {
    (f(nameOf<s>()), ...);
  }
};
template <class F>
concept IsBuffer = requires {
  Field<F>::direction;
};
template <class F>
concept IsList = requires {
  Field<F>::listDirection;
};

// ---- Completeness: the fields cover every member of the op.
namespace detail {
struct Anything {
  template <class T>
  constexpr operator T() const noexcept;
};
template <class T, std::size_t... i>
constexpr bool takes(std::index_sequence<i...>) {
  return requires { T{(static_cast<void>(i), Anything{})...}; };
}
template <class T, std::size_t n = 0>
consteval std::size_t fieldCount() {
  if constexpr (!takes<T>(std::make_index_sequence<n + 1>{})) {
    return n;
  } else {
    return fieldCount<T, n + 1>();
  }
}
template <class O>
consteval std::size_t membersOf() {
  if constexpr (requires { typename O::Base; }) {
    return fieldCount<O>() - 1 + membersOf<typename O::Base>();
  } else {
    return fieldCount<O>();
  }
}
template <class... F>
consteval std::size_t distinctMembers(List<F...>) {
  // Fields that share a member, such as the buffers of a direction, are adjacent.
  std::string_view before;
  std::size_t count = 0;
  ((nameOf<Field<F>::member>() == before ? void() : void(count++), before = nameOf<Field<F>::member>()), ...);
  return count;
}
}  // namespace detail

template <class O>
struct Described {
  static_assert(detail::distinctMembers(typename O::Fields{}) == detail::membersOf<O>(),
                "an op's Fields are all of its members");
  static constexpr bool value = true;
};

}  // namespace packed_rnn
