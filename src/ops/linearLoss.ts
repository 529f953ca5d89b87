import { isRecorded } from '../autograd.js'
import { checkInteger, checkNumber, checkOptions, checkWord, type OptionNames } from '../check.js'
import { customGrad } from '../customGrad.js'
import { applyFunction } from '../elements.js'
import { scope } from '../scope.js'
import { type Float, type Matrix, ranked, type Scalar, type Tensor, type Vector, zeros } from '../tensor.js'
import { add, mul } from './elementwise.js'
import { cat, narrow } from './join.js'
import { checkLayer } from './layerLoss.js'
import { linearBackward, linearForward } from './linear.js'
import { type CrossEntropyOptions, checkLabels, crossEntropyForward } from './loss.js'

/** Options of `linearCrossEntropy`. */
export interface LinearCrossEntropyOptions {
  /** The mean or the sum over the rows; default 'mean'. */
  reduction?: 'mean' | 'sum'
  /** Rows with this label are ignored, in the mean as well; default −100, as in PyTorch. */
  ignoreIndex?: number
  /** s, from 0 to 1: the label's share of the target is 1 − s + s/V, that of every other class s/V; default 0. */
  labelSmoothing?: number
  /** How many logits a block has at most; it has at least one row. Their gradient needs the same memory again. Default 2²³, 32 MiB. */
  maxLogits?: number
}

const names: OptionNames<LinearCrossEntropyOptions> = {
  reduction: true,
  ignoreIndex: true,
  labelSmoothing: true,
  maxLogits: true,
}

const IGNORED = -100

/**
 * Returns `crossEntropy(linear(x, weight, bias), labels)` without all logits in memory: rows are computed in blocks, and the
 * gradients of a block together with its loss. In `noGrad` only the loss is computed.
 *
 * A training step makes the same products as the composition. It needs less memory, and the gradient of `weight` is added up
 * over the blocks.
 *
 * @param x [N, in], with at least one row
 * @param weight [V, in]
 * @param bias [V]
 * @param labels [N] on the host, each from 0 to V − 1, or `ignoreIndex`
 * @returns a tensor of no dimensions, in nats; NaN for the mean if all labels are ignored
 * @throws PackedRnnError ERR_SHAPE; ERR_OUT_OF_RANGE for a label outside [0, V) that is not `ignoreIndex`; ERR_INVALID_ARGUMENT
 * for labels on a device, or an unknown option.
 * @example
 * ```ts
 * import { linearCrossEntropy, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 0, 0, 1], [2, 2], { requiresGrad: true })
 * const weight = tensor([2, 0, 0, 3, 0, 0], [3, 2])
 * const loss = linearCrossEntropy(x, weight, null, [0, 1])
 * loss.backward()
 * console.log((await loss.item()).toFixed(4)) // 0.1672
 * console.log(x.grad?.shape) // [2, 2]
 * ```
 */
export function linearCrossEntropy(
  x: Matrix,
  weight: Matrix,
  bias: Vector | null,
  labels: Int32Array | readonly number[],
  options: LinearCrossEntropyOptions = {},
): Scalar {
  const op = 'linearCrossEntropy'
  checkOptions(op, options, names)
  const { reduction = 'mean', ignoreIndex = IGNORED, labelSmoothing = 0, maxLogits = 2 ** 23 } = options
  const { rows, classes, device } = checkLayer(op, x, weight, bias, labels)
  checkWord(op, 'reduction', reduction, ['mean', 'sum'])
  checkInteger(op, 'maxLogits', maxLogits, 1)
  checkNumber(op, 'labelSmoothing', labelSmoothing, 0, 1)
  checkInteger(op, 'ignoreIndex', ignoreIndex, -(2 ** 31))
  checkLabels(op, labels, classes, options.ignoreIndex)
  const given = Int32Array.from(labels)
  const counted = given.reduce((sum, label) => sum + (label === ignoreIndex ? 0 : 1), 0)
  const divisor = reduction === 'mean' ? counted : 1
  const inputsGiven = bias === null ? [x, weight] : [x, weight, bias]
  const size = Math.max(1, Math.floor(maxLogits / classes))
  const wanted = {
    x: isRecorded([x]),
    weight: isRecorded([weight]),
    bias: bias !== null && isRecorded([bias]),
  }
  const train = wanted.x || wanted.weight || wanted.bias
  const losses = { reduction: 'sum', ignoreIndex, labelSmoothing, train, wanted } as const
  const found = customGrad(
    (...[rowsGiven, w, b]: Float[]) => {
      const layer = { weight: ranked(w!, 2), bias: b === undefined ? null : ranked(b, 1) }
      const blocks: Matrix[] = []
      let sums: Sums = { loss: zeros([], { device }), dWeight: null, dBias: null }
      for (let from = 0; from < rows; from += size) {
        const count = Math.min(size, rows - from)
        const before = sums
        const { dX, ...after } = scope(() => {
          const block = count === rows ? ranked(rowsGiven!, 2) : narrow(ranked(rowsGiven!, 2), 0, from, count)
          return blockOf(block, layer, given.subarray(from, from + count), losses, before)
        })
        for (const old of Object.values(before)) old?.dispose()
        sums = after
        if (dX !== null) blocks.push(dX)
      }
      const { loss, dWeight, dBias } = sums
      const dX = blocks.length === 0 ? null : cat(blocks)
      return { output: mul(loss, 1 / divisor), saved: { dX, dWeight, dBias } }
    },
    ({ dX, dWeight, dBias }, [dLoss]) => {
      // 0 where all labels are ignored: the mean's gradient is 0, too.
      const scale = dLoss && mul(dLoss, divisor === 0 ? 0 : 1 / divisor)
      const gradients = bias === null ? [dX, dWeight] : [dX, dWeight, dBias]
      return gradients.map(gradient => (gradient && scale ? mul(gradient, scale) : null))
    },
  )
  return ranked(found(...inputsGiven), 0)
}

/** What blocks add up to: the loss, and the gradients of the layer; null in a pass without a tape. */
interface Sums {
  loss: Scalar
  dWeight: Matrix | null
  dBias: Vector | null
}

/** Which gradients are computed. */
type Wanted = Record<'x' | 'weight' | 'bias', boolean>

function plus<R extends number>(
  sum: Tensor<'float32', R> | null,
  more: Tensor<'float32', R> | null,
): Tensor<'float32', R> | null {
  if (sum === null || more === null) return sum ?? more
  return applyFunction<R>('add', sum.device, sum.shape, sum, more)
}

/** Adds a block of rows to `sums`. @returns the new sums, and the gradient of the rows */
function blockOf(
  rows: Matrix,
  { weight, bias }: { weight: Matrix; bias: Vector | null },
  labels: Int32Array,
  { wanted, ...options }: CrossEntropyOptions & { reduction: 'sum'; train: boolean; wanted: Wanted },
  sums: Sums,
): Sums & { dX: Matrix | null } {
  const { loss, saved } = crossEntropyForward(linearForward(rows, weight, bias), labels, options)
  const total = ranked(add(sums.loss, loss), 0)
  if (saved === null) return { loss: total, dX: null, dWeight: null, dBias: null }
  const { dX, dWeight, dBias } = linearBackward(rows, weight, saved, wanted)
  return { loss: total, dX, dWeight: plus(sums.dWeight, dWeight), dBias: plus(sums.dBias, dBias) }
}
