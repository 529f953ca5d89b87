// Prints the TypeScript of the ops of native/ops, one file for each family. scripts/contract.js compiles and
// runs this.
#include <cstdio>
#include <string>

#include "ops/contract.h"

using namespace packed_rnn;

namespace {

std::string str(std::string_view s) { return std::string(s); }

// The text of one op: the members of its arguments, the statements that write its numbers, and the passed
// arguments.
struct Text {
  std::string members, numbers, passed;
  int count = 0;

  void member(std::string_view name, const std::string& type, const std::string& about) {
    if (!about.empty()) members += "  /** " + about + " */\n";
    members += "  " + str(name) + ": " + type + "\n";
  }
  void number(const std::string& expression) {
    numbers += "  numbers[" + std::to_string(count++) + "] = " + expression + "\n";
  }
  void pass(const std::string& expression) { passed += ", " + expression; }
};

std::string enumNameOf(std::string_view type) {
  const std::string s = str(type);
  std::string name = s.substr(s.find_last_of(':') + 1);
  name[0] = static_cast<char>(name[0] - 'A' + 'a');
  return name + "s";
}
template <class E>
constexpr std::string_view typeName() {
  std::string_view s = __PRETTY_FUNCTION__;
  s = s.substr(s.find("E = ") + 4);
  return s.substr(0, s.find_first_of(";]"));
}

template <auto m>
void add(Text& t, Extent<m>) {
  t.member(nameOf<m>(), "number", "");
  t.number("of." + str(nameOf<m>()));
}
template <auto m>
void add(Text& t, Number<m>) {
  t.member(nameOf<m>(), "number", "");
  t.number("of." + str(nameOf<m>()));
}
template <auto m>
void add(Text& t, Flag<m>) {
  t.member(nameOf<m>(), "boolean", "");
  t.number("of." + str(nameOf<m>()) + " ? 1 : 0");
}
template <auto m>
void add(Text& t, Choice<m>) {
  t.member(nameOf<m>(), "number", "One of `" + enumNameOf(typeName<TypeOf<m>>()) + "`.");
  t.number("of." + str(nameOf<m>()));
}
void addFour(Text& t, std::string_view name, const char* rest, const char* about) {
  t.member(name, "readonly number[]", about);
  for (int i = 0; i < 4; i++) t.number("of." + str(name) + "[" + std::to_string(i) + "] ?? " + rest);
}
template <auto m>
void add(Text& t, Extents<m>) {
  addFour(t, nameOf<m>(), "1", "At most four dimensions; those that are not there are 1.");
}
template <auto m>
void add(Text& t, Strides<m>) {
  addFour(t, nameOf<m>(), "0", "In elements, one a dimension.");
}
template <auto m>
void add(Text& t, Offsets<m>) {
  t.member(nameOf<m>(), "Int32Array", "Offsets [B + 1], from 0 to N, not decreasing.");
  t.pass("of." + str(nameOf<m>()));
}
template <auto m>
void add(Text& t, Optional<Offsets<m>>) {
  t.member(nameOf<m>(), "Int32Array | null", "Offsets [B + 1], from 0 to N, not decreasing.");
  t.pass("of." + str(nameOf<m>()));
}
template <class Element>
std::string elementName() {
  return std::is_same_v<Element, float> ? "float32" : "int32";
}
const char* directionName(Direction d) {
  constexpr const char* names[] = {"read", "written", "written in part", "updated",
                                   "updated if it has memory"};
  return names[static_cast<int>(d)];
}
template <class F>
requires IsBuffer<F>
void add(Text& t, F) {
  using D = Field<F>;
  std::string shape;
  D::eachExtent([&](std::string_view s) { shape += (shape.empty() ? "" : ", ") + str(s); });
  const std::string about =
      elementName<typename D::Element>() + " [" + shape + "], " + directionName(D::direction) + ".";
  if constexpr (requires { D::partMember; }) {
    const std::string name =
        (D::direction == Direction::write ? "d" : "") + str(D::name);  // gradients of the weights
    std::string spelled = name;
    if (D::direction == Direction::write) spelled[1] = static_cast<char>(spelled[1] - 'a' + 'A');
    t.member(spelled, "PerDirection", about);
    t.pass("of." + spelled + "[0] ?? null");
    t.pass("of." + spelled + "[1] ?? null");
  } else {
    t.member(D::name, D::optional ? "NativeBuffer | null" : "NativeBuffer", about);
    t.pass("of." + str(D::name));
  }
}
template <Direction d, auto m, auto count>
void add(Text& t, Buffers<d, m, count>) {
  t.member(nameOf<m>(), "readonly (NativeBuffer | null)[]",
           elementName<typename Field<Buffers<d, m, count>>::Element>() + ", " + directionName(d) + ".");
  t.pass("of." + str(nameOf<m>()));
}
template <auto m>
void add(Text& t, Extents64<m>) {
  t.member(nameOf<m>(), "readonly number[]", "One a tensor.");
  t.pass("new Float64Array(of." + str(nameOf<m>()) + ")");
}
template <auto m>
void add(Text& t, Structs<m>) {
  using S = std::remove_const_t<std::remove_pointer_t<TypeOf<m>>>;
  const std::string type = str(typeName<S>()).substr(str(typeName<S>()).find_last_of(':') + 1);
  std::string members, values;
  S::Fields::each([&]<class F> {
    const std::string name = str(Field<F>::name);
    const bool flag = std::is_same_v<TypeOf<Field<F>::member>, bool>;
    members += "  " + name + ": " + (flag ? "boolean" : "number") + "\n";
    values += (values.empty() ? "" : ", ") + ("one." + name) + (flag ? " ? 1 : 0" : "");
  });
  std::printf("export interface %s {\n%s}\n\n", type.c_str(), members.c_str());
  t.member(nameOf<m>(), "readonly " + type + "[]", "One a tensor.");
  t.pass("new Float64Array(of." + str(nameOf<m>()) + ".flatMap(one => [" + values + "]))");
}
// Fields that do not come from JavaScript.
template <auto m>
void add(Text&, Length<m>) {}
template <auto m, auto list>
void add(Text&, Counts<m, list>) {}
template <auto m>
void add(Text&, Keeps<m>) {}
template <auto m>
void add(Text&, Heeds<m>) {}
template <auto m>
void add(Text&, FromBackend<m>) {}
template <auto m, auto flag>
void add(Text&, Doubts<m, flag>) {}

template <class E, int... i>
void printValues(std::integer_sequence<int, i...>) {
  std::printf("export const %s = {\n", enumNameOf(typeName<E>()).c_str());
  (std::printf("  %s: %d,\n", str(nameOf<static_cast<E>(i)>()).c_str(), i), ...);
  std::printf("} as const\n\n");
}

std::string printed;
template <class O>
void printEnums() {
  const auto print = [&]<auto m>(Choice<m>) {
    using E = TypeOf<m>;
    if (printed.find(str(typeName<E>())) != std::string::npos) return;
    printed += str(typeName<E>());
    printValues<E>(std::make_integer_sequence<int, valuesOf<E>()>{});
  };
  O::Fields::each([&]<class F> {
    if constexpr (requires { print(F{}); }) print(F{});
  });
}

template <class O>
void printOp() {
  Text t;
  O::Fields::each([&]<class F> { add(t, F{}); });
  const std::string name = O::name;
  std::string type = name;
  type[0] = static_cast<char>(type[0] - 'a' + 'A');
  std::printf("export interface %s {\n%s}\n\n", type.c_str(), t.members.c_str());
  std::printf("export function %s(device: NativeDevice, of: %s): void {\n%s  raw.%s(device%s)\n}\n\n",
              name.c_str(), type.c_str(), t.numbers.c_str(), name.c_str(), t.passed.c_str());
}

template <class Family>
void printFamily(const char* file) {
  std::printf("=== %s.ts\n", file);
  std::printf("// Made by `npm run generate` from native/ops/%s.h. Do not edit.\n", file);
  std::printf(
      "import { type NativeBuffer, type NativeDevice, numbers, type PerDirection, raw } from "
      "'../nativeAddon.js'\n\n");
  Family::each([&]<class O> { printEnums<O>(); });
  Family::each([&]<class O> { printOp<O>(); });
}

}  // namespace

int main() {
  printFamily<ProductOps>("products");
  printFamily<RowOps>("rows");
  printFamily<PoolingOps>("pooling");
  printFamily<ElementOps>("elementwise");
  printFamily<ReductionOps>("reductions");
  printFamily<RandomOps>("random");
  printFamily<LossOps>("loss");
  printFamily<SoftmaxOps>("softmax");
  printFamily<AttentionOps>("attention");
  printFamily<RecurrentOps>("recurrent");
  printFamily<ClipOps>("clip");
  printFamily<OptimizerOps>("optimizers");
  std::printf("=== identity.ts\n// Made by `npm run generate` from native/ops. Do not edit.\n\n");
  std::printf("/** What the addon must say of itself: see native/ops/contract.h. */\n");
  std::printf("export const contractNumber = %.0f\n\n", contractNumber());
  printValues<Precision>(std::make_integer_sequence<int, valuesOf<Precision>()>{});
  std::printf("/** `kMostMissedSteps` in native/ops/optimizers.h. */\n");
  std::printf("export const mostMissedSteps = %d\n\n", kMostMissedSteps);
  std::printf("/** 32-bit words of `MissedSteps` without those of the rows. */\n");
  std::printf("export const missedStepsWords = %lld\n\n", static_cast<long long>(missedStepsWords(0)));
  std::printf("export type OpName =");
  Ops::each([&]<class O> { std::printf(" | '%s'", O::name); });
  std::printf("\n");
}
