// Softmax cross entropy with its gradient, one warp for each row.
#include "cuda_backend.h"
#include "math.cuh"
#include "reduce.cuh"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr int kWarps = kThreads / 32;

struct Rows {
  CrossEntropy op;
  double* losses;         // [rows]
  const double* divisor;  // [1]
};
struct Total {
  CrossEntropy op;
  const double* losses;
  double* divisor;
};

// The divisor of the summed loss, in one block: the sum of the weights of the labels, or 1.
// budget: 48 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) divisorKernel(const Total p) {
  double total = 0;
  for (std::int64_t r = threadIdx.x; r < p.op.rows; r += kThreads) {
    const std::int32_t label = p.op.labels[r];
    if (label == p.op.ignoreIndex || label < 0 || label >= p.op.classes) continue;
    total += p.op.weight == nullptr ? 1.0 : static_cast<double>(p.op.weight[label]);
  }
  total = blockSum(total);
  if (threadIdx.x == 0) *p.divisor = p.op.mean ? total : 1.0;
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) crossEntropyKernel(const Rows p) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (row >= p.op.rows) return;
  const int lane = threadIdx.x % 32;
  const std::int64_t classes = p.op.classes, label = p.op.labels[row];
  const float* const z = p.op.logits + row * classes;
  float* const gradient = p.op.gradient == nullptr ? nullptr : p.op.gradient + row * classes;
  // A label that checkRange reported adds nothing either.
  if (label == p.op.ignoreIndex || label < 0 || label >= classes) {
    for (std::int64_t c = lane; gradient != nullptr && c < classes; c += 32) gradient[c] = 0;
    if (lane == 0) p.losses[row] = 0;
    if (lane == 0 && p.op.losses != nullptr) p.op.losses[row] = 0;
    return;
  }
  const auto add = [](float a, float b) { return a + b; };
  float largest = -INFINITY;
  for (std::int64_t c = lane; c < classes; c += 32) largest = fmaxf(largest, z[c]);
  largest = warpReduce(largest, [](float a, float b) { return fmaxf(a, b); });
  // fmaxf ignores a NaN; the sum carries it to the loss.
  float total = 0;
  for (std::int64_t c = lane; c < classes; c += 32) total += expf(z[c] - largest);
  total = warpReduce(total, add);
  if (p.op.normalized) largest = 0;
  const float logTotal = p.op.normalized ? 0.0f : logf(total),
              share = p.op.labelSmoothing / static_cast<float>(classes);
  const auto target = [&](std::int64_t c) {
    return (c == label ? share + (1.0f - p.op.labelSmoothing) : share) *
           (p.op.weight == nullptr ? 1.0f : p.op.weight[c]);
  };
  // A class without a target is skipped, not multiplied by 0, because its logit may be -∞. With many classes
  // each share is small compared with the sum.
  double loss = 0, sumOfTargets = 0;
  for (std::int64_t c = lane; c < classes; c += 32) {
    if ((c != label && share == 0.0f) || target(c) == 0.0f) continue;
    sumOfTargets += static_cast<double>(target(c));
    loss += static_cast<double>(target(c) * (logTotal - (z[c] - largest)));
  }
  const auto addDoubles = [](double a, double b) { return a + b; };
  const auto targets = static_cast<float>(warpReduce(sumOfTargets, addDoubles));
  loss = warpReduce(loss, addDoubles);
  if (lane == 0) p.losses[row] = loss;
  if (lane == 0 && p.op.losses != nullptr) p.op.losses[row] = static_cast<float>(loss);
  if (gradient == nullptr) return;
  const float scale = 1.0f / static_cast<float>(*p.divisor);
  for (std::int64_t c = lane; c < classes; c += 32) {
    const bool none = c != label && share == 0.0f;
    const float probability = p.op.normalized ? 0.0f : expf(z[c] - largest) / total;
    gradient[c] = (targets * probability - (none ? 0.0f : target(c))) * scale;
  }
}

// budget: 48 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) totalLossKernel(const Total p) {
  double total = 0;
  for (std::int64_t r = threadIdx.x; r < p.op.rows; r += kThreads) total += p.losses[r];
  total = blockSum(total);
  if (threadIdx.x == 0) *p.op.loss = static_cast<float>(total / *p.divisor);
}

}  // namespace

template <>
void run(CudaBackend& backend, const CrossEntropy& a) {
  backend.checkRange(1, a.labels, a.rows, 0, a.classes, a.ignoreIndex);
  Scratch<double> losses(backend, a.rows + 1);
  double* const divisor = losses + a.rows;
  launch(backend.stream(), divisorKernel, dim3(1), kThreads, 0, Total{a, losses, divisor});
  launch(backend.stream(), crossEntropyKernel, dim3(blocksFor(a.rows, kWarps)), kThreads, 0,
         Rows{a, losses, divisor});
  launch(backend.stream(), totalLossKernel, dim3(1), kThreads, 0, Total{a, losses, divisor});
}

}  // namespace packed_rnn::cuda
