// Finds the distinct ids of a batch and the places of each. This runs on JavaScript's thread, because their
// number is part of the batch's shape.
#include "addon/distinct_ids.h"

#include <cstdint>
#include <vector>

namespace packed_rnn {

namespace {

// (ids: Int32Array [N], below: number) => the place of the first id outside [0, below), or { ids [U], index
// [N], starts [U + 1], order [N] }. `ids` are the distinct ids in ascending order. `index` is the distinct id
// of each of the N places. The places of distinct id u are order[starts[u]] to order[starts[u + 1]],
// ascending.
Napi::Value distinctIds(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto given = info[0].As<Napi::Int32Array>();
  const std::int64_t below = info[1].As<Napi::Number>().Int64Value();
  const std::size_t count = given.ElementLength();
  const std::int32_t* const ids = given.Data();

  std::int64_t largest = -1;
  for (std::size_t n = 0; n < count; n++) {
    if (ids[n] < 0 || ids[n] >= below) return Napi::Number::New(env, static_cast<double>(n));
    if (ids[n] > largest) largest = ids[n];
  }
  std::vector<std::int32_t> counts(static_cast<std::size_t>(largest + 1));
  std::size_t distinct = 0;
  for (std::size_t n = 0; n < count; n++) {
    if (counts[ids[n]]++ == 0) distinct++;
  }
  auto found = Napi::Int32Array::New(env, distinct);
  auto starts = Napi::Int32Array::New(env, distinct + 1);
  std::vector<std::int32_t> next(distinct);
  std::int32_t u = 0, total = 0;
  for (std::size_t id = 0; id < counts.size(); id++) {
    const std::int32_t times = counts[id];
    if (times == 0) continue;
    found.Data()[u] = static_cast<std::int32_t>(id);
    next[u] = total;
    total += times;
    counts[id] = u++;  // now the index of the distinct id
    starts.Data()[u] = total;
  }
  auto index = Napi::Int32Array::New(env, count);
  auto order = Napi::Int32Array::New(env, count);
  for (std::size_t n = 0; n < count; n++) {
    const std::int32_t number = counts[ids[n]];
    index.Data()[n] = number;
    order.Data()[next[number]++] = static_cast<std::int32_t>(n);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("ids", found);
  result.Set("index", index);
  result.Set("starts", starts);
  result.Set("order", order);
  return result;
}

}  // namespace

void defineDistinctIds(Napi::Env env, Napi::Object exports) {
  exports.Set("distinctIds", Napi::Function::New(env, distinctIds));
}

}  // namespace packed_rnn
