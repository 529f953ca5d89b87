// The position of a thread of a step's kernel.
#pragma once

#include "stepwise.h"
#include "unit.cuh"

namespace packed_rnn::cuda {

struct StepPlace {
  const Workspace& space;
  const StepArguments& arguments;
  std::int64_t sequence, unit;  // place in the state's order; number within the sequence
  std::int64_t direction = blockIdx.y;
  bool alive, first = false, last = false;
  std::int32_t row = 0, previous = 0, place = 0;  // the token's row, the previous step's row, and b

  __device__ __forceinline__ StepPlace(const Step& p, std::int64_t perSequence, bool backward)
      : space(p.space), arguments(*p.space.arguments) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kStepThreads + threadIdx.x;
    sequence = i / perSequence;
    unit = i % perSequence;
    alive = sequence < space.live[p.ahead];
    if (!alive) return;
    const int4 own = arguments.sequences[sequence];
    const std::int32_t step = *space.next - kChunk + p.ahead;
    const std::int32_t t = backward ? arguments.steps - 1 - step : step;
    row = direction == 0 ? own.x + t : own.x + own.y - 1 - t;
    previous = direction == 0 ? row - 1 : row + 1;
    place = own.z;
    first = t == 0;
    last = t == own.y - 1;
  }
  // The place in [D, capacity, size], [N, D·size] and [D, B, size], if a unit has `count` numbers of `size`.
  __device__ __forceinline__ std::int64_t inState(std::int64_t size, int count = 1) const {
    return (direction * space.capacity + sequence) * size + unit * count;
  }
  __device__ __forceinline__ std::int64_t inTokens(std::int32_t at, std::int64_t size, int count = 1) const {
    return (at * space.directions + direction) * size + unit * count;
  }
  // The same in [D·size].
  __device__ __forceinline__ std::int64_t inLayer(std::int64_t size, int count) const {
    return direction * size + unit * count;
  }
  __device__ __forceinline__ std::int64_t inBatch(std::int64_t size) const {
    return (direction * arguments.batch + place) * size + unit;
  }
};

__device__ __forceinline__ float valueOrZero(const float* from, std::int64_t at) {
  return from == nullptr ? 0.0f : from[at];
}

}  // namespace packed_rnn::cuda
