import { checkNumber, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { empty, type Tensor } from '../tensor.js'

type Float = Tensor<'float32'>

/** Clipping in place over many tensors at once: all of them change or, where one cannot be read, none. */

export interface ClipNormOptions {
  /** Infinity: the largest magnitude. */
  normType: 2 | typeof Infinity
  /** A norm that is not finite fails the op, and with it its result and `values`. */
  errorIfNonfinite: boolean
}

/** Multiplies by min(1, maxNorm / (norm + 1e-6)) and returns the norm over all that was. */
export function clipNorm(
  values: readonly Float[],
  maxNorm: number,
  { normType = 2, errorIfNonfinite = false }: Partial<ClipNormOptions> = {},
): Tensor<'float32', 0> {
  const op = 'clipGradNorm'
  const first = checkValues(op, values)
  checkNumber(op, 'maxNorm', maxNorm, 0, Number.MAX_VALUE)
  if (normType !== 2 && normType !== Infinity) throw badArgument(op, 'normType', '2 or Infinity', normType)
  const total = empty<0>(first.device, [])
  native.clipNorm(first.device.queue, {
    maxNorm,
    largest: normType === Infinity,
    mustBeFinite: errorIfNonfinite,
    values: values.map(value => value.buffer),
    total: total.buffer,
  })
  for (const value of values) value.storage.version++
  return total
}

/** min(max(x, −limit), limit) of each element. */
export function clipValue(values: readonly Float[], limit: number): void {
  const op = 'clipGradValue'
  const first = checkValues(op, values)
  // Infinity leaves everything as it is.
  if (limit !== Infinity) checkNumber(op, 'limit', limit, 0)
  native.clipValue(first.device.queue, { limit, values: values.map(value => value.buffer) })
  for (const value of values) value.storage.version++
}

function checkValues(op: string, values: readonly Float[]): Float {
  const [first] = values
  if (first === undefined) throw badArgument(op, 'values', 'at least one tensor', values)
  values.forEach((value, i) => {
    checkTensor(op, `values[${i}]`, value, { dtype: 'float32', device: first.device })
  })
  return first
}
