import * as rnn from '../../src/compat.js'
import { attentionRows } from './attentionOptionCalls.js'
import { languageRows } from './languageOptionCalls.js'
import { absent, type Row } from './optionCall.js'
import { pairRows } from './pairOptionCalls.js'
import { cpu, cube, matrix } from './refuses.js'
import { tapeRows } from './tapeOptionCalls.js'
import { textRows } from './textOptionCalls.js'
import { optimizerRows, trainingRows } from './trainingOptionCalls.js'

/** Every public function and constructor with options, called with one that it does not know. */

const { nn } = rnn

const x = matrix(2, 3)
const padded = cube(1, 1, 1)
const [weight, dY] = [matrix(1, 3), matrix(2, 1)]
const packed = new rnn.PackedSequence(x, new rnn.Sequences([2]))
const sizes = { inputSize: 3, hiddenSize: 2, device: cpu }
export const lstm = new nn.LSTM(sizes)
const gru = new nn.GRU(sizes)
const elman = new nn.RNN(sizes)
const cell = { inputSize: 3, hiddenSize: 2, device: cpu }
const lstmCell = new nn.LSTMCell(cell)
const gruCell = new nn.GRUCell(cell)
const rnnCell = new nn.RNNCell(cell)
const token = matrix(1, 3)
const table = new nn.Embedding({ numEmbeddings: 1, embeddingDim: 1, device: cpu })
const weightDrop = new nn.WeightDrop(lstm)
const { hiddenSize } = lstm
const lstmSaved = rnn.lstmForward(packed, lstm.weights, { hiddenSize }).saved
const gruSaved = rnn.gruForward(packed, gru.weights, { hiddenSize }).saved
const rnnSaved = rnn.rnnForward(packed, elman.weights, { hiddenSize }).saved
const dropped = { hiddenSize, dropout: 0.5 }
const place = { seed: 1, step: 0 }
const ids = new rnn.PackedIds([[0, 1]])

const ops: Row[] = [
  ['device', 'device: options.memory_limit, as memoryLimit', given => rnn.device('cpu', given)],
  ['device', 'device: options.thread, as threads', given => rnn.device(undefined, given)],
  ['tensor', 'tensor: options.requires_grad, as requiresGrad', given => rnn.tensor([1], [1], given)],
  ['zeros', 'full: options.devices, as device', given => rnn.zeros([1], given)],
  ['full', 'full: options.requiresgrad, as requiresGrad', given => rnn.full([1], 1, given)],
  [
    'packSequence',
    'packSequence: options.input_size, as inputSize',
    given => rnn.packSequence([new Float32Array(3)], { inputSize: 3, ...given }),
  ],
  [
    'packPaddedSequence',
    'packPaddedSequence: options.batch_first, as batchFirst',
    given => rnn.packPaddedSequence(padded, [1], given),
  ],
  [
    'fromTimeMajor',
    'fromTimeMajor: packed.sorted_indices, as sortedIndices',
    given => rnn.fromTimeMajor({ data: x, batchSizes: [1, 1], ...given }),
  ],
  [
    'padPackedSequence',
    'padPackedSequence: options.padding_value, as paddingValue',
    given => rnn.padPackedSequence(packed, given),
  ],
  ['dropout', 'dropout: place.sequence, as sequences', given => rnn.dropout(x, 0.5, { ...place, ...given })],
  ['dropout', 'dropout: options.generators, as generator', given => rnn.dropout(x, 0.5, given)],
  [
    'dropoutForward',
    'dropout: place.Stream, as stream',
    given => rnn.dropoutForward(x, 0.5, { ...place, ...given }),
  ],
  ['embedding', 'embedding: options.padding_idx, as paddingIdx', given => rnn.embedding(x, ids, given)],
  [
    'embeddingForward',
    'embedding: options.padding, as paddingIdx',
    given => rnn.embeddingForward(x, ids, given),
  ],
  [
    'linearBackward',
    'linearBackward: wanted.weights, as weight',
    given => rnn.linearBackward(x, weight, dY, given),
  ],
  [
    'crossEntropy',
    'crossEntropy: options.label_smoothing, as labelSmoothing',
    given => rnn.crossEntropy(x, [0, 1], given),
  ],
  [
    'linearCrossEntropy',
    'linearCrossEntropy: options.max_logits, as maxLogits',
    given => rnn.linearCrossEntropy(x, x, null, [0, 1], given),
  ],
  [
    'sampledCrossEntropy',
    'sampledCrossEntropy: options.sample, as samples',
    given => rnn.sampledCrossEntropy(x, x, null, [0, 1], { samples: 1, ...given }),
  ],
  [
    'nn.AdaptiveLogSoftmaxWithLoss',
    'nn.AdaptiveLogSoftmaxWithLoss: options.cutoff, as cutoffs',
    given => new nn.AdaptiveLogSoftmaxWithLoss({ inFeatures: 4, classes: 2, cutoffs: [1], ...given }),
  ],
  [
    'crossEntropyForward',
    'crossEntropy: options.trains, as train',
    given => rnn.crossEntropyForward(x, [0, 1], given),
  ],
  [
    'lstmForward',
    'lstmForward: options.proj_size, as projSize',
    given => rnn.lstmForward(packed, lstm.weights, { hiddenSize, ...given }),
  ],
  [
    'lstm',
    'lstmForward: options.C0, as c0',
    given => rnn.lstm(packed, lstm.weights, { hiddenSize, ...given }),
  ],
  [
    'lstm',
    'lstmForward: options.mask.steps, as step',
    given => rnn.lstm(packed, lstm.weights, { ...dropped, mask: { ...place, ...given } }),
  ],
  [
    'gruForward',
    'gruForward: options.reset_after, as resetAfter',
    given => rnn.gruForward(packed, gru.weights, { hiddenSize, ...given }),
  ],
  ['gru', 'gruForward: options.H_0, as h0', given => rnn.gru(packed, gru.weights, { hiddenSize, ...given })],
  [
    'rnnForward',
    'rnnForward: options.nonLinearity, as nonlinearity',
    given => rnn.rnnForward(packed, elman.weights, { hiddenSize, ...given }),
  ],
  [
    'rnn',
    'rnnForward: options.num_layers, as numLayers',
    given => rnn.rnn(packed, elman.weights, { hiddenSize, ...given }),
  ],
  ['lstmBackward', 'lstmBackward: gradients.d_h_n, as dHN', given => rnn.lstmBackward(lstmSaved, given)],
  ['lstmBackward', 'lstmBackward: wanted.inputs, as input', given => rnn.lstmBackward(lstmSaved, {}, given)],
  ['gruBackward', 'gruBackward: gradients.dCN, as dHN', given => rnn.gruBackward(gruSaved, given)],
  ['gruBackward', 'gruBackward: wanted.inputs, as input', given => rnn.gruBackward(gruSaved, {}, given)],
  ['rnnBackward', 'rnnBackward: gradients.outputs, as dOutput', given => rnn.rnnBackward(rnnSaved, given)],
  ['rnnBackward', 'rnnBackward: wanted.inputs, as input', given => rnn.rnnBackward(rnnSaved, {}, given)],
]

const modules: Row[] = [
  ['nn.Dropout', 'nn.Dropout: options.Device, as device', given => new nn.Dropout(given)],
  [
    'nn.Linear',
    'nn.Linear: options.in_feature, as inFeatures',
    given => new nn.Linear({ inFeatures: 1, outFeatures: 1, ...given }),
  ],
  [
    'nn.Embedding',
    'nn.Embedding: options.num_embeddings, as numEmbeddings',
    given => new nn.Embedding({ numEmbeddings: 1, embeddingDim: 1, ...given }),
  ],
  [
    'nn.Embedding.fromPretrained',
    'nn.Embedding.fromPretrained: options.freezes, as freeze',
    given => nn.Embedding.fromPretrained(new Float32Array(2), 2, given),
  ],
  ['nn.LSTM', 'nn.LSTM: options.batch_first, as batchFirst', given => new nn.LSTM({ ...sizes, ...given })],
  ['nn.GRU', 'nn.GRU: options.bidirect, as bidirectional', given => new nn.GRU({ ...sizes, ...given })],
  ['nn.RNN', 'nn.RNN: options.drop_out, as dropout', given => new nn.RNN({ ...sizes, ...given })],
  [
    'nn.LSTMCell',
    'nn.LSTMCell: options.hidden, as hiddenSize',
    given => new nn.LSTMCell({ inputSize: 1, hiddenSize: 1, ...given }),
  ],
  [
    'nn.GRUCell',
    'nn.GRUCell: options.reset_after, as resetAfter',
    given => new nn.GRUCell({ inputSize: 1, hiddenSize: 1, ...given }),
  ],
  [
    'nn.RNNCell',
    'nn.RNNCell: options.nonLinearity, as nonlinearity',
    given => new nn.RNNCell({ inputSize: 1, hiddenSize: 1, ...given }),
  ],
  ['nn.LSTMCell.forward', 'nn.LSTMCell: state.c_0, as c0', given => lstmCell.forward(token, given)],
  ['nn.GRUCell.forward', 'nn.GRUCell: state.h_0, as h0', given => gruCell.forward(token, given)],
  ['nn.RNNCell.forward', 'nn.RNNCell: state.h_0, as h0', given => rnnCell.forward(token, given)],
  [
    'nn.Conv1d',
    'nn.Conv1d: options.kernel_size, as kernelSize',
    given => new nn.Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, ...given }),
  ],
  [
    'nn.LayerNorm',
    'nn.LayerNorm: options.elementwise_affine, as elementwiseAffine',
    given => new nn.LayerNorm({ normalizedShape: 1, ...given }),
  ],
  [
    'nn.BatchNorm1d',
    'nn.BatchNorm1d: options.num_feature, as numFeatures',
    given => new nn.BatchNorm1d({ numFeatures: 1, ...given }),
  ],
  [
    'nn.LockedDropout',
    'nn.LockedDropout: options.batch_first, as batchFirst',
    given => new nn.LockedDropout(given),
  ],
  [
    'nn.EmbeddingDropout',
    'nn.EmbeddingDropout: options.Device, as device',
    given => new nn.EmbeddingDropout(table, given),
  ],
  [
    'nn.WeightDrop',
    'nn.WeightDrop: options.Variational, as variational',
    given => new nn.WeightDrop(lstm, given),
  ],
  ['nn.WeightDrop.forward', 'nn.LSTM: state.c_0, as c0', given => weightDrop.forward(packed, given)],
  ['nn.ReLU', 'nn.ReLU: options.Device, as device', given => new nn.ReLU(given)],
  ['nn.Tanh', 'nn.Tanh: options.Device, as device', given => new nn.Tanh(given)],
  ['nn.Sigmoid', 'nn.Sigmoid: options.Device, as device', given => new nn.Sigmoid(given)],
  ['nn.GELU', 'nn.GELU: options.Device, as device', given => new nn.GELU(given)],
  [
    'nn.CrossEntropyLoss',
    'nn.CrossEntropyLoss: options.label_smoothing, as labelSmoothing',
    given => new nn.CrossEntropyLoss(given),
  ],
  ['nn.NLLLoss', 'nn.NLLLoss: options.ignore_index, as ignoreIndex', given => new nn.NLLLoss(given)],
  ['nn.MSELoss', 'nn.MSELoss: options.reductions, as reduction', given => new nn.MSELoss(given)],
  [
    'nn.BCEWithLogitsLoss',
    'nn.BCEWithLogitsLoss: options.pos_weight, as posWeight',
    given => new nn.BCEWithLogitsLoss(given),
  ],
  ['nn.LSTM.forward', 'nn.LSTM: state.c_0, as c0', given => lstm.forward(packed, given)],
  ['nn.GRU.forward', 'nn.GRU: state.H0, as h0', given => gru.forward(packed, given)],
  ['nn.RNN.forward', 'nn.RNN: state.h_0, as h0', given => elman.forward(packed, given)],
  [
    'nn.Module.loadStateDict',
    'loadStateDict: options.Strict, as strict',
    given => lstm.loadStateDict(new Map(), given),
  ],
  [
    'loadStateDict',
    'loadStateDict: options.stricts, as strict',
    given => rnn.loadStateDict(lstm, absent('x'), given),
  ],
]
export const rows: readonly Row[] = [
  ...ops,
  ...tapeRows,
  ...modules,
  ...attentionRows,
  ...optimizerRows,
  ...textRows,
  ...pairRows,
  ...languageRows,
  ...trainingRows,
]
