// Softmax cross entropy with its gradient, in one pass over the logits.
#include "cpu/row.h"

namespace packed_rnn::PACKED_RNN_ISA {

template <>
void run(CpuBackend& kernels, const CrossEntropy& a) {
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
      // A NaN reaches the loss by the sum.
      float largest = a.normalized ? 0 : largestOf(z, a.classes);
      const float total =
          a.normalized ? 1.0f : sumOfPowers(z, a.classes, largest, [&](std::int64_t c, V power, int n) {
            if (gradient != nullptr) storeSome(gradient + c, power, n);
          });
      const float logTotal = __builtin_logf(total);
      // A class without a target is skipped, not multiplied by 0, because its logit may be -∞. With many
      // classes each share is small compared with the sum.
      double sumOfTargets = 0, loss = 0;
      for (std::int64_t c = share > 0 ? 0 : label; c < (share > 0 ? a.classes : label + 1); c++) {
        if (target(c) == 0.0f) continue;
        sumOfTargets += static_cast<double>(target(c));
        loss += static_cast<double>(target(c) * (logTotal - (z[c] - largest)));
      }
      losses[r] = static_cast<float>(loss);
      if (gradient == nullptr) continue;
      const auto targets = static_cast<float>(sumOfTargets);
      const float probability = a.normalized ? 0 : gradient[label] / total;
      eachVector(a.classes, [&](std::int64_t c, int n) {
        const V shares = a.weight == nullptr ? splat(share) : share * loadSome(a.weight + c, n);
        const V probabilities = a.normalized ? V{} : loadSome(gradient + c, n) / total;
        storeSome(gradient + c, (targets * probabilities - shares) * scale, n);
      });
      gradient[label] = (targets * probability - target(label)) * scale;
    }
  };
  parallelChunks(kernels, a.rows, larger(1, 16384 / larger(1, a.classes)), body);
  double total = 0;
  for (std::int64_t r = 0; r < a.rows; r++) total += static_cast<double>(losses[r]);
  a.loss[0] = static_cast<float>(total / divisor);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
