import * as rnn from '../../src/index.js'
import type { Row } from './optionCall.js'
import { cpu, matrix, vector } from './refuses.js'

/** Attention's ops and modules with options, as in optionCalls.ts. */

const { nn } = rnn
const [query, v] = [matrix(1, 3), vector(3)]
const encoded = new rnn.PackedSequence(matrix(2, 3), new rnn.Sequences([2]))
const sizes = { score: 'dot', querySize: 3, memorySize: 3, device: cpu } as const
const attention = new nn.Attention(sizes)
const hard = new nn.HardAttention(sizes)
const local = new nn.LocalAttention({ ...sizes, window: 1 })
const memory = attention.memory(encoded)

export const attentionRows: readonly Row[] = [
  [
    'dotAttention',
    'dotAttention: options.Causal, as causal',
    given => rnn.dotAttention(query, encoded, encoded, given),
  ],
  [
    'additiveAttention',
    'additiveAttention: options.weight, as weights',
    given => rnn.additiveAttention(query, encoded, encoded, v, given),
  ],
  [
    'nn.Attention',
    'nn.Attention: options.query_size, as querySize',
    given => new nn.Attention({ ...sizes, ...given }),
  ],
  [
    'nn.Attention.forward',
    'nn.Attention: options.weigths, as weights',
    given => attention.forward(query, memory, given),
  ],
  [
    'nn.HardAttention',
    'nn.HardAttention: options.memory_size, as memorySize',
    given => new nn.HardAttention({ ...sizes, ...given }),
  ],
  [
    'nn.HardAttention.forward',
    'nn.HardAttention: options.generators, as generator',
    given => hard.forward(query, memory, given),
  ],
  [
    'nn.LocalAttention',
    'nn.LocalAttention: options.position_size, as positionSize',
    given => new nn.LocalAttention({ ...sizes, window: 1, ...given }),
  ],
  [
    'nn.LocalAttention.forward',
    'nn.LocalAttention: options.weight, as weights',
    given => local.forward(query, memory, given),
  ],
  [
    'nn.SelfAttention',
    'nn.SelfAttention: options.projection, as projections',
    given => new nn.SelfAttention({ inputSize: 3, device: cpu, ...given }),
  ],
]
