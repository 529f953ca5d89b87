import { isRecorded, record } from '../autograd.js'
import {
  anySize,
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
  type Matrix,
  ranked,
  type Scalar,
  sizeOf,
  type Tensor,
  tensor,
} from '../tensor.js'
import { checkFloat } from './dims.js'
import { add, mul, neg, softplus, sub } from './elementwise.js'
import { mean, sum } from './reduce.js'
import { permute, reshape } from './shape.js'

/** A class for each row, as many as the logits have rows; checked by the call. */
export type Labels = Tensor<'int32'> | Int32Array | readonly number[]

/** What becomes of the losses of the rows: their mean (the default), their sum, or nothing. */
export type LossReduction = 'mean' | 'sum' | 'none'

/** What the loss counts, and how. */
export interface NllLossOptions {
  /** Default 'mean'. */
  reduction?: LossReduction
  /** What a class counts [C], a constant; the mean then divides by the sum of the labels' weights. Default ones. */
  weight?: Tensor<'float32', 1> | null
  /** Rows with this label count for nothing, in the mean neither; default −100, as in PyTorch. */
  ignoreIndex?: number
}

/** What cross entropy counts, and how. */
export interface CrossEntropyOptions extends NllLossOptions {
  /** s, from 0 to 1: the label's share of the target is 1 − s + s/C, every other class's s/C; default 0. */
  labelSmoothing?: number
}

const nllNames: OptionNames<NllLossOptions> = { reduction: true, weight: true, ignoreIndex: true }
const names: OptionNames<CrossEntropyOptions> = { ...nllNames, labelSmoothing: true }
const forwardNames: OptionNames<CrossEntropyOptions & { train?: boolean }> = { ...names, train: true }

const IGNORED = -100

/** @param ignoreIndex as it was given: only who names it reads of it. */
function checkLabels(
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

/** What cross entropy gives without a tape. */
export interface CrossEntropyResult {
  /** The mean or the sum, or where there is no reduction a loss for each row. */
  loss: Float
  /** The gradient in the rows [N, C] where the loss is one number, or each row's. */
  saved: Matrix | null
}

/** Of rows [N, C] with a label each; `normalized` rows are logarithms of probabilities already. */
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
  const labels = 'dtype' in given ? given : tensor(Int32Array.from(given), [count], { device })
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

/** That there are rows, classes, and as many labels; `shape` is the labels' where they are a tensor. */
function checkClasses(op: string, name: string, rows: Float, labels: Labels, shape: readonly number[]): void {
  if (rows.shape.length < 2 || rows.size === 0) {
    throw badArgument(op, name, 'at least one row and one class', rows.shape, 'ERR_SHAPE')
  }
  const count = sizeOf(shape)
  checkIntegers(op, 'labels', labels)
  if ('dtype' in labels) {
    checkTensor<'int32', number>(op, 'labels', labels, { dtype: 'int32', shape, device: rows.device })
  } else if (labels.length !== count) {
    throw badArgument(op, 'labels', `${count} labels`, labels.length, 'ERR_SHAPE')
  }
}

/**
 * `crossEntropy` without a tape, and what its gradient needs.
 *
 * @param logits [N, C]
 * @param labels [N], each from 0 to C - 1 or `ignoreIndex`
 * @returns `loss`, a tensor of no dimensions, or without a reduction [N]; and `saved`, for `crossEntropyBackward`; null
 * with `train: false`.
 * @throws PackedRnnError as `crossEntropy`.
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
 * The gradient in the logits, dLoss · (softmax · Σ target − target) over what the mean divides by; 0 in ignored rows.
 *
 * @param saved [N, C], of `crossEntropyForward`
 * @param dLoss of no dimensions; without a reduction [N].
 * @returns dLogits [N, C]
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
 */
export function crossEntropyBackward(saved: Matrix, dLoss: Tensor<'float32'>): Matrix {
  checkTensor('crossEntropyBackward', 'saved', saved, { dtype: 'float32', shape: [anySize, anySize] })
  checkFloat('crossEntropyBackward', 'dLoss', dLoss)
  const shape = dLoss.shape.length === 1 ? [saved.shape[0]] : []
  checkTensor<'float32', number>('crossEntropyBackward', 'dLoss', dLoss, {
    dtype: 'float32',
    shape,
    device: saved.device,
  })
  return scaledRows(saved, dLoss)
}

/** Rows [N, C] times one number, or a number each. */
function scaledRows(rows: Matrix, by: Float): Matrix {
  const column = by.size === 1 ? by.alias() : by.as([rows.shape[0], 1])
  const scaled = applyFunction<2>('mul', rows.device, rows.shape, rows, column)
  column.dispose()
  return scaled
}

/** A loss of labels on the tape: of rows [N, C], or with axes behind the classes [N, C, d₁, …]. */
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
    // The classes last, so that each place is a row.
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
 * Softmax cross entropy, −log softmax(logits)[label], computed as log Σ exp(z − max z) − (z[label] − max z). With the
 * options it is −Σ_c target_c · log softmax(logits)_c, target_c = weight_c · (s/C + (1 − s) · [c = label]), as in
 * torch.nn.functional.cross_entropy.
 *
 * The mean over nothing, all labels ignored, is 0/0 = NaN as in PyTorch; its gradient is 0, so a step on such a batch
 * changes no parameter.
 *
 * @param logits [N, C], at least one row and one class; or with axes behind the classes [N, C, d₁, …]
 * @param labels [N], or [N, d₁, …], each from 0 to C - 1 or `ignoreIndex`; numbers of the host are row-major.
 * @returns a tensor of no dimensions, in nats; without a reduction one of the labels' shape.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED; ERR_OUT_OF_RANGE for a label outside, an
 * `ignoreIndex` that is no 32-bit integer or a `labelSmoothing` outside [0, 1]; ERR_INVALID_ARGUMENT for another
 * `reduction` or an unknown option.
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
 * −Σ weight · logProbability[label], as torch.nn.functional.nll_loss: `crossEntropy` of what is normalised already.
 *
 * @param logProbabilities [N, C], or with axes behind the classes [N, C, d₁, …]
 * @param labels as of `crossEntropy`.
 * @throws PackedRnnError as `crossEntropy`.
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

function reduced(op: string, losses: Float, reduction: LossReduction): Float {
  checkWord(op, 'reduction', reduction, ['mean', 'sum', 'none'])
  return reduction === 'none' ? losses : reduction === 'sum' ? sum(losses) : mean(losses)
}

/** What becomes of the losses. */
export interface MseLossOptions {
  /** Default 'mean'. */
  reduction?: LossReduction
}
const mseNames: OptionNames<MseLossOptions> = { reduction: true }

/** That a tensor has the shape of another one. */
function checkShapeOf(op: string, name: string, x: Float, of: Float): void {
  checkTensor<'float32', number>(op, name, x, { dtype: 'float32', shape: of.shape, device: of.device })
}

/**
 * (input − target)², as torch.nn.functional.mse_loss; the gradient goes to both.
 *
 * @param target input's shape.
 * @returns the mean or the sum, or without a reduction input's shape.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED; ERR_INVALID_ARGUMENT for another reduction.
 */
export function mseLoss(input: Float, target: Float, options: MseLossOptions = {}): Float {
  const op = 'mseLoss'
  checkOptions(op, options, mseNames)
  checkFloat(op, 'input', input)
  checkShapeOf(op, 'target', target, input)
  const { reduction = 'mean' } = options
  checkWord(op, 'reduction', reduction, ['mean', 'sum', 'none'])
  return scope(() => {
    const distance = sub(input, target)
    return reduced(op, mul(distance, distance), reduction)
  })
}

/** What an element counts, and what becomes of the losses. */
export interface BceWithLogitsOptions extends MseLossOptions {
  /** Of each element, the logits' shape; default ones. A constant. */
  weight?: Float | null
  /** What a target of 1 counts, by the last dimension [C]; default ones. A constant. */
  posWeight?: Float | null
}
const bceNames: OptionNames<BceWithLogitsOptions> = { weight: true, posWeight: true, ...mseNames }

/**
 * −(posWeight · t log σ(z) + (1 − t) log(1 − σ(z))), as torch.nn.functional.binary_cross_entropy_with_logits; without
 * overflow.
 *
 * @param targets t, the logits' shape, from 0 to 1; a constant.
 * @returns the mean or the sum, or without a reduction the logits' shape.
 * @throws PackedRnnError as `mseLoss`.
 */
export function bceWithLogits(logits: Float, targets: Float, options: BceWithLogitsOptions = {}): Float {
  const op = 'bceWithLogits'
  checkOptions(op, options, bceNames)
  checkFloat(op, 'logits', logits)
  checkShapeOf(op, 'targets', targets, logits)
  const { reduction = 'mean', weight = null, posWeight = null } = options
  checkWord(op, 'reduction', reduction, ['mean', 'sum', 'none'])
  if (weight !== null) checkShapeOf(op, 'weight', weight, logits)
  if (posWeight !== null) {
    const { device } = logits
    checkTensor<'float32', number>(op, 'posWeight', posWeight, {
      dtype: 'float32',
      shape: [logits.shape.at(-1) ?? 1],
      device,
    })
  }
  return scope(() => {
    const [t, w, p] = [targets.detach(), weight?.detach() ?? null, posWeight?.detach() ?? null]
    // (1 − t) z + (1 + (p − 1) t) log(1 + e⁻ᶻ)
    const counted = p === null ? 1 : add(mul(sub(p, 1), t), 1)
    const losses = add(mul(sub(1, t), logits), mul(counted, softplus(neg(logits))))
    return reduced(op, w === null ? losses : mul(losses, w), reduction)
  })
}
