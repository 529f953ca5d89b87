import { LanguageModel } from '../../src/models/index.js'
import {
  generate,
  generateBest,
  LanguageModeling,
  type LanguageRun,
  languageModelLearner,
  StreamLoader,
  scoreLines,
  scoreText,
  TextLMDataBunch,
} from '../../src/tasks/index.js'
import { MarkedVocabulary, tokenCodec } from '../../src/text/index.js'
import { absent, type Row } from './optionCall.js'
import { cpu } from './refuses.js'

/** Language models with options, as in optionCalls.ts. */

const sizes = { vocabularySize: 3, embeddingDim: 1, hiddenSize: 2, device: cpu }
const model = new LanguageModel(sizes)
const vocabulary = MarkedVocabulary.fromWords([])
const run: LanguageRun = { model, vocabulary, codec: tokenCodec('whitespace'), lowercase: false }
const data = TextLMDataBunch.fromTexts(['a b', 'a b'], {
  batchSize: 1,
  bptt: 2,
  validPct: 0,
  minFrequency: 1,
})
const layers = { embeddingDim: 1, hiddenSize: 1, numLayers: 1 }
const learner = languageModelLearner(data, { layers, device: cpu })
const cache = { window: 1, theta: 1, lambda: 0.1 }

export const languageRows: readonly Row[] = [
  [
    'models.LanguageModel',
    'LanguageModel: options.num_layers, as numLayers',
    given => new LanguageModel({ ...sizes, ...given }),
  ],
  [
    'models.LanguageModel',
    'LanguageModel: dropout.weight, as weights',
    given => new LanguageModel({ ...sizes, dropout: { ...given } }),
  ],
  [
    'tasks.LanguageModeling',
    'LanguageModeling: options.temporary, as temporal',
    given => new LanguageModeling(model, given),
  ],
  [
    'tasks.StreamLoader',
    'StreamLoader: options.windows, as window',
    given => new StreamLoader([1, 2, 3], { batchSize: 1, window: 1, ...given }),
  ],
  ['tasks.scoreText', 'scoreText: options.windows, as window', given => scoreText(run, ['', ''], given)],
  [
    'tasks.scoreText',
    'scoreText: cache.thetas, as theta',
    given => scoreText(run, ['', ''], { cache: { ...cache, ...given } }),
  ],
  ['tasks.scoreLines', 'scoreLines: options.signals, as signal', given => scoreLines(run, [''], given)],
  ['tasks.generate', 'generate: options.sample, as sampling', given => generate(run, '', given).next()],
  [
    'tasks.languageModelLearner',
    'languageModelLearner: options.drop_mult, as dropMult',
    given => languageModelLearner(data, { layers, ...given }),
  ],
  [
    'tasks.LanguageLearner.fit',
    'LanguageLearner.fit: options.weight_decay, as weightDecay',
    given => learner.fit(1, 0.1, given),
  ],
  [
    'tasks.LanguageLearner.fitOneCycle',
    'LanguageLearner.fitOneCycle: options.pct_start, as pctStart',
    given => learner.fitOneCycle(1, 0.1, given),
  ],
  [
    'tasks.LanguageLearner.fit',
    'LanguageLearner.fit: lr.fro, as from',
    given => learner.fit(1, { to: 0.1, ...given }),
  ],
  [
    'tasks.LanguageLearner.predict',
    'LanguageLearner.predict: options.no_unk, as noUnk',
    given => learner.predict('a', 1, given),
  ],
  [
    'tasks.LanguageLearner.beamSearch',
    'LanguageLearner.beamSearch: options.top_k, as topK',
    given => learner.beamSearch('a', 1, given),
  ],
  [
    'tasks.TextLMDataBunch.fromTexts',
    'TextLMDataBunch.fromTexts: options.valid_pct, as validPct',
    given => TextLMDataBunch.fromTexts(['a'], given),
  ],
  [
    'tasks.TextLMDataBunch.fromCsv',
    'TextLMDataBunch.fromCsv: options.text_column, as textColumn',
    given => TextLMDataBunch.fromCsv(absent('x'), given),
  ],
  [
    'tasks.generateBest',
    'generateBest: options.beam, as beams',
    given => generateBest(run, '', { beams: 1, ...given }),
  ],
]
