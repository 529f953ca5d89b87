import { checkList } from './check.js'
import { badArgument } from './errors.js'

/** Shapes of tensors: their types and checks. */

/** A shape of known rank: `Shape<2>` is `readonly [number, number]`. */
export type Shape<R extends number = number> = readonly number[] & Ranks[R]
// An indexed type, not a conditional one, so that Tensor<D, 2> is a Tensor<D> even if the rank is a type parameter.
/** The tuple for each rank; a rank beyond 4 has any length. */
export interface Ranks {
  [rank: number]: unknown
  0: readonly []
  1: readonly [number]
  2: readonly [number, number]
  3: readonly [number, number, number]
  4: readonly [number, number, number, number]
}

/**
 * The values of a float32 tensor on the host, row-major: `data` has as many numbers as `shape` has elements.
 * State dicts hold these.
 */
export interface StateEntry {
  shape: readonly number[]
  data: Float32Array
}

/** Checks that values fit a tensor of the shape `wanted`. @internal */
export function checkEntry(
  op: string,
  name: string,
  { shape, data }: StateEntry,
  wanted: readonly number[],
): void {
  if (!(data instanceof Float32Array)) throw badArgument(op, name, 'a Float32Array', data, 'ERR_DTYPE')
  const same = shape.length === wanted.length && shape.every((n, i) => n === wanted[i])
  if (!same || data.length !== sizeOf(wanted)) {
    throw badArgument(op, name, `shape [${wanted.join(', ')}]`, shape, 'ERR_SHAPE')
  }
}

/** Returns the number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1)
}

/** @internal */
export function checkShape(op: string, shape: readonly number[]): void {
  checkList(op, 'shape', shape, 'sizes')
  let [size, wide] = [1, 1]
  let whole = true
  for (const n of shape) {
    whole &&= Number.isInteger(n) && n >= 0
    size *= n
    wide *= n === 0 ? 1 : n
  }
  if (!whole) throw badArgument(op, 'shape', 'non-negative integers', shape, 'ERR_SHAPE')
  // Kernels multiply parts of the shape, so the limit holds for shapes with a 0 in them, too.
  if (size >= 2 ** 40 || wide >= 2 ** 53) {
    throw badArgument(op, 'shape', 'fewer than 2^40 elements', shape, 'ERR_SHAPE')
  }
}
