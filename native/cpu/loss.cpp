// Softmax cross entropy with its gradient, in one pass over the logits.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

void Kernels::crossEntropy(const CrossEntropy& a) {
  checkRange("labels", a.labels, a.rows, 0, a.classes);
  Scratch<float> losses(*this, a.rows);
  const float scale = a.mean ? 1.0f / static_cast<float>(a.rows) : 1.0f;
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      const float* z = a.logits + r * a.classes;
      float largest = z[0];
      // A NaN must reach the loss: it fails every comparison, so the sum below carries it.
      for (std::int64_t c = 1; c < a.classes; c++) largest = z[c] > largest ? z[c] : largest;
      float total = 0;
      for (std::int64_t c = 0; c < a.classes; c++) total += __builtin_expf(z[c] - largest);
      losses[r] = __builtin_logf(total) - (z[a.labels[r]] - largest);
      if (a.gradient == nullptr) continue;
      float* gradient = a.gradient + r * a.classes;
      for (std::int64_t c = 0; c < a.classes; c++) {
        const float probability = __builtin_expf(z[c] - largest) / total;
        gradient[c] = (probability - (c == a.labels[r] ? 1.0f : 0.0f)) * scale;
      }
    }
  };
  parallelChunks(*this, a.rows, larger(1, 16384 / a.classes), body);
  double total = 0;
  for (std::int64_t r = 0; r < a.rows; r++) total += static_cast<double>(losses[r]);
  a.loss[0] = static_cast<float>(a.mean ? total / static_cast<double>(a.rows) : total);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
