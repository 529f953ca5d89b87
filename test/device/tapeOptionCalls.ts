import * as rnn from '../../src/index.js'
import type { Row } from './optionCall.js'
import { matrix, vector } from './refuses.js'

/** The tape's ops with options, as in optionCalls.ts. */

const p = vector(3)
const [x, g] = [matrix(2, 3), matrix(2, 1)]
const packed = new rnn.PackedSequence(x, new rnn.Sequences([2]))

export const tapeRows: readonly Row[] = [
  ['grad', 'grad: options.gradOutput, as gradOutputs', given => rnn.grad(p, [p], given)],
  ['clamp', 'clamp: options.minn, as min', given => rnn.clamp(x, { min: 0, ...given })],
  ['sum', 'sum: options.dims, as dim', given => rnn.sum(x, { dim: 0, ...given })],
  ['mean', 'mean: options.keep_dim, as keepdim', given => rnn.mean(x, { dim: 0, ...given })],
  ['amax', 'amax: options.Dim, as dim', given => rnn.amax(x, given)],
  ['amin', 'amin: options.keepDim, as keepdim', given => rnn.amin(x, given)],
  ['argmax', 'argmax: options.keepdims, as keepdim', given => rnn.argmax(x, given)],
  ['logsumexp', 'logsumexp: options.Dim, as dim', given => rnn.logsumexp(x, { dim: 1, ...given })],
  ['norm', 'norm: options.P, as p', given => rnn.norm(x, given)],
  ['topk', 'topk: options.largests, as largest', given => rnn.topk(x, 1, given)],
  ['softmax', 'softmax: options.DIM, as dim', given => rnn.softmax(x, given)],
  ['logSoftmax', 'logSoftmax: options.dims, as dim', given => rnn.logSoftmax(x, given)],
  ['cosineSimilarity', 'cosineSimilarity: options.epsi, as eps', given => rnn.cosineSimilarity(x, x, given)],
  ['nllLoss', 'nllLoss: options.ignore_index, as ignoreIndex', given => rnn.nllLoss(x, [0, 1], given)],
  ['mseLoss', 'mseLoss: options.reductions, as reduction', given => rnn.mseLoss(x, x, given)],
  [
    'bceWithLogits',
    'bceWithLogits: options.pos_weight, as posWeight',
    given => rnn.bceWithLogits(x, x, given),
  ],
  ['layerNorm', 'layerNorm: options.EPS, as eps', given => rnn.layerNorm(x, null, null, given)],
  [
    'batchNorm',
    'batchNorm: options.running_mean, as runningMean',
    given => rnn.batchNorm(x, { training: true, ...given }),
  ],
  ['weightNorm', 'weightNorm: options.Dim, as dim', given => rnn.weightNorm(x, g, given)],
  ['rand', 'rand: options.generators, as generator', given => rnn.rand([1], given)],
  ['randn', 'randn: options.requires_grad, as requiresGrad', given => rnn.randn([1], given)],
  ['bernoulli', 'bernoulli: options.Generator, as generator', given => rnn.bernoulli(p, given)],
  ['multinomial', 'multinomial: options.replacements, as replacement', given => rnn.multinomial(p, 1, given)],
  ['arange', 'arange: options.steps, as step', given => rnn.arange(0, 3, given)],
  ['shift', 'shift: options.fills, as fill', given => rnn.shift(packed, 1, given)],
  [
    'unfold',
    'unfold: options.kernel_size, as kernelSize',
    given => rnn.unfold(packed, { kernelSize: 1, ...given }),
  ],
]
