import { fromTimeMajor, packPaddedSequence, padPackedSequence, toTimeMajor } from '../../src/ops/packing.js'
import { lastHidden } from '../../src/ops/pooling.js'
import { lstmBackward, lstmForward } from '../../src/ops/recurrent.js'
import type { LstmOptions, LstmWeights } from '../../src/ops/recurrentOptions.js'
import { PackedIds, PackedSequence, packIds, packSequence, Sequences } from '../../src/packed.js'
import { cpu, cube, ELSEWHERE, matrix, other, refuses, untyped, vector } from './refuses.js'

const most = 2 ** 31 - 1
const rows = (...lengths: number[]) =>
  new PackedSequence(matrix(new Sequences(lengths).rows, 3), new Sequences(lengths))

refuses('packSequence', [
  [
    'ERR_OUT_OF_RANGE',
    `Sequences: lengths[1]: wanted an integer from 0 to ${most}, got NaN`,
    () => new Sequences([1, Number.NaN]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `Sequences: lengths[0]: wanted an integer from 0 to ${most}, got 1.5`,
    () => new Sequences([1.5]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `Sequences: lengths[0]: wanted an integer from 0 to ${most}, got -1`,
    () => new Sequences([-1]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `Sequences: the sum of lengths: wanted an integer from 0 to ${most}, got ${most + 1}`,
    () => new Sequences([most, 1]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `packSequence: documents[1][0]: wanted an integer from 0 to ${most}, got 0.5`,
    () => packSequence([[1], [0.5]]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `PackedIds: documents[0][1]: wanted an integer from 0 to ${most}, got NaN`,
    () => new PackedIds([[1, Number.NaN]]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `packIds: documents[0][0]: wanted an integer from 0 to ${most}, got -1`,
    () => packIds([[-1]]),
  ],
  [
    'ERR_SHAPE',
    'packSequence: sequences[1]: wanted a multiple of inputSize 3 values, got 4',
    () => packSequence([new Float32Array(3), new Float32Array(4)], { inputSize: 3, device: cpu }),
  ],
  [
    'ERR_DTYPE',
    'packSequence: sequences[0]: wanted a Float32Array, got [1, 2, 3]',
    () => packSequence(untyped([[1, 2, 3]]), { inputSize: 3, device: cpu }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `packSequence: inputSize: wanted an integer from 1 to ${most}, got 0`,
    () => packSequence([], { inputSize: 0, device: cpu }),
  ],
])

const ids = {
  index: untyped<never>(vector(2)),
  starts: untyped<never>(vector(2)),
  order: untyped<never>(vector(2)),
}
const two = matrix(2, 3)
refuses('PackedSequence', [
  [
    'ERR_SHAPE',
    'PackedSequence: data: wanted shape [3, *], got [2, 3]',
    () => new PackedSequence(two, new Sequences([1, 2])),
  ],
  [
    'ERR_SHAPE',
    'PackedSequence: data: wanted shape [2, *], got [2]',
    () => new PackedSequence(untyped(vector(2)), new Sequences([2])),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'PackedSequence: data: wanted a tensor, got undefined',
    () => new PackedSequence(untyped(undefined), new Sequences([2])),
  ],
  [
    'ERR_DTYPE',
    'PackedSequence: index.index: wanted dtype int32, got float32',
    () => new PackedSequence(two, new Sequences([2]), ids),
  ],
])

const padded = cube(4, 2, 3)
refuses('packPaddedSequence', [
  [
    'ERR_SHAPE',
    'packPaddedSequence: input: wanted shape [*, *, *], got [2, 3]',
    () => packPaddedSequence(untyped(two), [1, 1]),
  ],
  [
    'ERR_SHAPE',
    'packPaddedSequence: input: wanted at least one sequence, got [4, 0, 3]',
    () => packPaddedSequence(cube(4, 0, 3), []),
  ],
  [
    'ERR_SHAPE',
    'packPaddedSequence: lengths: wanted 2 lengths, got 3',
    () => packPaddedSequence(padded, [3, 2, 1]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'packPaddedSequence: lengths[0]: wanted an integer from 0 to 4, got 5',
    () => packPaddedSequence(padded, [5, 1]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'packPaddedSequence: lengths[1]: wanted an integer from 0 to 2, got 3',
    () => packPaddedSequence(padded, [2, 3, 1, 1], { batchFirst: true, enforceSorted: false }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'packPaddedSequence: lengths[1]: wanted an integer from 0 to 4, got NaN',
    () => packPaddedSequence(padded, [4, Number.NaN]),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'packPaddedSequence: lengths[0]: wanted an integer from 0 to 4, got 2.5',
    () => packPaddedSequence(padded, [2.5, 1]),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'packPaddedSequence: lengths: wanted lengths that do not increase, or enforceSorted: false, got [1, 2]',
    () => packPaddedSequence(padded, [1, 2]),
  ],
])

const withEmpty = rows(2, 0)
const sequences = rows(2, 1)
refuses('layouts', [
  [
    'ERR_OUT_OF_RANGE',
    `padPackedSequence: totalLength: wanted an integer from 2 to ${most}, got 1`,
    () => padPackedSequence(sequences, { totalLength: 1 }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'toTimeMajor: sequence 1: wanted at least one token, got none',
    () => toTimeMajor(withEmpty),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'fromTimeMajor: batchSizes: wanted sizes that do not increase, got [1, 2]',
    () => fromTimeMajor({ data: matrix(3, 3), batchSizes: [1, 2] }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `fromTimeMajor: batchSizes[1]: wanted an integer from 1 to ${most}, got 0`,
    () => fromTimeMajor({ data: matrix(3, 3), batchSizes: [3, 0] }),
  ],
  [
    'ERR_SHAPE',
    'fromTimeMajor: data: wanted 3 rows, got [2, 3]',
    () => fromTimeMajor({ data: two, batchSizes: [2, 1] }),
  ],
  [
    'ERR_SHAPE',
    'fromTimeMajor: sortedIndices: wanted 2 indices, got 1',
    () => fromTimeMajor({ data: matrix(3, 3), batchSizes: [2, 1], sortedIndices: [0] }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'fromTimeMajor: sortedIndices: wanted a permutation, got [1, 1]',
    () => fromTimeMajor({ data: matrix(3, 3), batchSizes: [2, 1], sortedIndices: [1, 1] }),
  ],
  [
    'ERR_SHAPE',
    'lastHidden: hN: wanted states of 2 directions, got [3, 2, 4]',
    () => lastHidden(cube(3, 2, 4), 2),
  ],
])

const H = 2
const layer = (inputs: number): LstmWeights => ({ wIh: matrix(4 * H, inputs), wHh: matrix(4 * H, H) })
const bias = { bIh: vector(4 * H), bHh: vector(4 * H) }
const one = layer(3)
const run = (weights: readonly LstmWeights[], options: Partial<LstmOptions & { train: true }> = {}) =>
  lstmForward(sequences, weights, { hiddenSize: H, train: true, ...options })

refuses('lstmForward', [
  [
    'ERR_OUT_OF_RANGE',
    'lstmForward: hiddenSize: wanted an integer from 1 to 16777216, got 0',
    () => run([one], { hiddenSize: 0 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'lstmForward: numLayers: wanted an integer from 1 to 512, got 0',
    () => run([one], { numLayers: 0 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'lstmForward: dropout: wanted a number from 0 to 1, got 1.5',
    () => run([one], { dropout: 1.5 }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'lstmForward: mask: wanted a seed and a step, because of dropout, got undefined',
    () => run([one, layer(H)], { numLayers: 2, dropout: 0.5 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `lstmForward: mask.seed: wanted an integer from 0 to ${Number.MAX_SAFE_INTEGER}, got -1`,
    () => run([one, layer(H)], { numLayers: 2, dropout: 0.5, mask: { seed: -1, step: 0 } }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `lstmForward: mask.step: wanted an integer from 0 to ${2 ** 32 - 1}, got 0.5`,
    () => run([one, layer(H)], { numLayers: 2, dropout: 0.5, mask: { seed: 1, step: 0.5 } }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'lstmForward: x: wanted a packed sequence, got Tensor',
    () => lstmForward(untyped(two), [one], { hiddenSize: H }),
  ],
  [
    'ERR_SHAPE',
    'lstmForward: weights: wanted 2 entries, one for each layer and direction, got 1',
    () => run([one], { bidirectional: true }),
  ],
  [
    'ERR_SHAPE',
    'lstmForward: weights[0].wHh: wanted shape [8, 2], got undefined',
    () => run([untyped({ wIh: one.wIh })]),
  ],
  ['ERR_SHAPE', 'lstmForward: weights[0].wIh: wanted shape [8, 3], got [8, 4]', () => run([layer(4)])],
  [
    'ERR_SHAPE',
    'lstmForward: weights[1].wIh: wanted shape [8, 2], got [8, 3]',
    () => run([one, layer(3)], { numLayers: 2 }),
  ],
  [
    'ERR_SHAPE',
    'lstmForward: weights[0].bHh: wanted shape [8], got undefined',
    () => run([{ ...one, bIh: bias.bIh }]),
  ],
  [
    'ERR_SHAPE',
    'lstmForward: weights[1].bIh: wanted shape [8], got undefined',
    () => run([{ ...one, ...bias }, one], { bidirectional: true }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'lstmForward: weights[1].bIh: wanted no bias, as weights[0] has none, got Tensor',
    () => run([one, { ...one, ...bias }], { bidirectional: true }),
  ],
  [
    'ERR_DEVICE',
    `lstmForward: weights[0].wHh: wanted ${ELSEWHERE}`,
    () => run([{ ...one, wHh: matrix(4 * H, H, other) }]),
  ],
  [
    'ERR_SHAPE',
    'lstmForward: h0: wanted shape [1, 2, 2], got [1, 3, 2]',
    () => run([one], { h0: cube(1, 3, 2) }),
  ],
  [
    'ERR_SHAPE',
    'lstmForward: c0: wanted shape [1, 2, 2], got [2, 2, 2]',
    () => run([one], { c0: cube(2, 2, 2) }),
  ],
])

const { saved } = run([one])
const used = run([one]).saved
used.dispose()
refuses('lstmBackward', [
  [
    'ERR_GRAPH_FREED',
    'lstmBackward: saved: already used by a backward pass, or disposed',
    () => lstmBackward(used, {}),
  ],
  [
    'ERR_SHAPE',
    'lstmBackward: dOutput: wanted shape [3, 2], got [2, 2]',
    () => lstmBackward(saved, { dOutput: matrix(2, 2) }),
  ],
  [
    'ERR_SHAPE',
    'lstmBackward: dHN: wanted shape [1, 2, 2], got [1, 2, 3]',
    () => lstmBackward(saved, { dHN: cube(1, 2, 3) }),
  ],
  [
    'ERR_DEVICE',
    `lstmBackward: dCN: wanted ${ELSEWHERE}`,
    () => lstmBackward(saved, { dCN: cube(1, 2, 2, other) }),
  ],
])
