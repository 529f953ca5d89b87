import { LanguageModel } from '../../src/models/index.js'
import { LanguageModeling, StreamLoader } from '../../src/tasks/index.js'
import type { Row } from './optionCall.js'
import { cpu } from './refuses.js'

/** Language models with options, as in optionCalls.ts. */

const sizes = { vocabularySize: 3, embeddingDim: 1, hiddenSize: 2, device: cpu }
const model = new LanguageModel(sizes)

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
]
