// Binds a JavaScript call to an op's task. The arguments are (device, …handles and arrays in the order of the
// op's Fields). The numbers, in the same order, are in the environment's scratch array. A written buffer
// without memory is created here. This uses plain Node-API, because node-addon-api allocates for more than
// six arguments.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>

#include "addon/arguments.h"
#include "addon/device.h"
#include "addon/environment.h"
#include "addon/handle.h"
#include "addon/op_task.h"

namespace packed_rnn {

struct Wrong {
  char message[256];
};
template <class... A>
[[noreturn, gnu::cold, gnu::noinline]] void wrong(const char* format, A... a) {
  Wrong w;
  std::snprintf(w.message, sizeof w.message, format, a...);
  throw w;
}
inline int length(std::string_view s) { return static_cast<int>(s.size()); }

// Whether the op allocates the memory.
template <Direction d>
constexpr bool kBorn = d == Direction::write || d == Direction::part;

template <class O>
class Binder {
 public:
  Binder(napi_env env, const double* numbers, const napi_value* arguments, Queue& queue, OpTask<O>& task)
      : env_(env), numbers_(numbers), arguments_(arguments), queue_(queue), task_(task) {}

  void bind() {
    // Numbers and host arrays come before the buffers, because shapes are computed from them.
    const napi_value* const begin = arguments_;
    O::Fields::each([&]<class F> {
      number(F{});
      arguments_ += ArgumentsOf<F>::count;
    });
    arguments_ = begin;
    O::Fields::each([&]<class F> {
      array(F{});
      arguments_ += ArgumentsOf<F>::count;
    });
    if constexpr (requires { task_.op.fits(); }) {
      if (!task_.op.fits()) wrong("%s: wanted sizes and strides that fit each other", O::name);
    }
    O::Fields::each([&]<class F> { fromBackend(F{}); });
    arguments_ = begin;
    O::Fields::each([&]<class F> {
      if constexpr (IsBuffer<F>) buffer(F{});
      arguments_ += ArgumentsOf<F>::count;
    });
    if constexpr (OpTask<O>::kHasLists) {
      for (const Held& held : task_.fixed) task_.listed.push_back(held);
    }
    if constexpr (requires { O::usesUp; }) task_.usesUp = true;
    if constexpr (requires { task_.op.failsUpdates(); }) task_.failsUpdates = task_.op.failsUpdates();
  }

 private:
  std::int64_t integer(std::string_view name, double d) {
    const auto n = static_cast<std::int64_t>(d);
    if (!(d >= 0 && d <= 9007199254740991.0) || static_cast<double>(n) != d)
      wrong("%s: %.*s: wanted an integer of at least 0, got %g", O::name, length(name), name.data(), d);
    return n;
  }

  template <auto m>
  void number(Extent<m>) {
    task_.op.*m = integer(nameOf<m>(), *numbers_++);
  }
  template <auto m>
  void number(Flag<m>) {
    task_.op.*m = *numbers_++ != 0;
  }
  template <auto m>
  void number(Choice<m>) {
    using E = TypeOf<m>;
    const std::int64_t n = integer(nameOf<m>(), *numbers_++);
    if (n >= valuesOf<E>())
      wrong("%s: %.*s: wanted less than %d, got %lld", O::name, length(nameOf<m>()), nameOf<m>().data(),
            valuesOf<E>(), static_cast<long long>(n));
    task_.op.*m = static_cast<E>(n);
  }
  template <auto m>
  void number(Number<m>) {
    task_.op.*m = static_cast<TypeOf<m>>(*numbers_++);
  }
  template <auto m>
  void number(Extents<m>) {
    std::int64_t all = 1;
    for (std::int64_t& n : (task_.op.*m).at) {
      n = integer(nameOf<m>(), *numbers_++);
      if (__builtin_mul_overflow(all, n, &all))
        wrong("%s: %.*s: wanted fewer elements", O::name, length(nameOf<m>()), nameOf<m>().data());
    }
  }
  template <auto m>
  void number(Strides<m>) {
    for (std::int64_t& n : (task_.op.*m).at) {
      const double d = *numbers_++;
      if (!(d > -1e15 && d < 1e15) || std::floor(d) != d)
        wrong("%s: %.*s: wanted an integer, got %g", O::name, length(nameOf<m>()), nameOf<m>().data(), d);
      n = static_cast<std::int64_t>(d);
    }
  }
  template <class F>
  void number(F) {}

  bool isAbsent(napi_value value) const {
    napi_valuetype type = napi_external;
    return napi_typeof(env_, value, &type) == napi_ok && (type == napi_null || type == napi_undefined);
  }

  template <auto m>
  void array(Offsets<m>) {
    napi_typedarray_type type = napi_int8_array;
    std::size_t count = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env_, *arguments_, &type, &count, &data, nullptr, nullptr) != napi_ok ||
        type != napi_int32_array || count == 0)
      wrong("%s: %.*s: wanted offsets as an Int32Array", O::name, length(nameOf<m>()), nameOf<m>().data());
    const auto* const from = static_cast<const std::int32_t*>(data);
    std::int32_t before = 0;
    for (std::size_t i = 0; i < count; i++) {
      if (from[i] < before || (i == 0 && from[i] != 0))
        wrong("%s: %.*s[%zu]: wanted at least %d, got %d", O::name, length(nameOf<m>()), nameOf<m>().data(),
              i, before, from[i]);
      before = from[i];
    }
    // The batches of an op have as many sequences as the first.
    if (offsets_ > 0 && count != task_.offsets[0].size())
      wrong("%s: %.*s: wanted %zu offsets, got %zu", O::name, length(nameOf<m>()), nameOf<m>().data(),
            task_.offsets[0].size(), count);
    std::vector<std::int32_t>& offsets = task_.offsets[offsets_++];
    offsets.assign(from, from + count);
    task_.hostBytes += 4 * count;
    (task_.op.*m) = {offsets.data(), static_cast<std::int64_t>(count) - 1};
  }
  template <auto m>
  void array(Optional<Offsets<m>>) {
    if (isAbsent(*arguments_)) {
      (task_.op.*m) = {nullptr, 0};
    } else {
      array(Offsets<m>{});
    }
  }
  const double* doubles(std::string_view name, std::size_t wanted) {
    napi_typedarray_type type = napi_int8_array;
    std::size_t count = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env_, *arguments_, &type, &count, &data, nullptr, nullptr) != napi_ok ||
        type != napi_float64_array || count != wanted)
      wrong("%s: %.*s: wanted a Float64Array of %zu numbers, got %zu", O::name, length(name), name.data(),
            wanted, count);
    return static_cast<const double*>(data);
  }
  std::size_t tensors() {
    if (tensors_ < 0) {
      // The length of the first list.
      const napi_value* at = arguments_;
      bool found = false;
      const napi_value* walk = start_;
      O::Fields::each([&]<class F> {
        if (IsList<F> && !found) {
          found = true;
          at = walk;
        }
        walk += ArgumentsOf<F>::count;
      });
      std::uint32_t count = 0;
      if (napi_get_array_length(env_, *at, &count) != napi_ok) wrong("%s: wanted lists", O::name);
      tensors_ = count;
    }
    return static_cast<std::size_t>(tensors_);
  }
  template <auto m>
  void array(Length<m>) {
    task_.op.*m = static_cast<std::int64_t>(tensors());
  }
  template <auto m>
  void array(Extents64<m>) {
    const double* const from = doubles(nameOf<m>(), tensors());
    std::vector<std::int64_t>& to = task_.sizes64.emplace_back();
    for (std::size_t i = 0; i < tensors(); i++) to.push_back(integer(nameOf<m>(), from[i]));
    task_.op.*m = to.data();
  }
  template <auto m>
  void array(Structs<m>) {
    using S = std::remove_const_t<std::remove_pointer_t<TypeOf<m>>>;
    const double* from = doubles(nameOf<m>(), tensors() * S::Fields::size);
    task_.structs.resize(tensors() * sizeof(S));
    auto* const to = reinterpret_cast<S*>(task_.structs.data());
    for (std::size_t i = 0; i < tensors(); i++) {
      S s{};
      S::Fields::each([&]<class F> { s.*Field<F>::member = static_cast<TypeOf<Field<F>::member>>(*from++); });
      to[i] = s;
    }
    task_.op.*m = to;
  }
  template <class F>
  requires IsList<F>
  void array(F) {
    using L = Field<F>;
    ListHeld& list = task_.lists[lists_++];
    list.first = task_.listed.size();
    list.count = tensors();
    std::uint32_t count = 0;
    if (napi_get_array_length(env_, *arguments_, &count) != napi_ok || count != tensors())
      wrong("%s: %.*s: wanted %zu buffers or nulls, got %u", O::name, length(L::name), L::name.data(),
            tensors(), count);
    for (std::uint32_t i = 0; i < count; i++) {
      napi_value element;
      Held held{nullptr, L::listDirection};
      if (napi_get_element(env_, *arguments_, i, &element) == napi_ok && !isAbsent(element)) {
        const Handle* handle = handleOf(env_, element);
        if (handle == nullptr || handle->buffer == nullptr)
          wrong("%s: %.*s[%u]: wanted a buffer", O::name, length(L::name), L::name.data(), i);
        held.buffer = handle->buffer;
        elements_ = static_cast<std::int64_t>(held.buffer->bytes / sizeof(typename L::Element));
        checkElement(F{}, i);
      }
      task_.listed.push_back(std::move(held));
    }
  }
  template <Direction d, auto m, auto countOf>
  void checkElement(Buffers<d, m, countOf>, std::uint32_t i) {
    const std::int64_t wanted = std::invoke(countOf, task_.op, static_cast<std::int64_t>(i));
    if (wanted >= 0 && wanted != elements_)
      wrong("%s: %.*s[%u]: wanted %lld elements, got %lld", O::name, length(nameOf<m>()), nameOf<m>().data(),
            i, static_cast<long long>(wanted), static_cast<long long>(elements_));
  }
  template <auto m, auto list>
  void array(Counts<m, list>) {
    // For the preceding list.
    const ListHeld& held = task_.lists[lists_ - 1];
    std::vector<std::int64_t>& to = task_.sizes64.emplace_back();
    for (std::size_t i = 0; i < held.count; i++) {
      const BufferPointer& buffer = task_.listed[held.first + i].buffer;
      to.push_back(buffer == nullptr ? 0 : static_cast<std::int64_t>(buffer->bytes / 4));
    }
    task_.op.*m = to.data();
  }
  template <auto m>
  void fromBackend(FromBackend<m>) {
    task_.op.*m = queue_.backend().recurrentSavedCount(task_.op);
  }
  template <class F>
  void fromBackend(F) {}

  template <auto m, auto flag>
  void array(Doubts<m, flag>) {
    if (task_.op.*flag) task_.doubt = std::make_shared<Doubt>();
  }
  template <auto m>
  void array(Heeds<m>) {
    task_.heedsDoubt = true;
  }
  template <class F>
  void array(F) {}

  template <class F>
  void buffer(F) {
    using D = Field<F>;
    const std::int64_t count = D::count(task_.op);
    for (int copy = 0; copy < D::copies; copy++) {
      Held& held = task_.fixed[fixed_++];
      held.direction = D::direction;
      Handle* const handle = handleOf(env_, arguments_[copy]);
      if (handle == nullptr) {
        if (D::optional && isAbsent(arguments_[copy]) && !isRequired<F>(copy)) continue;
        wrong("%s: %.*s: wanted a buffer", O::name, length(D::name), D::name.data());
      }
      const bool countable = count >= 0 && count <= INT64_MAX / 8;
      const auto bytes = countable ? static_cast<std::size_t>(count) * sizeof(typename D::Element) : 0;
      if (handle->buffer == nullptr) {
        if (!kBorn<D::direction> || !countable)
          wrong("%s: %.*s: the buffer was released", O::name, length(D::name), D::name.data());
        bear(env_, *handle, std::make_shared<Buffer>(queue_.backend(), bytes));
      } else if (!countable || handle->buffer->bytes != bytes) {
        wrongCount<F>(count, handle->buffer->bytes / sizeof(typename D::Element));
      }
      held.buffer = handle->buffer;
    }
  }
  template <class F>
  bool isRequired(int copy) const {
    if constexpr (requires { Field<F>::required; }) {
      return Field<F>::required && copy < task_.op.directions;
    } else {
      return false;
    }
  }
  template <class F>
  [[noreturn, gnu::cold, gnu::noinline]] static void wrongCount(std::int64_t wanted, std::size_t got) {
    char shape[96] = {};
    Field<F>::eachExtent([&](std::string_view s) {
      const std::size_t at = std::strlen(shape);
      std::snprintf(shape + at, sizeof shape - at, "%s%.*s", at == 0 ? "" : ", ", length(s), s.data());
    });
    wrong("%s: %.*s: wanted [%s], %lld elements, got %zu", O::name, length(Field<F>::name),
          Field<F>::name.data(), shape, static_cast<long long>(wanted), got);
  }

  napi_env env_;
  const double* numbers_;
  const napi_value* arguments_;
  const napi_value* const start_ = arguments_;
  Queue& queue_;
  OpTask<O>& task_;
  std::size_t fixed_ = 0, lists_ = 0, offsets_ = 0;
  std::int64_t tensors_ = -1, elements_ = 0;
};

// raw.<op>(device, …arguments)
template <class O>
napi_value callOp(napi_env env, napi_callback_info info) {
  constexpr std::size_t wanted = [] {
    std::size_t count = 1;
    O::Fields::each([&]<class F> { count += static_cast<std::size_t>(ArgumentsOf<F>::count); });
    return count;
  }();
  napi_value arguments[wanted];
  std::size_t count = wanted;
  void* data = nullptr;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, &data) != napi_ok) return nullptr;
  auto& environment = *static_cast<Environment*>(data);
  try {
    if (count != wanted) wrong("%s: wanted %zu arguments, got %zu", O::name, wanted, count);
    Queue* const queue = queueOf(env, arguments[0]);
    if (queue == nullptr) wrong("packed-rnn: wanted a device");
    auto task = std::make_unique<OpTask<O>>();
    Binder<O>(env, environment.numbers(), arguments + 1, *queue, *task).bind();
    environment.push(*queue, std::move(task));
  } catch (const Wrong& w) {
    napi_throw_type_error(env, nullptr, w.message);
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_OUT_OF_MEMORY", "the host has no memory left");
  }
  return nullptr;
}

}  // namespace packed_rnn
