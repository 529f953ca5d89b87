// Tensors in chunks of a fixed size, one block for each chunk: for ops over many tensors.
#pragma once

#include <vector>

#include "cuda_backend.h"

namespace packed_rnn::cuda {

constexpr unsigned kThreads = 256;
constexpr std::int64_t kChunk = 8192;

struct Chunk {
  std::int64_t tensor, begin, end;
};

// The fixed chunks of all tensors, one after another.
inline std::vector<Chunk> chunksOf(std::int64_t tensors, const std::int64_t* counts) {
  std::vector<Chunk> chunks;
  for (std::int64_t i = 0; i < tensors; i++) {
    for (std::int64_t begin = 0; begin < counts[i]; begin += kChunk) {
      chunks.push_back({i, begin, begin + kChunk < counts[i] ? begin + kChunk : counts[i]});
    }
  }
  return chunks;
}

}  // namespace packed_rnn::cuda
