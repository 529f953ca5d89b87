import { isRecorded, record } from '../autograd.js'
import {
  anySize,
  checkFloat,
  checkInteger,
  checkIntegers,
  checkNumber,
  checkOptions,
  checkTensor,
  checkWord,
  type OptionNames,
} from '../check.js'
import { applyFunction } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { scope } from '../scope.js'
import {
  empty,
  type Float,
  integers,
  type Matrix,
  ranked,
  type Scalar,
  sizeOf,
  type Tensor,
} from '../tensor.js'
import type { LossReduction } from './elementLoss.js'
import { permute, reshape } from './shape.js'

export {
  type BceWithLogitsOptions,
  bceWithLogits,
  type LossReduction,
  type MseLossOptions,
  mseLoss,
} from './elementLoss.js'

/**
 * A class for each row of the logits. Labels on the host are checked by the call; labels computed on the
 * device, by the op.
 */
export type Labels = Tensor<'int32'> | Int32Array | readonly number[]

/** Options of `nllLoss`. */
export interface NllLossOptions {
  /** The mean, the sum or no reduction; default 'mean'. */
  reduction?: LossReduction
  /**
   * The weight of each class [C], a constant; default ones. The mean divides by the sum of the labels'
   * weights.
   */
  weight?: Tensor<'float32', 1> | null
  /** Rows with this label are ignored, in the mean as well; default −100, as in PyTorch. */
  ignoreIndex?: number
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends NllLossOptions {
  /** s, from 0 to 1: the label's share of the target is 1 − s + s/C, that of every other class s/C; default 0. */
  labelSmoothing?: number
}

const nllNames: OptionNames<NllLossOptions> = { reduction: true, weight: true, ignoreIndex: true }
const names: OptionNames<CrossEntropyOptions> = { ...nllNames, labelSmoothing: true }
const forwardNames: OptionNames<CrossEntropyOptions & { train?: boolean }> = { ...names, train: true }

const IGNORED = -100

/** @param ignoreIndex as the caller passed it: the message mentions it only if there is one. @internal */
export function checkLabels(
  op: string,
  labels: ArrayLike<number>,
  classes: number,
  ignoreIndex: number | undefined,
): void {
  const ignored = ignoreIndex ?? IGNORED
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n]!
    if (label === ignored || (Number.isInteger(label) && label >= 0 && label < classes)) continue
    const range = `an integer from 0 to ${classes - 1}`
    const wanted = ignoreIndex === undefined ? range : `${range} or ignoreIndex ${ignoreIndex}`
    throw badArgument(op, `labels[${n}]`, wanted, label, 'ERR_OUT_OF_RANGE')
  }
}

/** The result of `crossEntropyForward`. */
export interface CrossEntropyResult {
  /** The mean or the sum; without a reduction, a loss for each row. */
  loss: Float
  /** The gradient of the rows [N, C]: of the loss, or without a reduction of each row's loss. */
  saved: Matrix | null
}

/** The losses of rows [N, C] with a label each. `normalized` rows already are logarithms of probabilities. */
function lossesOf(
  op: string,
  rows: Matrix,
  given: Labels,
  options: CrossEntropyOptions & { train: boolean; normalized: boolean },
): CrossEntropyResult {
  const { reduction = 'mean', weight = null, labelSmoothing = 0, train, normalized } = options
  const { ignoreIndex = IGNORED } = options
  const [count, classes] = rows.shape
  const { device } = rows
  checkWord(op, 'reduction', reduction, ['mean', 'sum', 'none'])
  if (weight !== null) checkTensor(op, 'weight', weight, { dtype: 'float32', shape: [classes], device })
  checkInteger(op, 'ignoreIndex', ignoreIndex, -(2 ** 31))
  checkNumber(op, 'labelSmoothing', labelSmoothing, 0, 1)
  const host = 'dtype' in given ? given.host : given
  if (host !== null) checkLabels(op, host, classes, options.ignoreIndex)
  const labels = 'dtype' in given ? given : integers(Int32Array.from(given), device)
  const loss = empty<0>(device, [])
  const losses = reduction === 'none' ? empty<1>(device, [count]) : null
  const saved = train ? empty<2>(device, [count, classes]) : null
  native.crossEntropy(device.queue, {
    rows: count,
    classes,
    mean: reduction === 'mean',
    normalized,
    ignoreIndex,
    labelSmoothing,
    logits: rows.buffer,
    labels: labels.buffer,
    weight: weight?.buffer ?? null,
    loss: loss.buffer,
    losses: losses?.buffer ?? null,
    gradient: saved?.buffer ?? null,
  })
  if (labels !== given) labels.dispose()
  if (losses === null) return { loss, saved }
  loss.dispose()
  return { loss: losses, saved }
}

/**
 * Checks that there are rows and classes, and as many labels as rows; `shape` is the labels' shape if they
 * are a tensor.
 */
function checkClasses(op: string, name: string, rows: Float, labels: Labels, shape: readonly number[]): void {
  if (rows.shape.length < 2 || rows.size === 0) {
    throw badArgument(op, name, 'at least one row and one class', rows.shape, 'ERR_SHAPE')
  }
  const count = sizeOf(shape)
  checkIntegers(op, 'labels', labels)
  if ('dtype' in labels) {
    checkTensor(op, 'labels', labels, { dtype: 'int32', shape, device: rows.device })
  } else if (labels.length !== count) {
    throw badArgument(op, 'labels', `${count} labels`, labels.length, 'ERR_SHAPE')
  }
}

/**
 * `crossEntropy` without a tape. It also computes what the gradient needs.
 *
 * @param logits [N, C]
 * @param labels [N], each from 0 to C - 1, or `ignoreIndex`.
 * @returns `loss`, a tensor of no dimensions, or [N] without a reduction; and `saved`, for
 * `crossEntropyBackward`, null with `train: false`.
 * @example
 * ```ts
 * import { crossEntropyForward, tensor } from 'packed-rnn'
 *
 * const { loss, saved } = crossEntropyForward(tensor([0, 0, 0, 0], [2, 2]), [0, 1])
 * console.log((await loss.item()).toFixed(4)) // 0.6931
 * console.log(await saved?.toArray()) // Float32Array(4) [-0.25, 0.25, 0.25, -0.25]
 * ```
 */
export function crossEntropyForward(
  logits: Matrix,
  labels: Labels,
  options?: CrossEntropyOptions & { reduction?: 'mean' | 'sum'; train?: boolean },
): { loss: Scalar; saved: Matrix | null }
export function crossEntropyForward(
  logits: Matrix,
  labels: Labels,
  options: CrossEntropyOptions & { train?: boolean },
): CrossEntropyResult
export function crossEntropyForward(
  logits: Matrix,
  labels: Labels,
  options: CrossEntropyOptions & { train?: boolean } = {},
): CrossEntropyResult {
  const op = 'crossEntropy'
  checkOptions(op, options, forwardNames)
  checkTensor(op, 'logits', logits, { dtype: 'float32', shape: [anySize, anySize] })
  checkClasses(op, 'logits', logits, labels, [logits.shape[0]])
  return lossesOf(op, logits, labels, { ...options, train: options.train ?? true, normalized: false })
}

/**
 * The backward pass of `crossEntropyForward`: returns the gradient of the logits, dLoss · (softmax · Σ target
 * − target), divided by what the mean divides by. It is 0 in ignored rows.
 *
 * @param saved [N, C], of `crossEntropyForward`.
 * @param dLoss of no dimensions; without a reduction [N].
 * @returns dLogits [N, C]
 * @example
 * ```ts
 * import { crossEntropyBackward, crossEntropyForward, tensor, zeros } from 'packed-rnn'
 *
 * const { saved } = crossEntropyForward(zeros([2, 2]), [0, 1])
 * if (saved === null) throw new Error('train: false saves nothing')
 * console.log(await crossEntropyBackward(saved, tensor([2], [])).toArray()) // Float32Array(4) [-0.5, 0.5, 0.5, -0.5]
 * ```
 */
export function crossEntropyBackward(saved: Matrix, dLoss: Tensor<'float32'>): Matrix {
  checkTensor('crossEntropyBackward', 'saved', saved, { dtype: 'float32', shape: [anySize, anySize] })
  checkFloat('crossEntropyBackward', 'dLoss', dLoss)
  const shape = dLoss.shape.length === 1 ? [saved.shape[0]] : []
  checkTensor('crossEntropyBackward', 'dLoss', dLoss, {
    dtype: 'float32',
    shape,
    device: saved.device,
  })
  return scaledRows(saved, dLoss)
}

/** Returns rows [N, C] multiplied by one number, or by a number each. */
function scaledRows(rows: Matrix, by: Float): Matrix {
  const column = by.size === 1 ? by.alias() : by.as([rows.shape[0], 1])
  const scaled = applyFunction<2>('mul', rows.device, rows.shape, rows, column)
  column.dispose()
  return scaled
}

/** A loss of labels on the tape: of rows [N, C], or with dimensions after the classes [N, C, d₁, …]. */
function labelled(
  op: string,
  name: string,
  rows: Float,
  labels: Labels,
  options: CrossEntropyOptions,
  normalized: boolean,
): Float {
  checkFloat(op, name, rows)
  if (rows.shape.length < 3) {
    checkClasses(op, name, rows, labels, rows.shape.slice(0, 1))
    return ofRows(op, ranked(rows, 2), labels, options, normalized)
  }
  const [count = 0, classes = 0, ...axes] = rows.shape
  checkClasses(op, name, rows, labels, [count, ...axes])
  return scope(() => {
    // Move the classes to the end, so that each position is a row.
    const order = [0, ...axes.map((_, d) => d + 2), 1]
    const flat = reshape(permute(rows, order), [count * sizeOf(axes), classes] as const)
    const each = 'dtype' in labels ? labels.as<1>([labels.size]) : labels
    const loss = ofRows(op, flat, each, options, normalized)
    return options.reduction === 'none' ? reshape<number>(loss, [count, ...axes]) : loss
  })
}

function ofRows(
  op: string,
  rows: Matrix,
  labels: Labels,
  options: CrossEntropyOptions,
  normalized: boolean,
): Float {
  const { loss, saved } = lossesOf(op, rows, labels, { ...options, train: isRecorded([rows]), normalized })
  record(op, [rows], [loss], keeper => {
    const gradient = saved && keeper.own(saved)
    return ([dLoss]) => [dLoss && gradient ? scaledRows(gradient, dLoss) : null]
  })
  return loss
}

/**
 * Softmax cross entropy, −log softmax(logits)[label], computed as log Σ exp(z − max z) − (z[label] − max z).
 * With options it is −Σ_c target_c · log softmax(logits)_c, where target_c = weight_c · (s/C + (1 − s) · [c =
 * label]), as in torch.nn.functional.cross_entropy.
 *
 * If all labels are ignored, the mean is 0/0 = NaN, as in PyTorch. Its gradient is 0, so a step on such a
 * batch changes no parameter.
 *
 * @param logits [N, C], with at least one row and one class; or with dimensions after the classes [N, C, d₁,
 * …].
 * @param labels [N] or [N, d₁, …], each from 0 to C - 1, or `ignoreIndex`. Numbers on the host are row-major.
 * @returns a tensor of no dimensions, in nats; without a reduction, one of the labels' shape.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a label outside [0, C) that is not `ignoreIndex`.
 * @example
 * ```ts
 * import { crossEntropy, tensor } from 'packed-rnn'
 *
 * const logits = tensor([2, 0, 0, 0, 0, 3], [2, 3], { requiresGrad: true })
 * const loss = crossEntropy(logits, [0, 2])
 * loss.backward()
 * console.log((await loss.item()).toFixed(4)) // 0.1672
 * console.log((await logits.grad?.toArray())?.[0]?.toFixed(4)) // -0.1065
 * ```
 */
export function crossEntropy(
  logits: Float,
  labels: Labels,
  options?: CrossEntropyOptions & { reduction?: 'mean' | 'sum' },
): Scalar
export function crossEntropy(logits: Float, labels: Labels, options: CrossEntropyOptions): Float
export function crossEntropy(logits: Float, labels: Labels, options: CrossEntropyOptions = {}): Float {
  const op = 'crossEntropy'
  checkOptions(op, options, names)
  return labelled(op, 'logits', logits, labels, options, false)
}

/**
 * Returns −Σ weight · logProbability[label], as torch.nn.functional.nll_loss: `crossEntropy` for rows that
 * already are logarithms of probabilities.
 *
 * @param logProbabilities [N, C], or with dimensions after the classes [N, C, d₁, …].
 * @param labels as in `crossEntropy`.
 * @example
 * ```ts
 * import { nllLoss, tensor } from 'packed-rnn'
 *
 * const logProbabilities = tensor([-0.5, -1, -2, -0.25], [2, 2])
 * console.log(await nllLoss(logProbabilities, [0, 1]).item()) // 0.375
 * ```
 */
export function nllLoss(
  logProbabilities: Float,
  labels: Labels,
  options?: NllLossOptions & { reduction?: 'mean' | 'sum' },
): Scalar
export function nllLoss(logProbabilities: Float, labels: Labels, options: NllLossOptions): Float
export function nllLoss(logProbabilities: Float, labels: Labels, options: NllLossOptions = {}): Float {
  const op = 'nllLoss'
  checkOptions(op, options, nllNames)
  return labelled(op, 'logProbabilities', logProbabilities, labels, options, true)
}
