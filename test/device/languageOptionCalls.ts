import { LanguageModel } from '../../src/models/index.js'
import {
  generate,
  generateBest,
  LanguageModeling,
  type LanguageRun,
  StreamLoader,
  scoreLines,
  scoreText,
} from '../../src/tasks/index.js'
import { MarkedVocabulary, tokenCodec } from '../../src/text/index.js'
import type { Row } from './optionCall.js'
import { cpu } from './refuses.js'

/** Language models with options, as in optionCalls.ts. */

const sizes = { vocabularySize: 3, embeddingDim: 1, hiddenSize: 2, device: cpu }
const model = new LanguageModel(sizes)
const vocabulary = MarkedVocabulary.fromWords([])
const run: LanguageRun = { model, vocabulary, codec: tokenCodec('whitespace'), lowercase: false }
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
    'tasks.generateBest',
    'generateBest: options.beam, as beams',
    given => generateBest(run, '', { beams: 1, ...given }),
  ],
]
