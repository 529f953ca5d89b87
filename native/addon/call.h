// From the one object of arguments that JavaScript passes to an op, to the op in the queue.
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "addon/napi.h"
#include "addon/queue.h"

namespace packed_rnn {

// A buffer argument of an op. The address is known when the op runs.
class Argument {
 public:
  Argument() = default;
  explicit Argument(BufferPointer buffer) : buffer_(std::move(buffer)) {}
  float* floats() const { return buffer_ == nullptr ? nullptr : static_cast<float*>(buffer_->data); }
  std::int32_t* integers() const {
    return buffer_ == nullptr ? nullptr : static_cast<std::int32_t*>(buffer_->data);
  }
  std::int64_t count() const {
    return buffer_ == nullptr ? 0 : static_cast<std::int64_t>(buffer_->bytes / 4);
  }
  std::uint64_t stamp() const { return buffer_ == nullptr ? 0 : buffer_->stamp; }
  Buffer& buffer() const { return *buffer_; }

 private:
  BufferPointer buffer_;
};

// Buffers cross the border as opaque objects.
Napi::Value wrapBuffer(Napi::Env env, BufferPointer buffer);
BufferPointer unwrapBuffer(const Napi::Value& value);
// Lets go of the buffer before the garbage collector would. Harmless twice.
void releaseBuffer(const Napi::Value& value);
// Gives a released object another buffer: cheaper than a new object, which V8 must collect and finalize.
void renewBuffer(const Napi::Value& value, BufferPointer buffer);

class Call {
 public:
  Call(const char* op, const Napi::Value& arguments);

  // Optional buffers are absent where the property is undefined or null.
  Argument read(const char* name) { return take(name, op_.reads); }
  Argument write(const char* name) { return take(name, op_.writes); }
  Argument update(const char* name) { return take(name, op_.updates); }
  std::vector<Argument> readAll(const char* name) { return takeAll(name, op_.reads); }
  std::vector<Argument> writeAll(const char* name) { return takeAll(name, op_.writes); }
  // Lists in which a buffer may be absent.
  std::vector<Argument> readAllOptional(const char* name) { return takeAll(name, op_.reads, true); }
  std::vector<Argument> writeAllOptional(const char* name) { return takeAll(name, op_.writes, true); }
  std::vector<Argument> updateAll(const char* name) { return takeAll(name, op_.updates); }

  // Memory that the op does without where it has none yet; its failure is not the op's.
  Argument borrow(const char* name) {
    std::vector<BufferPointer> none;
    return take(name, none);
  }

  std::int64_t integer(const char* name);  // named in messages
  // A Float64Array of as many integers, with what messages name each.
  template <std::size_t N>
  std::array<std::int64_t, N> integers(const char* name, const std::array<const char*, N>& names) {
    const auto array = get(name).As<Napi::Float64Array>();
    std::array<std::int64_t, N> values{};
    for (std::size_t i = 0; i < N && i < array.ElementLength(); i++) {
      values[i] = static_cast<std::int64_t>(array.Data()[i]);
      op_.sizes.add(names[i], values[i]);
    }
    return values;
  }
  double number(const char* name) const { return get(name).As<Napi::Number>().DoubleValue(); }
  bool flag(const char* name) const { return get(name).ToBoolean().Value(); }
  bool has(const char* name) const;
  std::vector<std::int32_t> integers32(const char* name);  // an Int32Array, copied

  // f() for an object; meanwhile names are those of its properties.
  template <class F>
  auto within(const char* name, F f) {
    const Napi::Object outer = std::exchange(arguments_, get(name).As<Napi::Object>());
    auto result = f();
    arguments_ = outer;
    return result;
  }

  // The same for each object of an array.
  template <class F>
  void each(const char* name, F f) {
    const auto objects = get(name).As<Napi::Array>();
    const Napi::Object outer = arguments_;
    for (std::uint32_t i = 0; i < objects.Length(); i++) {
      arguments_ = objects.Get(i).As<Napi::Object>();
      f();
    }
    arguments_ = outer;
  }

  void submit(Queue& queue, std::function<void(Backend&)> run);
  Op& op() { return op_; }

 private:
  Napi::Value get(const char* name) const { return arguments_.Get(name); }
  Argument take(const char* name, std::vector<BufferPointer>& list);
  std::vector<Argument> takeAll(const char* name, std::vector<BufferPointer>& list, bool optional = false);

  Napi::Object arguments_;
  Op op_;
};

}  // namespace packed_rnn
