import { clipNorm } from '../ops/optimizer.js'
import { type Tensor, zeros } from '../tensor.js'

/**
 * Scales the gradients of `parameters` in place so that their common 2-norm is at most `maxNorm`
 * (torch.nn.utils.clip_grad_norm_): by min(1, maxNorm / (norm + 1e-6)).
 *
 * @returns the norm before, a tensor of no dimensions; 0 where no parameter has a gradient.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative `maxNorm`.
 */
export function clipGradNorm(
  parameters: readonly Tensor<'float32'>[],
  maxNorm: number,
): Tensor<'float32', 0> {
  const gradients = parameters.flatMap(parameter => parameter.grad ?? [])
  const [first] = parameters
  const on = first === undefined ? {} : { device: first.device }
  return gradients.length === 0 ? zeros([], on) : clipNorm(gradients, maxNorm)
}
