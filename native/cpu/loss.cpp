// Softmax cross entropy with its gradient, in one pass over the logits.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

template <>
void run(Kernels& kernels, const CrossEntropy& a) {
  CpuBackend::checkRange("labels", a.labels, a.rows, 0, a.classes, a.ignoreIndex);
  const auto weight = [&](std::int64_t c) { return a.weight == nullptr ? 1.0f : a.weight[c]; };
  double divisor = a.mean ? 0 : 1;
  for (std::int64_t r = 0; a.mean && r < a.rows; r++) {
    if (a.labels[r] != a.ignoreIndex) divisor += static_cast<double>(weight(a.labels[r]));
  }
  const float scale = 1.0f / static_cast<float>(divisor);
  const float share = a.labelSmoothing / static_cast<float>(a.classes);
  Scratch<float> own(kernels, a.losses == nullptr ? a.rows : 0);
  float* const losses = a.losses == nullptr ? static_cast<float*>(own) : a.losses;
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      const float* z = a.logits + r * a.classes;
      float* gradient = a.gradient == nullptr ? nullptr : a.gradient + r * a.classes;
      const std::int64_t label = a.labels[r];
      losses[r] = 0;
      if (label == a.ignoreIndex) {
        for (std::int64_t c = 0; gradient != nullptr && c < a.classes; c++) gradient[c] = 0;
        continue;
      }
      const auto target = [&](std::int64_t c) {
        return (c == label ? share + (1.0f - a.labelSmoothing) : share) * weight(c);
      };
      float largest = z[0];
      // A NaN must reach the loss. It fails every comparison, but the sum below carries it.
      for (std::int64_t c = 1; c < a.classes; c++) largest = z[c] > largest ? z[c] : largest;
      float total = 0;
      for (std::int64_t c = 0; !a.normalized && c < a.classes; c++) total += __builtin_expf(z[c] - largest);
      if (a.normalized) largest = 0;
      const float logTotal = a.normalized ? 0 : __builtin_logf(total);
      // A class without a target is skipped, not multiplied by 0, because its logit may be -∞. With many
      // classes each share is small compared with the sum.
      double sumOfTargets = 0, loss = 0;
      for (std::int64_t c = share > 0 ? 0 : label; c < (share > 0 ? a.classes : label + 1); c++) {
        if (target(c) == 0.0f) continue;
        sumOfTargets += static_cast<double>(target(c));
        loss += static_cast<double>(target(c) * (logTotal - (z[c] - largest)));
      }
      losses[r] = static_cast<float>(loss);
      const auto targets = static_cast<float>(sumOfTargets);
      for (std::int64_t c = 0; gradient != nullptr && c < a.classes; c++) {
        const float probability = a.normalized ? 0 : __builtin_expf(z[c] - largest) / total;
        gradient[c] = (targets * probability - target(c)) * scale;
      }
    }
  };
  parallelChunks(kernels, a.rows, larger(1, 16384 / larger(1, a.classes)), body);
  double total = 0;
  for (std::int64_t r = 0; r < a.rows; r++) total += static_cast<double>(losses[r]);
  a.loss[0] = static_cast<float>(total / divisor);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
