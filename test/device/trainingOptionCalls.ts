import * as rnn from '../../src/compat.js'
import { Classification, documentLoader } from '../../src/tasks/index.js'
import { data, labels, shortClassifier, vocabulary } from '../training/short.js'
import { absent, type Row, UNWRITTEN } from './optionCall.js'
import { cpu, untyped, vector } from './refuses.js'

/** Optimisers and training with options, as in optionCalls.ts. */

const { explain, optim, training } = rnn
const p = vector(3)

export const optimizerRows: readonly Row[] = [
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
  [
    'optim.AveragedSGD',
    'optim.AveragedSGD: options.average, as averages',
    given => new optim.AveragedSGD([p], { lr: 1, ...given }),
  ],
  [
    'optim.OneCycle',
    'optim.OneCycle: options.momentum, as momentums',
    given => new optim.OneCycle(new optim.Adam([p]), { steps: 1, ...given }),
  ],
  [
    'training.NonMonotonic',
    'NonMonotonic: options.epoch, as epochs',
    given => new training.NonMonotonic(new optim.AveragedSGD([p], { lr: 1 }), { metric: 'loss', ...given }),
  ],
  [
    'training.nonMonotonicStopping',
    'nonMonotonicStopping: options.epoch, as epochs',
    given => training.nonMonotonicStopping({ metric: 'loss', ...given }),
  ],
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
export const trainingRows: readonly Row[] = [
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
  ['training.loadRun', 'loadRun: options.devices, as device', given => training.loadRun(absent('x'), given)],
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
