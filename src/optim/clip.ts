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
 * Scales the gradients of `parameters` in place so that their common norm is at most `maxNorm`
 * (torch.nn.utils.clip_grad_norm_): by min(1, maxNorm / (norm + 1e-6)).
 *
 * Where the norm is infinite or NaN, the gradients become 0 or NaN, as in PyTorch, unless `errorIfNonfinite` is set.
 * This call has then long returned, so the error goes where the gradients go: they fail, and the `step()` that follows
 * changes nothing; the returned norm fails, and its `await`, or that of `device.synchronize()`, rejects with
 * ERR_NON_FINITE. After `zeroGrad()` training goes on.
 *
 * @param options `normType`: 2 (the default), or Infinity for the largest magnitude; `errorIfNonfinite`: default false.
 * @returns the norm before, a tensor of no dimensions; 0 where no parameter has a gradient.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative `maxNorm`, ERR_INVALID_ARGUMENT for another `normType` or an unknown
 * option; ERR_DEVICE where the gradients are on different devices.
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
 * Limits every element of the gradients of `parameters`, in place, to [−limit, limit]
 * (torch.nn.utils.clip_grad_value_). NaN stays NaN.
 *
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative `limit`.
 */
export function clipGradValue(parameters: readonly Tensor<'float32'>[], limit: number): void {
  const gradients = gradientsOf('clipGradValue', parameters)
  if (gradients.length > 0) clipValue(gradients, limit)
}
