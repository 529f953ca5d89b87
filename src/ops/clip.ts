import { checkNumber, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { type NativeBuffer, native } from '../native.js'
import { empty, type Float, type Tensor } from '../tensor.js'

/** Clipping in place, over many tensors at once: all of them change or, if one cannot be read, none. */

/** Options of `clipGradNorm`. */
export interface ClipGradNormOptions {
  /** 2, or Infinity for the largest magnitude; default 2. */
  normType?: 2 | typeof Infinity
  /** Whether an infinite or NaN norm fails the op, and with it its result and the gradients; default false. */
  errorIfNonfinite?: boolean
}

/** Multiplies all values by min(1, maxNorm / (norm + 1e-6)). Returns the norm over all of them before that. */
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

/** Replaces each element by min(max(x, −limit), limit). */
export function clipValue(values: readonly Float[], limit: number): void {
  const op = 'clipGradValue'
  const first = checkValues(op, values)
  // checkNumber would reject Infinity, which changes nothing.
  if (limit !== Infinity) checkNumber(op, 'limit', limit, 0)
  native.clipValue(first.device.queue, { limit, values: partsOf(values).values })
  for (const value of values) value.storage.version++
}

/**
 * Returns what there is to clip: tensors, and for gradients in rows the rows. At the end come the values that
 * stand for all other rows of these gradients: they are 0 and add nothing to a norm, but have to be clipped
 * like everything else.
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
