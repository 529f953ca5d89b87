import { record } from '../autograd.js'
import { checkFloat, checkNumber, checkOptions, type OptionNames } from '../check.js'
import { applyFunction, broadcastShape, broadcastStrides, walkOf } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { scope } from '../scope.js'
import { checkShape, empty, type Float, type Matrix, ranked, sizeOf, type Tensor } from '../tensor.js'
import { contiguous } from './blocks.js'
import { dimOf, sumTo } from './dims.js'
import { div, maximum, mul } from './elementwise.js'
import { norm, sum } from './reduce.js'

/** Products of matrices and vectors, in the device's precision. */

/** A matrix, or a batch of them, and whether it is transposed. */
interface Factors {
  of: Float
  transposed: boolean
}

/** Returns op(a) op(b) for a batch of matrices, without recording it; the batches broadcast. */
function multiplied(a: Factors, b: Factors, batch: readonly number[]): Float {
  const [m, k] = sides(a)
  const [, n] = sides(b)
  const count = sizeOf(batch)
  const wide = (factors: Factors) => {
    const { shape } = factors.of
    const own = sizeOf(shape.slice(0, -2))
    if (own === count || own === 1) return { same: own === 1 && count !== 1, tensor: factors.of.alias() }
    const tensor = applyFunction<number>(
      'copy',
      factors.of.device,
      [...batch, ...shape.slice(-2)],
      factors.of,
    )
    return { same: false, tensor }
  }
  const [left, right] = [wide(a), wide(b)]
  const c = empty<number>(a.of.device, [...batch, m, n])
  if (count === 1) {
    native.matmul(c.device.queue, {
      m,
      n,
      k,
      transposeA: a.transposed,
      transposeB: b.transposed,
      a: left.tensor.buffer,
      b: right.tensor.buffer,
      bias: null,
      c: c.buffer,
    })
  } else {
    native.batchMatmul(c.device.queue, {
      batch: count,
      m,
      n,
      k,
      transposeA: a.transposed,
      transposeB: b.transposed,
      sameA: left.same,
      sameB: right.same,
      a: left.tensor.buffer,
      b: right.tensor.buffer,
      c: c.buffer,
    })
  }
  left.tensor.dispose()
  right.tensor.dispose()
  return c
}

function sides({ of, transposed }: Factors): [number, number] {
  const [rows = 1, columns = 1] = of.shape.slice(-2)
  return transposed ? [columns, rows] : [rows, columns]
}

function product(op: string, a: Float, b: Float): Float {
  const batch = broadcastShape(op, 'b', a.shape.slice(0, -2), b.shape.slice(0, -2))
  checkShape(op, [...batch, a.shape.at(-2)!, b.shape.at(-1)!])
  // Matrices that broadcast over several dimensions are copied: check that they can be.
  for (const { shape } of batch.length > 2 ? [a, b] : []) {
    const wide = [...batch, ...shape.slice(-2)]
    walkOf(op, wide, [contiguous(wide), broadcastStrides(shape, wide)])
  }
  const plain = (of: Float): Factors => ({ of, transposed: false })
  const turned = (of: Float): Factors => ({ of, transposed: true })
  // One matrix on the right multiplies all rows of a batch at once.
  const together = b.shape.length === 2 && a.shape.length > 2
  const c = together
    ? inRows(a, rows => multiplied(plain(rows), plain(b), []))
    : multiplied(plain(a), plain(b), batch)
  record(op, [a, b], [c], keeper => {
    const [heldA, heldB] = [keeper.hold(a), keeper.hold(b)]
    return ([dC], [wantsA, wantsB]) => {
      if (!dC) return [null, null]
      if (together) {
        const dA = wantsA ? inRows(dC, rows => multiplied(plain(rows), turned(heldB), [])) : null
        const [rowsA, rowsC] = [flat(heldA), flat(dC)]
        const dB = wantsB ? multiplied(turned(rowsA), plain(rowsC), []) : null
        rowsA.dispose()
        rowsC.dispose()
        return [dA, dB]
      }
      return [
        wantsA ? sumTo(multiplied(plain(dC), turned(heldB), batch), heldA.shape) : null,
        wantsB ? sumTo(multiplied(turned(heldA), plain(dC), batch), heldB.shape) : null,
      ]
    }
  })
  return c
}

function flat(x: Float): Matrix {
  const columns = x.shape.at(-1) ?? 1
  return x.as<2>([sizeOf(x.shape.slice(0, -1)), columns])
}

/** Applies f to the rows of x as one matrix, and returns the result in the shape of its batch. */
function inRows(x: Float, f: (rows: Matrix) => Float): Float {
  const rows = flat(x)
  const found = f(rows)
  rows.dispose()
  const y = found.as<number>([...x.shape.slice(0, -1), found.shape.at(-1) ?? 1])
  found.dispose()
  return y
}

/**
 * Returns products of matrices, as torch.matmul with at least two dimensions.
 *
 * @param a [.., m, k]
 * @param b [.., k, n]; the dimensions before the last two broadcast.
 * @returns [.., m, n]
 * @example
 * ```ts
 * import { matmul, tensor } from 'packed-rnn'
 *
 * const y = matmul(tensor([1, 2, 3, 4], [2, 2]), tensor([1, 0, 1, 1], [2, 2]))
 * console.log(y.shape, await y.toArray()) // [2, 2] Float32Array(4) [3, 2, 7, 4]
 * ```
 */
export function matmul<R extends number>(
  a: Tensor<'float32', R>,
  b: Tensor<'float32', R>,
): Tensor<'float32', R>
export function matmul(a: Float, b: Float): Float
export function matmul(a: Float, b: Float): Float {
  const op = 'matmul'
  checkFloat(op, 'a', a)
  checkFloat(op, 'b', b, a.device)
  if (a.shape.length < 2) throw badArgument(op, 'a', 'at least two dimensions', a.shape, 'ERR_SHAPE')
  const k = a.shape.at(-1)!
  if (b.shape.length < 2 || b.shape.at(-2) !== k) {
    throw badArgument(op, 'b', `shape [.., ${k}, *]`, b.shape, 'ERR_SHAPE')
  }
  return product(op, a, b)
}

/**
 * Returns a product of matrices for each entry of a batch, as torch.bmm.
 *
 * @param a [B, m, k]
 * @param b [B, k, n]
 * @returns [B, m, n]
 * @example
 * ```ts
 * import { bmm, tensor } from 'packed-rnn'
 *
 * const y = bmm(tensor([1, 2, 3, 4], [2, 1, 2]), tensor([1, 1, 2, 0], [2, 2, 1]))
 * console.log(y.shape, await y.toArray()) // [2, 1, 1] Float32Array(2) [3, 6]
 * ```
 */
export function bmm(a: Tensor<'float32', 3>, b: Tensor<'float32', 3>): Tensor<'float32', 3> {
  const op = 'bmm'
  checkFloat(op, 'a', a)
  if (a.shape.length !== 3) throw badArgument(op, 'a', 'three dimensions', a.shape, 'ERR_SHAPE')
  checkFloat(op, 'b', b, a.device)
  const [batch, , k] = a.shape
  if (b.shape.length !== 3 || b.shape[0] !== batch || b.shape[1] !== k) {
    throw badArgument(op, 'b', `shape [${batch}, ${k}, *]`, b.shape, 'ERR_SHAPE')
  }
  return ranked(product(op, a, b), 3)
}

/** Options of `cosineSimilarity`. */
export interface CosineOptions {
  /** The dimension of the vectors; default 1. */
  dim?: number
  /** ε, the value used for a smaller norm; default 1e-8. */
  eps?: number
}
const cosineNames: OptionNames<CosineOptions> = { dim: true, eps: true }

/**
 * Returns Σ a b / (max(‖a‖, ε) max(‖b‖, ε)) along a dimension, as torch.nn.functional.cosine_similarity.
 *
 * @param a any shape.
 * @param b a's shape.
 * @example
 * ```ts
 * import { cosineSimilarity, tensor } from 'packed-rnn'
 *
 * const y = cosineSimilarity(tensor([1, 0, 3, 4], [2, 2]), tensor([0, 2, 3, 4], [2, 2]))
 * console.log(y.shape, await y.toArray()) // [2] Float32Array(2) [0, 1]
 * ```
 */
export function cosineSimilarity(a: Float, b: Float, options: CosineOptions = {}): Float {
  const op = 'cosineSimilarity'
  checkOptions(op, options, cosineNames)
  const { dim = 1, eps = 1e-8 } = options
  checkFloat(op, 'a', a)
  checkFloat(op, 'b', b, a.device)
  const same = a.shape.length === b.shape.length && a.shape.every((n, d) => n === b.shape[d])
  if (!same) throw badArgument(op, 'b', `shape [${a.shape.join(', ')}]`, b.shape, 'ERR_SHAPE')
  const along = { dim: dimOf(op, 'dim', dim, a.shape.length) }
  checkNumber(op, 'eps', eps, 0)
  checkShape(
    op,
    a.shape.filter((_, d) => d !== along.dim),
  )
  return scope(() => {
    const norms = mul(maximum(norm(a, along), eps), maximum(norm(b, along), eps))
    return div(sum(mul(a, b), along), norms)
  })
}
