import { clipNorm, clipValue } from '../../src/ops/clip.js'
import { concatColumns } from '../../src/ops/columns.js'
import { dropout } from '../../src/ops/dropout.js'
import { add, mul, multiply, relu, scale } from '../../src/ops/elementwise.js'
import { embedding, embeddingBackward, embeddingForward } from '../../src/ops/embedding.js'
import { linear, linearBackward } from '../../src/ops/linear.js'
import { crossEntropy, crossEntropyBackward } from '../../src/ops/loss.js'
import { adagradStep, adamStep, sgdStep } from '../../src/ops/optimizer.js'
import { reshape } from '../../src/ops/shape.js'
import { PackedIds, Sequences } from '../../src/packed.js'
import { full, type Tensor, tensor, zeros } from '../../src/tensor.js'
import { argument, cpu, cube, ELSEWHERE, matrix, other, refuses, untyped, vector } from './refuses.js'

const x = matrix(2, 3)
const elsewhere = matrix(2, 3, other)
const ints = untyped<Tensor<'float32', 2>>(tensor<2>(new Int32Array(6), [2, 3], { device: cpu }))
const labels = (...values: number[]) =>
  argument(tensor(Int32Array.from(values), [values.length], { device: cpu }))
const gone = matrix(2, 3)
gone.dispose()

refuses('tensor', [
  [
    'ERR_SHAPE',
    'tensor: data: wanted 6 values for shape [2, 3], got 5',
    () => tensor<2>(new Float32Array(5), [2, 3], { device: cpu }),
  ],
  ['ERR_SHAPE', 'tensor: shape: wanted non-negative integers, got [-1]', () => tensor([], [-1])],
  ['ERR_SHAPE', 'tensor: shape: wanted non-negative integers, got [1.5]', () => tensor([1], [1.5])],
  ['ERR_SHAPE', 'tensor: shape: wanted non-negative integers, got [NaN]', () => tensor([1], [Number.NaN])],
  ['ERR_SHAPE', 'full: shape: wanted fewer than 2^40 elements, got [1099511627776]', () => zeros([2 ** 40])],
  [
    'ERR_OUT_OF_RANGE',
    'full: value: wanted a number from -Infinity to Infinity, got NaN',
    () => full([1], Number.NaN),
  ],
])

refuses('elementwise', [
  ['ERR_SHAPE', 'add: b: wanted a shape that broadcasts with [2, 3], got [3, 2]', () => add(x, matrix(3, 2))],
  ['ERR_SHAPE', 'mul: b: wanted a shape that broadcasts with [2, 3], got [2]', () => mul(x, vector(2))],
  ['ERR_DTYPE', 'add: b: wanted dtype float32, got int32', () => add(x, ints)],
  ['ERR_DTYPE', 'relu: x: wanted dtype float32, got int32', () => relu(ints)],
  ['ERR_DEVICE', `multiply: b: wanted ${ELSEWHERE}`, () => multiply(x, elsewhere)],
  ['ERR_DISPOSED', 'add: b: wanted a tensor, got a disposed one', () => add(x, gone)],
  ['ERR_INVALID_ARGUMENT', 'add: b: wanted a tensor, got 3', () => add(x, untyped('3'))],
  ['ERR_INVALID_ARGUMENT', 'add: b: wanted a tensor, got null', () => add(x, untyped(null))],
  [
    'ERR_INVALID_ARGUMENT',
    'add: b: wanted a tensor, got Float32Array',
    () => add(x, untyped(new Float32Array(6))),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'scale: factor: wanted a number from -Infinity to Infinity, got NaN',
    () => scale(x, Number.NaN),
  ],
])

const weight = matrix(4, 3)
refuses('linear', [
  ['ERR_SHAPE', 'linear: x: wanted shape [*, 3], got [2, 4]', () => linear(matrix(2, 4), weight)],
  ['ERR_SHAPE', 'linear: x: wanted shape [*, 3], got [3]', () => linear(untyped(vector(3)), weight)],
  [
    'ERR_SHAPE',
    'linear: weight: wanted shape [*, *], got [1, 4, 3]',
    () => linear(x, untyped(cube(1, 4, 3))),
  ],
  ['ERR_SHAPE', 'linear: bias: wanted shape [4], got [3]', () => linear(x, weight, vector(3))],
  ['ERR_DTYPE', 'linear: x: wanted dtype float32, got int32', () => linear(ints, weight)],
  ['ERR_DEVICE', `linear: x: wanted ${ELSEWHERE}`, () => linear(elsewhere, weight)],
  ['ERR_DEVICE', `linear: bias: wanted ${ELSEWHERE}`, () => linear(x, weight, vector(4, other))],
  ['ERR_DISPOSED', 'linear: x: wanted a tensor, got a disposed one', () => linear(gone, weight)],
  [
    'ERR_SHAPE',
    'linearBackward: dY: wanted shape [2, 4], got [2, 3]',
    () => linearBackward(x, weight, matrix(2, 3)),
  ],
])

const table = matrix(5, 3)
const saved = embeddingForward(table, new PackedIds([[1, 4, 1]])).saved
refuses('embedding', [
  [
    'ERR_OUT_OF_RANGE',
    'embedding: ids[2]: wanted an integer from 0 to 4, got 5',
    () => embedding(table, new PackedIds([[0, 4], [5]])),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'embedding: ids[0]: wanted an integer from 0 to 4, got -1',
    () => embedding(table, new PackedIds([Int32Array.of(-1)])),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'embedding: ids: wanted packed ids, got [0, 1]',
    () => embedding(table, untyped([0, 1])),
  ],
  [
    'ERR_SHAPE',
    'embedding: weight: wanted shape [*, *], got [5]',
    () => embedding(untyped(vector(5)), new PackedIds([[0]])),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'embedding: paddingIdx: wanted an integer from 0 to 4, got 5',
    () => embedding(table, new PackedIds([[0]]), { paddingIdx: 5 }),
  ],
  [
    'ERR_SHAPE',
    'embeddingBackward: dRows: wanted shape [2, *], got [3, 3]',
    () => embeddingBackward(saved, matrix(3, 3)),
  ],
])

refuses('crossEntropy', [
  [
    'ERR_SHAPE',
    'crossEntropy: logits: wanted at least one row and one class, got [3]',
    () => crossEntropy(untyped(vector(3)), [0]),
  ],
  [
    'ERR_SHAPE',
    'crossEntropy: logits: wanted at least one row and one class, got [0, 3]',
    () => crossEntropy(matrix(0, 3), []),
  ],
  [
    'ERR_SHAPE',
    'crossEntropy: logits: wanted at least one row and one class, got [2, 0]',
    () => crossEntropy(matrix(2, 0), [-100, -100]),
  ],
  ['ERR_SHAPE', 'crossEntropy: labels: wanted shape [2], got [1]', () => crossEntropy(x, labels(0))],
  [
    'ERR_OUT_OF_RANGE',
    'crossEntropy: labels[1]: wanted an integer from 0 to 2, got 3',
    () => crossEntropy(x, labels(0, 3)),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'crossEntropy: labels[0]: wanted an integer from 0 to 2, got -1',
    () => crossEntropy(x, labels(-1, 0)),
  ],
  [
    'ERR_DTYPE',
    'crossEntropy: labels: wanted dtype int32, got float32',
    () => crossEntropy(x, untyped(vector(2))),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'crossEntropy: reduction: wanted one of mean, sum, none, got most',
    () => crossEntropy(x, [0, 1], { reduction: untyped('most') }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'crossEntropy: labels[1]: wanted an integer from 0 to 2 or ignoreIndex 9, got -100',
    () => crossEntropy(x, labels(9, -100), { ignoreIndex: 9 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'crossEntropy: labels[0]: wanted an integer from 0 to 2, got 0.5',
    () => crossEntropy(x, [0.5, 0]),
  ],
  ['ERR_SHAPE', 'crossEntropy: labels: wanted 2 labels, got 3', () => crossEntropy(x, [0, 0, 0])],
  [
    'ERR_OUT_OF_RANGE',
    'crossEntropy: ignoreIndex: wanted an integer from -2147483648 to 2147483647, got 0.5',
    () => crossEntropy(x, [0, 1], { ignoreIndex: 0.5 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'crossEntropy: labelSmoothing: wanted a number from 0 to 1, got 1.5',
    () => crossEntropy(x, [0, 1], { labelSmoothing: 1.5 }),
  ],
  [
    'ERR_SHAPE',
    'crossEntropy: weight: wanted shape [3], got [2]',
    () => crossEntropy(x, [0, 1], { weight: vector(2) }),
  ],
  [
    'ERR_DEVICE',
    `crossEntropy: weight: wanted ${ELSEWHERE}`,
    () => crossEntropy(x, [0, 1], { weight: vector(3, other) }),
  ],
  [
    'ERR_SHAPE',
    'crossEntropyBackward: dLoss: wanted shape [2], got [3]',
    () => crossEntropyBackward(x, vector(3)),
  ],
])

refuses('concatColumns and reshape', [
  [
    'ERR_INVALID_ARGUMENT',
    'concatColumns: tensors: wanted at least one tensor, got []',
    () => concatColumns(),
  ],
  [
    'ERR_SHAPE',
    'concatColumns: tensors[1]: wanted shape [2, *], got [3, 2]',
    () => concatColumns(x, matrix(3, 2)),
  ],
  [
    'ERR_SHAPE',
    'concatColumns: tensors[0]: wanted shape [*, *], got [3]',
    () => concatColumns(untyped(vector(3))),
  ],
  ['ERR_DTYPE', 'concatColumns: tensors[0]: wanted dtype float32, got int32', () => concatColumns(ints)],
  ['ERR_DEVICE', `concatColumns: tensors[1]: wanted ${ELSEWHERE}`, () => concatColumns(x, elsewhere)],
  [
    'ERR_DISPOSED',
    'concatColumns: tensors[0]: wanted a tensor, got a disposed one',
    () => concatColumns(gone),
  ],
  ['ERR_SHAPE', 'reshape: shape: wanted 6 elements, got [5]', () => reshape(x, [5])],
  ['ERR_SHAPE', 'reshape: shape: wanted 6 elements, got [-2, -3]', () => reshape(x, [-2, -3])],
  ['ERR_DISPOSED', 'reshape: x: wanted a tensor, got a disposed one', () => reshape(gone, [6])],
])

const place = { seed: 1, step: 0 }
refuses('dropout', [
  ['ERR_OUT_OF_RANGE', 'dropout: p: wanted a number from 0 to 1, got 1.5', () => dropout(x, 1.5, place)],
  [
    'ERR_OUT_OF_RANGE',
    'dropout: directions: wanted an integer from 1 to 2147483647, got 0',
    () => dropout(x, 0.5, { ...place, directions: 0 }),
  ],
  ['ERR_OUT_OF_RANGE', 'dropout: p: wanted a number from 0 to 1, got -0.1', () => dropout(x, -0.1, place)],
  [
    'ERR_OUT_OF_RANGE',
    'dropout: p: wanted a number from 0 to 1, got NaN',
    () => dropout(x, Number.NaN, place),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'dropout: seed: wanted an integer from 0 to 9007199254740991, got 0.5',
    () => dropout(x, 0.5, { ...place, seed: 0.5 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'dropout: stream: wanted an integer from 0 to 511, got 512',
    () => dropout(x, 0.5, { ...place, stream: 512 }),
  ],
  [
    'ERR_SHAPE',
    'dropout: sequences: wanted 2 rows, got 3',
    () => dropout(x, 0.5, { ...place, sequences: new Sequences([1, 2]) }),
  ],
])

const parameters = [x]
const [gradients, steps] = [parameters, [argument(zeros([], { device: cpu }))]]
const plain = { lr: 1, weightDecay: 0, maximize: false }
const momentum = { ...plain, momentum: 1, dampening: 0, nesterov: false }
const sgdGroup = { ...momentum, parameters, gradients, steps, momenta: [x] }
const rates = { ...plain, beta1: 0.9, beta2: 0.9, eps: 0, amsgrad: false, decoupled: false }
const adamGroup = { ...rates, parameters, gradients, steps, means: [x], variances: [x], maxima: [] }
const decay = { ...plain, lrDecay: 0, eps: 0, keep: 1, add: 0, initialAccumulator: 0 }
const lists = { parameters, gradients, steps, sums: [x], averages: [x], momenta: [x] }
const adagradGroup = { ...decay, ...lists, momentum: 0.5, centered: true }
refuses('steps in place', [
  ['ERR_INVALID_ARGUMENT', 'clipGradNorm: values: wanted at least one tensor, got []', () => clipNorm([], 1)],
  [
    'ERR_OUT_OF_RANGE',
    `clipGradNorm: maxNorm: wanted a number from 0 to ${Number.MAX_VALUE}, got -1`,
    () => clipNorm([x], -1),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'clipGradNorm: normType: wanted 2 or Infinity, got 1',
    () => clipNorm([x], 1, { normType: 1 }),
  ],
  ['ERR_DEVICE', `clipGradNorm: values[1]: wanted ${ELSEWHERE}`, () => clipNorm([x, elsewhere], 1)],
  [
    'ERR_OUT_OF_RANGE',
    'clipGradValue: limit: wanted a number from 0 to Infinity, got NaN',
    () => clipValue([x], NaN),
  ],
  [
    'ERR_SHAPE',
    'sgdStep: groups[0].gradients[0]: wanted shape [2, 3], got [4, 3]',
    () => sgdStep([{ ...sgdGroup, gradients: [weight] }]),
  ],
  [
    'ERR_SHAPE',
    'sgdStep: groups[1].steps[0]: wanted shape [], got [2, 3]',
    () => sgdStep([sgdGroup, { ...sgdGroup, steps: [x] }]),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'sgdStep: groups[0].momenta: wanted 1 tensors, got 0',
    () => sgdStep([{ ...sgdGroup, momenta: [] }]),
  ],
  [
    'ERR_DISPOSED',
    'adamStep: groups[0].variances[0]: wanted a tensor, got a disposed one',
    () => adamStep([{ ...adamGroup, variances: [gone] }]),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'adamStep: groups[0].means: wanted 1 tensors, got 2',
    () => adamStep([{ ...adamGroup, means: [x, x] }]),
  ],
  [
    'ERR_DEVICE',
    `adamStep: groups[0].means[0]: wanted ${ELSEWHERE}`,
    () => adamStep([{ ...adamGroup, means: [elsewhere] }]),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'adagradStep: groups[0].averages: wanted 1 tensors, got 0',
    () => adagradStep([{ ...adagradGroup, averages: [] }]),
  ],
  [
    'ERR_SHAPE',
    'adagradStep: groups[0].momenta[0]: wanted shape [2, 3], got [4, 3]',
    () => adagradStep([{ ...adagradGroup, momenta: [weight] }]),
  ],
])
