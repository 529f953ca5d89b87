import {
  checkIndices,
  checkInstance,
  checkInteger,
  checkOptions,
  checkWord,
  type OptionNames,
} from '../check.js'
import { defaultGenerator, Generator } from '../random.js'
import { scope } from '../scope.js'
import { type Matrix, ranked, type Scalar, tensor, type Vector } from '../tensor.js'
import { add, mul } from './elementwise.js'
import { indexSelect } from './indexing.js'
import { cat } from './join.js'
import { checkLayer } from './layerLoss.js'
import { linear } from './linear.js'
import { crossEntropy } from './loss.js'
import { sum } from './reduce.js'
import { reshape } from './shape.js'

/** Options of `sampledCrossEntropy`. */
export interface SampledCrossEntropyOptions {
  /** S, the number of distinct classes that are drawn for all rows, at most V. */
  samples: number
  /** The mean or the sum over the rows; default 'mean'. */
  reduction?: 'mean' | 'sum'
  /** Draws the classes; default the default generator. */
  generator?: Generator
}

const names: OptionNames<SampledCrossEntropyOptions> = { samples: true, reduction: true, generator: true }

/** Added to the logit of a drawn class that is the row's label. */
const HIDDEN = -1e30

/**
 * Returns an estimate of `crossEntropy(linear(x, weight, bias), labels)` from the labels and S drawn classes (sampled softmax, Jean et al.
 * 2015). Classes are in order of frequency, the most frequent one first. Class k is drawn with probability
 * log((k + 2) / (k + 1)) / log(V + 1), without replacement. The logarithm of the expected number of its draws is subtracted from its
 * logit, as tf.nn.sampled_softmax_loss does. This loss is for training alone; evaluate with all classes.
 *
 * @param x [N, in], with at least one row
 * @param weight [V, in]
 * @param bias [V]
 * @param labels [N] on the host, each from 0 to V − 1
 * @returns a tensor of no dimensions, in nats
 * @throws PackedRnnError ERR_SHAPE; ERR_OUT_OF_RANGE for a label outside [0, V) or more samples than classes; ERR_INVALID_ARGUMENT for
 * labels on a device, or an unknown option.
 * @example
 * ```ts
 * import { Generator, randn, sampledCrossEntropy } from 'packed-rnn'
 *
 * const [x, weight] = [randn([2, 4]), randn([1000, 4])]
 * const loss = sampledCrossEntropy(x, weight, null, [3, 500], { samples: 20, generator: new Generator(1) })
 * console.log(loss.shape) // []
 * ```
 */
export function sampledCrossEntropy(
  x: Matrix,
  weight: Matrix,
  bias: Vector | null,
  labels: Int32Array | readonly number[],
  options: SampledCrossEntropyOptions,
): Scalar {
  const op = 'sampledCrossEntropy'
  checkOptions(op, options, names)
  const { samples, reduction = 'mean', generator = defaultGenerator() } = options
  const { rows, classes, device } = checkLayer(op, x, weight, bias, labels)
  checkInteger(op, 'samples', samples, 1, classes)
  checkWord(op, 'reduction', reduction, ['mean', 'sum'])
  checkInstance(op, 'generator', generator, Generator)
  checkIndices(op, 'labels', labels, classes)
  const { drawn, tries } = draw(classes, samples, generator)
  /** −log of the expected number of draws of a class. */
  const correction = (k: number) => -Math.log(-Math.expm1(tries * Math.log1p(-probability(k, classes))))
  return scope(() => {
    const constant = (values: Float32Array, shape: readonly number[]) => tensor(values, shape, { device })
    const own = labels instanceof Int32Array ? labels : Int32Array.from(labels)
    const biasOf = (ids: Int32Array) => {
      const corrections = constant(Float32Array.from(ids, correction), [ids.length])
      return ranked(bias === null ? corrections : add(indexSelect(bias, 0, ids), corrections), 1)
    }
    const right = add(sum(mul(x, indexSelect(weight, 0, own)), { dim: 1 }), biasOf(own))
    const hits = new Float32Array(rows * samples)
    const places = new Map([...drawn].map((k, place) => [k, place]))
    for (const [row, label] of own.entries()) {
      const place = places.get(label)
      if (place !== undefined) hits[row * samples + place] = HIDDEN
    }
    const others = linear(x, indexSelect(weight, 0, drawn), biasOf(drawn))
    const logits = cat<number>(
      [reshape<number>(right, [rows, 1]), add(others, constant(hits, [rows, samples]))],
      1,
    )
    return ranked(crossEntropy(logits, new Int32Array(rows), { reduction }), 0)
  })
}

/** The probability of drawing class k of V. */
function probability(k: number, classes: number): number {
  return Math.log1p(1 / (k + 1)) / Math.log(classes + 1)
}

/** Distinct classes, and how many draws they took. */
function draw(classes: number, samples: number, generator: Generator): { drawn: Int32Array; tries: number } {
  const seen = new Set<number>()
  let tries = 0
  while (seen.size < samples) {
    tries++
    // The inverse of the distribution function log(k + 1) / log(V + 1).
    const k = Math.floor(Math.exp(generator.uniform() * Math.log(classes + 1))) - 1
    seen.add(Math.min(k, classes - 1))
  }
  return { drawn: Int32Array.from(seen), tries }
}
