import * as nn from '../../src/nn/index.js'
import { maxPool, meanPool } from '../../src/ops/pooling.js'
import { PackedIds, PackedSequence, Sequences } from '../../src/packed.js'
import { argument, cpu, cube, ELSEWHERE, matrix, other, refuses, untyped, vector } from './refuses.js'

const rows = (...lengths: number[]) =>
  new PackedSequence(matrix(new Sequences(lengths).rows, 3), new Sequences(lengths))
const gone = rows(2, 1)
gone.dispose()

refuses('pooling', [
  [
    'ERR_INVALID_ARGUMENT',
    'maxPool: output: wanted a packed sequence, got PackedIds',
    () => maxPool(untyped(new PackedIds([[1]]))),
  ],
  ['ERR_DISPOSED', 'maxPool: output.data: wanted a tensor, got a disposed one', () => maxPool(gone)],
  [
    'ERR_INVALID_ARGUMENT',
    'meanPool: output: wanted a packed sequence, got null',
    () => meanPool(untyped(null)),
  ],
  ['ERR_DISPOSED', 'meanPool: output.data: wanted a tensor, got a disposed one', () => meanPool(gone)],
])

const sizes = { inputSize: 3, hiddenSize: 4, device: cpu }
const range = (low: number, high = 2 ** 31 - 1) => `wanted an integer from ${low} to ${high}`
refuses('making a recurrent module', [
  [
    'ERR_OUT_OF_RANGE',
    `nn.LSTM: inputSize: ${range(1)}, got 0`,
    () => new nn.LSTM({ ...sizes, inputSize: 0 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `nn.GRU: hiddenSize: ${range(1)}, got -1`,
    () => new nn.GRU({ ...sizes, hiddenSize: -1 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `nn.RNN: numLayers: ${range(1, 512)}, got 0`,
    () => new nn.RNN({ ...sizes, numLayers: 0 }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    'nn.LSTM: dropout: wanted a number from 0 to 1, got true',
    () => new nn.LSTM({ ...sizes, dropout: untyped(true) }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `nn.LSTM: projSize: ${range(0, 3)}, got 4`,
    () => new nn.LSTM({ ...sizes, projSize: 4 }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    "nn.RNN: nonlinearity: wanted 'tanh' or 'relu', got sigmoid",
    () => new nn.RNN({ ...sizes, nonlinearity: untyped('sigmoid') }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `nn.Embedding: paddingIdx: ${range(0, 1)}, got 2`,
    () => new nn.Embedding({ numEmbeddings: 2, embeddingDim: 1, paddingIdx: 2, device: cpu }),
  ],
])

const lstm = new nn.LSTM({ ...sizes, projSize: 2, bidirectional: true })
const batchFirst = new nn.GRU({ ...sizes, batchFirst: true })
for (const module of [lstm, batchFirst]) for (const parameter of module.parameters()) argument(parameter)
refuses('calling a recurrent module', [
  [
    'ERR_INVALID_ARGUMENT',
    'nn.LSTM: x: wanted a packed sequence or a tensor, got null',
    () => lstm.forward(untyped<PackedSequence>(null)),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'nn.LSTM: x: wanted a packed sequence or a tensor, got PackedIds',
    () => lstm.forward(untyped<PackedSequence>(new PackedIds([[1]]))),
  ],
  [
    'ERR_SHAPE',
    'nn.LSTM: x: wanted 2 or 3 dimensions, got [3]',
    () => lstm.forward(untyped<PackedSequence>(vector(3))),
  ],
  ['ERR_SHAPE', 'nn.LSTM: x: wanted shape [*, *, 3], got [5, 1, 4]', () => lstm.forward(cube(5, 1, 4))],
  ['ERR_SHAPE', 'nn.LSTM: x: wanted shape [*, 3], got [5, 4]', () => lstm.forward(matrix(5, 4))],
  [
    'ERR_SHAPE',
    'nn.LSTM: x.data: wanted shape [*, 3], got [2, 5]',
    () => lstm.forward(new PackedSequence(matrix(2, 5), new Sequences([2]))),
  ],
  ['ERR_DISPOSED', 'nn.LSTM: x.data: wanted a tensor, got a disposed one', () => lstm.forward(gone)],
  ['ERR_DEVICE', `nn.LSTM: x: wanted ${ELSEWHERE}`, () => lstm.forward(matrix(5, 3, other))],
  [
    'ERR_SHAPE',
    'nn.LSTM: h: wanted shape [2, 1, 2], got [2, 1, 4]',
    () => lstm.forward(rows(2), { h: cube(2, 1, 4) }),
  ],
  [
    'ERR_SHAPE',
    'nn.LSTM: c: wanted shape [2, 2, 4], got [2, 1, 4]',
    () => lstm.forward(rows(2, 1), { c: cube(2, 1, 4) }),
  ],
  [
    'ERR_SHAPE',
    'nn.LSTM: h: wanted shape [2, 2], got [2, 1, 2]',
    () => lstm.forward(matrix(5, 3), { h: untyped(cube(2, 1, 2)) }),
  ],
  [
    'ERR_SHAPE',
    'nn.LSTM: h: wanted shape [2, 1, 2], got [2, 2]',
    () => lstm.forward(cube(5, 1, 3), { h: untyped(matrix(2, 2)) }),
  ],
  // Neither the input's layout nor batchFirst moves the batch of a state.
  [
    'ERR_SHAPE',
    'nn.GRU: h: wanted shape [1, 5, 4], got [5, 1, 4]',
    () => batchFirst.forward(cube(5, 2, 3), { h: cube(5, 1, 4) }),
  ],
  [
    'ERR_DEVICE',
    `nn.GRU: h: wanted ${ELSEWHERE}`,
    () => batchFirst.forward(cube(5, 2, 3), { h: cube(1, 5, 4, other) }),
  ],
])
