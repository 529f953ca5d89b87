import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as rnn from '../../src/compat.js'
import { Classification, documentLoader } from '../../src/tasks/index.js'
import { data, labels, shortClassifier, vocabulary } from '../training/short.js'
import { attentionRows } from './attentionOptionCalls.js'
import { pairRows } from './pairOptionCalls.js'
import { cpu, cube, matrix, untyped, vector } from './refuses.js'
import { tapeRows } from './tapeOptionCalls.js'

/** Every public function and constructor with options, called with one that it does not know. */

const { explain, nn, optim, text, training } = rnn
const file = (name: string) => join(tmpdir(), 'packed-rnn-none', name)

/** A file that must not be there after the calls. */
export const UNWRITTEN = join(tmpdir(), 'packed-rnn-unwritten')

type Given = Record<string, undefined>
/** What is called; the unknown option at its place, and the nearest one; the call with it. */
export type Row = [name: string, unknown: string, call: (given: Given) => unknown]

const p = vector(3)
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
    given => rnn.loadStateDict(lstm, file('x'), given),
  ],
]

const optimizers: Row[] = [
  [
    'optim.SGD',
    'optim.SGD: options.weight_decay, as weightDecay',
    given => new optim.SGD([p], { lr: 1, ...given }),
  ],
  [
    'optim.SGD',
    'optim.SGD: groups[1].params, as parameters',
    given => new optim.SGD(untyped([{ parameters: [p] }, given]), { lr: 1 }),
  ],
  [
    'optim.SGD',
    'optim.SGD: groups[0].weight_decay, as weightDecay',
    given => new optim.SGD([{ parameters: [p], ...given }], { lr: 1 }),
  ],
  [
    'optim.SGD.step',
    'optim.SGD: groups[0].momentums, as momentum',
    given => {
      const sgd = new optim.SGD([p], { lr: 1 })
      Object.assign(sgd.groups[0]!, given)
      sgd.step()
    },
  ],
  ['optim.Adam', 'optim.Adam: options.beta, as betas', given => new optim.Adam([p], given)],
  ['optim.AdamW', 'optim.AdamW: options.ams_grad, as amsgrad', given => new optim.AdamW([p], given)],
  ['optim.ASGD', 'optim.ASGD: options.lambd, as lambda', given => new optim.ASGD([p], given)],
  ['optim.RMSprop', 'optim.RMSprop: options.alfa, as alpha', given => new optim.RMSprop([p], given)],
  ['optim.RMSprop', 'optim.RMSprop: options.centred, as centered', given => new optim.RMSprop([p], given)],
  ['optim.Adam', 'optim.Adam: options.maximise, as maximize', given => new optim.Adam([p], given)],
  ['optim.Adagrad', 'optim.Adagrad: options.lr_decay, as lrDecay', given => new optim.Adagrad([p], given)],
  [
    'optim.clipGradNorm',
    'clipGradNorm: options.norm_type, as normType',
    given => optim.clipGradNorm([p], 1, given),
  ],
  [
    'optim.stepDecay',
    'stepDecay: options.step_size, as stepSize',
    given => optim.stepDecay({ stepSize: 1, ...given }),
  ],
  [
    'optim.cosineAnnealing',
    'cosineAnnealing: options.minimal, as minimum',
    given => optim.cosineAnnealing({ steps: 1, ...given }),
  ],
  [
    'optim.oneCycle',
    'oneCycle: options.pct_start, as pctStart',
    given => optim.oneCycle({ steps: 1, ...given }),
  ],
  [
    'optim.slantedTriangular',
    'slantedTriangular: options.cut_frac, as cutFraction',
    given => optim.slantedTriangular({ steps: 10, ...given }),
  ],
]

const texts: Row[] = [
  [
    'text.readArticles',
    'readArticles: options.dialects, as dialect',
    given => text.readArticles(file('x'), given),
  ],
  [
    'text.writeArticles',
    'writeArticles: options.line_end, as lineEnd',
    given => text.writeArticles(UNWRITTEN, [], given),
  ],
  ['text.readPosts', 'readPosts: options.categories, as category', given => text.readPosts(file('x'), given)],
  [
    'text.readWordVectors',
    'readWordVectors: options.no_header, as noHeader',
    given => text.readWordVectors(file('x'), given),
  ],
  [
    'text.Vocabulary.fromWords',
    'Vocabulary.fromWords: options.pading, as padding',
    given => text.Vocabulary.fromWords([], given),
  ],
  [
    'text.Vocabulary.fromDocuments',
    'Vocabulary.fromDocuments: options.min_count, as minCount',
    given => text.Vocabulary.fromDocuments([], given),
  ],
  [
    'text.embeddingTable',
    'embeddingTable: options.UNK, as unk',
    given => text.embeddingTable(vocabulary, { words: [], dim: 1, data: new Float32Array() }, given),
  ],
  [
    'text.stratifiedSplit',
    'stratifiedSplit: options.seeds, as seed',
    given => text.stratifiedSplit([], { test: 0.5, seed: 1, ...given }),
  ],
  [
    'text.paddingEfficiency',
    'paddingEfficiency: options.batch_size, as batchSize',
    given => text.paddingEfficiency([], given),
  ],
  [
    'text.inspectArticles',
    'inspectArticles: options.know, as known',
    given => text.inspectArticles([], given),
  ],
  [
    'text.Batches',
    'Batches: options.drop_last, as dropLast',
    given => new text.Batches(data, { batchSize: 1, ...given }),
  ],
]

const preset = training.presets['lstm64-sgd']
export const model = shortClassifier('lstm64-sgd', { on: cpu })
const classifier = { preset, vocabularySize: 2, classes: 2, embeddingDim: 2, device: cpu }
export const trainer = new training.Trainer(model, preset)
const { stdout: stream } = process
const task = new Classification(model)
const loader = documentLoader(data, { batchSize: 8 })
const parts = { model, task, optimizer: trainer.optimizer }

const run: rnn.training.Run = {
  ...{ preset: 'lstm64-sgd', dialect: 'csv', posts: null, tokenizer: 'words' },
  ...{ vocabulary, labels, model },
}
const trainers: Row[] = [
  [
    'training.Classifier',
    'Classifier: options.vocab_size, as vocabularySize',
    given => new training.Classifier({ ...classifier, ...given }),
  ],
  [
    'training.Classifier',
    'Classifier: options.preset.tune_embedding, as tuneEmbedding',
    given => new training.Classifier({ ...classifier, preset: { ...preset, ...given } }),
  ],
  [
    'training.Trainer',
    'Trainer: options.on_non_finite, as onNonFinite',
    given => new training.Trainer(model, { ...preset, ...given }),
  ],
  [
    'training.Trainer',
    'Trainer: options.rules.steps_on_rest, as stepsOnRest',
    given =>
      new training.Trainer(model, {
        ...preset,
        rules: { ...training.rulesOf('batched', 'fixed'), ...given },
      }),
  ],
  [
    'training.Trainer',
    'Trainer: options.optimizer.moment, as momentum',
    given => new training.Trainer(model, { ...preset, optimizer: { ...preset.optimizer, ...given } }),
  ],
  [
    'training.Trainer.fit',
    'fit: options.epoch, as epochs',
    given => trainer.fit(data, { epochs: 1, ...given }).next(),
  ],
  [
    'training.Trainer.fit',
    'fit: options.test.Every, as every',
    given => trainer.fit(data, { epochs: 1, test: { data, every: 1, ...given } }).next(),
  ],
  [
    'training.Trainer',
    'Trainer: options.accumulated, as accumulate',
    given => new training.Trainer({ ...parts, ...given }),
  ],
  [
    'training.Trainer',
    'Trainer: options.clip.max_norm, as maxNorm',
    given => new training.Trainer({ ...parts, clip: { parameters: [], maxNorm: 1, ...given } }),
  ],
  [
    'training.Trainer.fit',
    'fit: options.epoch, as epochs',
    given => new training.Trainer(parts).fit(loader, { epochs: 1, ...given }).next(),
  ],
  [
    'training.Trainer.fit',
    'fit: options.test.Every, as every',
    given => new training.Trainer(parts).fit(loader, { epochs: 1, test: { loader, ...given } }).next(),
  ],
  [
    'training.DataLoader',
    'DataLoader: options.batch_size, as batchSize',
    given => new training.DataLoader([1], { collate: items => items, batchSize: 1, ...given }),
  ],
  [
    'training.Plateau',
    'Plateau: options.cool_down, as cooldown',
    given => new training.Plateau(trainer.optimizer, { metric: 'loss', ...given }),
  ],
  [
    'training.earlyStopping',
    'earlyStopping: options.patient, as patience',
    given => training.earlyStopping({ metric: 'loss', patience: 1, ...given }),
  ],
  [
    'training.keepBest',
    'keepBest: options.Directory, as directory',
    given => training.keepBest({ metric: 'loss', directory: UNWRITTEN, ...given }),
  ],
  [
    'training.predict',
    'predict: options.signals, as signal',
    given => training.predict(task, [], given).next(),
  ],
  [
    'training.evaluate',
    'evaluate: options.signals, as signal',
    given => training.evaluate(task, loader, given),
  ],
  [
    'training.evaluate',
    'evaluate: options.drop_out, as dropout',
    given => training.evaluate(model, data, given),
  ],
  ['training.loadRun', 'loadRun: options.devices, as device', given => training.loadRun(file('x'), given)],
  [
    'training.classificationMetrics',
    'classificationMetrics: options.zero_division, as zeroDivision',
    given => training.classificationMetrics([0], [0], ['a'], given),
  ],
  [
    'training.classificationReport',
    'classificationReport: options.digit, as digits',
    given => training.classificationReport([0], [0], ['a'], given),
  ],
  [
    'training.progressPrinter',
    'progressPrinter: options.quite, as quiet',
    given => training.progressPrinter({ stream, ...given }),
  ],
  [
    'training.notebookPrinter',
    'notebookPrinter: options.time_zone, as timeZone',
    given => training.notebookPrinter({ stream, ...given }),
  ],
  [
    'explain.connectivity',
    'connectivity: options.max_tokens, as maxTokens',
    given => explain.connectivity(model, [1], 0, given),
  ],
  [
    'explain.connectivities',
    'connectivities: options.Signal, as signal',
    given => explain.connectivities(model, [[1]], given),
  ],
  [
    'explain.readingOf',
    'readingOf: options.position, as positions',
    given => explain.readingOf(explain.readerOf('one', run), 'a b', given),
  ],
  [
    'explain.memorisationPage',
    'memorisationPage: options.word, as words',
    given => explain.memorisationPage([], given),
  ],
]

export const rows: readonly Row[] = [
  ...ops,
  ...tapeRows,
  ...modules,
  ...attentionRows,
  ...optimizers,
  ...texts,
  ...pairRows,
  ...trainers,
]
