import { checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { type ClipGradNormOptions, clipNorm, clipValue } from '../ops/clip.js'
import { Tensor, zeros } from '../tensor.js'

function gradientsOf(op: string, parameters: readonly Tensor<'float32'>[]): Tensor<'float32'>[] {
  return parameters.flatMap((parameter, i) => {
    if (!(parameter instanceof Tensor)) throw badArgument(op, `parameters[${i}]`, 'a tensor', parameter)
    return parameter.grad ?? []
  })
}

/**
 * Scales the gradients of `parameters` in place by min(1, maxNorm / (norm + 1e-6)), so that their common norm is at most
 * `maxNorm` (torch.nn.utils.clip_grad_norm_).
 *
 * If the norm is infinite or NaN, the gradients become 0 or NaN, as in PyTorch, unless `errorIfNonfinite` is set. With
 * `errorIfNonfinite` the gradients and the returned norm fail: the next `step()` changes nothing, and awaiting the norm or
 * `device.synchronize()` rejects with ERR_NON_FINITE. The call itself cannot throw, because it returns before the norm is
 * computed. After `zeroGrad()` training can continue.
 *
 * @param parameters those without a gradient are skipped
 * @param options `normType`: 2 (default), or Infinity for the largest magnitude; `errorIfNonfinite`: default false.
 * @returns the norm before scaling, []; 0 if no parameter has a gradient.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative `maxNorm`; ERR_INVALID_ARGUMENT for an invalid `normType`, an unknown
 * option, or a parameter that is not a tensor; ERR_DEVICE if the gradients are on different devices.
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([1.5, 2], [2], { requiresGrad: true })
 * sum(mul(p, p)).backward() // gradient [3, 4]
 * console.log(await optim.clipGradNorm([p], 1).item()) // 5
 * console.log(Array.from(await p.grad!.toArray(), x => x.toFixed(3))) // ['0.600', '0.800']
 * ```
 */
export function clipGradNorm(
  parameters: readonly Tensor<'float32'>[],
  maxNorm: number,
  options: ClipGradNormOptions = {},
): Tensor<'float32', 0> {
  checkOptions('clipGradNorm', options, { normType: true, errorIfNonfinite: true })
  const gradients = gradientsOf('clipGradNorm', parameters)
  const [first] = parameters
  const on = first === undefined ? {} : { device: first.device }
  return gradients.length === 0 ? zeros([], on) : clipNorm(gradients, maxNorm, options)
}

/**
 * Clamps every element of the gradients of `parameters` in place to [−limit, limit] (torch.nn.utils.clip_grad_value_). NaN
 * stays NaN.
 *
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative `limit`; ERR_INVALID_ARGUMENT for a parameter that is not a tensor;
 * ERR_DEVICE if the gradients are on different devices.
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([1.5, -2], [2], { requiresGrad: true })
 * sum(mul(p, p)).backward() // gradient [3, -4]
 * optim.clipGradValue([p], 3.5)
 * console.log(await p.grad!.toArray()) // Float32Array(2) [3, -3.5]
 * ```
 */
export function clipGradValue(parameters: readonly Tensor<'float32'>[], limit: number): void {
  const gradients = gradientsOf('clipGradValue', parameters)
  if (gradients.length > 0) clipValue(gradients, limit)
}
