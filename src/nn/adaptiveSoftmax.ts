import {
  anySize,
  checkIndices,
  checkInteger,
  checkIntegers,
  checkNumber,
  checkOptions,
  checkTensor,
  type OptionNames,
} from '../check.js'
import { badArgument } from '../errors.js'
import { add, neg } from '../ops/elementwise.js'
import { indexSelect, scatterAdd } from '../ops/indexing.js'
import { cat, narrow } from '../ops/join.js'
import { crossEntropy } from '../ops/loss.js'
import { argmax } from '../ops/order.js'
import { mean } from '../ops/reduce.js'
import { logSoftmax } from '../ops/softmax.js'
import { type Matrix, ranked, type Scalar, type Tensor, tensor, type Vector } from '../tensor.js'
import { ModuleList, Sequential } from './containers.js'
import { Linear } from './linear.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/** Options of `AdaptiveLogSoftmaxWithLoss`. */
export interface AdaptiveLogSoftmaxOptions extends ModuleOptions {
  inFeatures: number
  /** The number of classes, the most frequent one first. */
  classes: number
  /**
   * Where the clusters begin, ascending: classes below the first number are in the head, those below the second one in the first
   * cluster, and so on.
   */
  cutoffs: readonly number[]
  /** Cluster i has inFeatures / divValue^(i + 1) features; default 4. */
  divValue?: number
  /** Whether the head has a bias; default false. */
  headBias?: boolean
}

const names: OptionNames<AdaptiveLogSoftmaxOptions> = {
  ...moduleNames,
  inFeatures: true,
  classes: true,
  cutoffs: true,
  divValue: true,
  headBias: true,
}

/**
 * An output layer and its loss for many classes of unequal frequency (Grave et al. 2017, arXiv:1609.04309), as
 * torch.nn.AdaptiveLogSoftmaxWithLoss. The head has the frequent classes and a class for each cluster of rare ones; log p of a rare class
 * is log p of its cluster plus log p within it. Only the clusters that occur among the targets are computed.
 *
 * @example
 * ```ts
 * import { nn, randn } from 'packed-rnn'
 *
 * const softmax = new nn.AdaptiveLogSoftmaxWithLoss({ inFeatures: 16, classes: 1000, cutoffs: [20, 200] })
 * const { output, loss } = softmax.forward(randn([3, 16]), [4, 150, 999])
 * console.log(output.shape, loss.shape, softmax.logProb(randn([3, 16])).shape) // [3] [] [3, 1000]
 * ```
 */
export class AdaptiveLogSoftmaxWithLoss extends Module {
  /** The frequent classes, then the clusters [cutoffs[0] + clusters, in]. */
  readonly head: Linear
  /** Of each cluster, the projection and the classes. */
  readonly tail: ModuleList<Sequential>
  /** Where the clusters begin, and the number of classes. */
  readonly cutoffs: readonly number[]

  /**
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for cutoffs that do not ascend, for no cutoff, or an unknown option; ERR_OUT_OF_RANGE for a
   * cutoff outside [1, classes) or a cluster without features.
   */
  constructor(options: AdaptiveLogSoftmaxOptions) {
    const op = 'nn.AdaptiveLogSoftmaxWithLoss'
    checkOptions(op, options, names)
    super(options)
    const { inFeatures, classes, cutoffs, divValue = 4, headBias = false } = options
    checkInteger(op, 'inFeatures', inFeatures, 1)
    checkInteger(op, 'classes', classes, 2)
    checkNumber(op, 'divValue', divValue, Number.MIN_VALUE)
    checkIntegers(op, 'cutoffs', cutoffs)
    if (cutoffs.length === 0) throw badArgument(op, 'cutoffs', 'at least one number', cutoffs)
    for (const [i, cutoff] of cutoffs.entries()) {
      checkInteger(op, `cutoffs[${i}]`, cutoff, 1, classes - 1)
      if (i > 0 && cutoff <= cutoffs[i - 1]!) {
        throw badArgument(op, 'cutoffs', 'ascending numbers', [...cutoffs])
      }
    }
    this.cutoffs = [...cutoffs, classes]
    const { device, generator } = this
    const layer = (from: number, to: number, bias = false) =>
      new Linear({ inFeatures: from, outFeatures: to, bias, device, generator })
    this.head = layer(inFeatures, cutoffs[0]! + cutoffs.length, headBias)
    this.tail = new ModuleList(
      cutoffs.map((first, i) => {
        const width = Math.floor(inFeatures / divValue ** (i + 1))
        if (width < 1) {
          const wanted = `at least one feature in cluster ${i}`
          throw badArgument(op, 'divValue', wanted, divValue, 'ERR_OUT_OF_RANGE')
        }
        return new Sequential(layer(inFeatures, width), layer(width, this.cutoffs[i + 1]! - first))
      }),
    )
  }

  /**
   * Computes the loss of some targets.
   *
   * @param x [N, in], with at least one row
   * @param targets [N] on the host, each from 0 to classes − 1
   * @returns `output`, log p of each target [N], and `loss`, the mean of −log p.
   * @throws PackedRnnError ERR_SHAPE; ERR_OUT_OF_RANGE for a target outside [0, classes).
   */
  forward(x: Matrix, targets: Int32Array | readonly number[]): { output: Vector; loss: Scalar } {
    const op = 'nn.AdaptiveLogSoftmaxWithLoss'
    this.#check(op, x)
    checkIntegers(op, 'targets', targets)
    const [rows] = x.shape
    if (targets.length !== rows || rows === 0) {
      throw badArgument(op, 'targets', `${Math.max(rows, 1)} targets`, targets.length, 'ERR_SHAPE')
    }
    checkIndices(op, 'targets', targets, this.cutoffs.at(-1)!)
    const [shortlist] = this.cutoffs
    const inHead = new Int32Array(rows)
    const members: { rows: number[]; labels: number[] }[] = [...this.tail].map(() => ({
      rows: [],
      labels: [],
    }))
    for (let row = 0; row < rows; row++) {
      const target = targets[row]!
      const cluster = this.cutoffs.findIndex(end => target < end) - 1
      inHead[row] = cluster < 0 ? target : shortlist! + cluster
      members[cluster]?.rows.push(row)
      members[cluster]?.labels.push(target - this.cutoffs[cluster]!)
    }
    let losses = lossesOf(this.head.forward(x), inHead)
    for (const [i, module] of [...this.tail].entries()) {
      const { rows: some, labels } = members[i]!
      if (some.length === 0) continue
      const logits = ranked(module.forward(indexSelect(x, 0, some)), 2)
      const places = tensor(Int32Array.from(some), [some.length], { device: x.device })
      losses = scatterAdd(losses, 0, places, lossesOf(logits, Int32Array.from(labels)))
    }
    return { output: neg(losses), loss: ranked(mean(losses), 0) }
  }

  /** log p of all classes [N, classes]. @param x [N, in] @throws PackedRnnError ERR_SHAPE. */
  logProb(x: Matrix): Matrix {
    this.#check('nn.AdaptiveLogSoftmaxWithLoss.logProb', x)
    const [shortlist] = this.cutoffs
    const head = logSoftmax(this.head.forward(x))
    const clusters = [...this.tail].map((module, i) => {
      const within = logSoftmax(ranked(module.forward(x), 2))
      return ranked(add(within, narrow(head, 1, shortlist! + i, 1)), 2)
    })
    return cat([narrow(head, 1, 0, shortlist!), ...clusters], 1)
  }

  /** The most probable class of each row [N]; the first among equals. @param x [N, in] @throws PackedRnnError ERR_SHAPE. */
  predict(x: Matrix): Tensor<'int32', 1> {
    return ranked(argmax(this.logProb(x), { dim: 1 }), 1)
  }

  #check(op: string, x: Matrix): void {
    const { weight } = this.head
    checkTensor(op, 'x', x, { dtype: 'float32', shape: [anySize, weight.shape[1]], device: weight.device })
  }
}

function lossesOf(logits: Matrix, labels: Int32Array): Vector {
  return ranked(crossEntropy(logits, labels, { reduction: 'none' }), 1)
}
