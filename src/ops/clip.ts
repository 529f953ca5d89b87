import { checkNumber, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { type NativeBuffer, native } from '../native.js'
import { empty, type Float, type Tensor } from '../tensor.js'

/** Clipping in place over many tensors at once: all of them change or, where one cannot be read, none. */

/** What a norm is, and what happens to one that is not finite. */
export interface ClipGradNormOptions {
  /** 2, or Infinity for the largest magnitude; default 2. */
  normType?: 2 | typeof Infinity
  /** Whether a norm that is not finite fails the op, and with it its result and the gradients; default false. */
  errorIfNonfinite?: boolean
}

/** Multiplies by min(1, maxNorm / (norm + 1e-6)) and returns the norm over all that was. */
export function clipNorm(
  values: readonly Float[],
  maxNorm: number,
  { normType = 2, errorIfNonfinite = false }: ClipGradNormOptions = {},
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
    ...partsOf(values),
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
  native.clipValue(first.device.queue, { limit, values: partsOf(values).values })
  for (const value of values) value.storage.version++
}

/**
 * What there is to clip: values, and of gradients in rows the rows, and at the end what all their other rows hold: the
 * 0 that each of those is adds nothing to a norm, and has to be clipped like everything.
 */
function partsOf(values: readonly Float[]): {
  values: NativeBuffer[]
  ids: (NativeBuffer | null)[]
  columns: number[]
  tableRows: number[]
} {
  const storages = values.map(({ storage }) => storage)
  const rows = storages.map(storage => storage.rows)
  const rests = rows.flatMap(each => each?.rest.buffer ?? [])
  const buffers = storages.map(storage => (storage.rows === null ? storage.buffer : storage.unsettled))
  const ofRests = rests.map(() => 0)
  return {
    values: [...buffers, ...rests],
    ids: [...rows.map(each => each?.ids.buffer ?? null), ...rests.map(() => null)],
    columns: [...rows.map(each => each?.columns ?? 0), ...ofRests],
    tableRows: [...rows.map(each => each?.tableRows ?? 0), ...ofRests],
  }
}

function checkValues(op: string, values: readonly Float[]): Float {
  const [first] = values
  if (first === undefined) throw badArgument(op, 'values', 'at least one tensor', values)
  values.forEach((value, i) => {
    checkTensor(op, `values[${i}]`, value, { dtype: 'float32', device: first.device })
  })
  return first
}
