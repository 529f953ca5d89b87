import { languagePresetName, languagePresets } from '../models/languagePresets.js'
import type { CacheOptions } from '../tasks/cachePointer.js'
import { jsonOption } from './jsonFile.js'
import {
  choiceOption,
  fileOption,
  integerOption,
  numberOption,
  type OptionTable,
  parsedOption,
  switchOption,
  textOption,
  UsageError,
  type ValuesOf,
} from './options.js'
import { directoryOptions, evaluateOptions, loopOptions, modelOptions, wordOptions } from './taskOptions.js'

/** The options of language models, each described once. */

export const DEFAULT_PRESET = 'awd-lstm'
const { epochs, batchSize, window } = languagePresets[DEFAULT_PRESET]

export const trainTable = {
  task: textOption('NAME', 'language-model'),
  train: fileOption('a text, plain or .gz; each line ends with an end mark'),
  valid: fileOption('a text that is tested on after each epoch'),
  preset: parsedOption(
    'NAME',
    `${Object.keys(languagePresets).join(', ')};\ndefault ${DEFAULT_PRESET}`,
    languagePresetName,
  ),
  level: choiceOption(
    'word (default): tokens separated by white space; character; or bpe, which learns parts of words',
    ['word', 'character', 'bpe'],
  ),
  ...wordOptions,
  'min-frequency': integerOption('rarer words are unknown; default 1', 1),
  'max-words': integerOption('of the vocabulary; default all', 1),
  finetune: {
    ...textOption(
      'RUN',
      'continues with the model of a run and its vocabulary, averages the parameters from the first\n' +
        'step, and ends when the validation loss stops improving',
    ),
    // A resumed run finds it from any folder.
    isFile: true,
  },
  ...modelOptions,
  'dropout-factor': numberOption("multiplies all probabilities of the preset's dropout; default 1", 0),
  epochs: integerOption(`default the preset's, ${epochs} of ${DEFAULT_PRESET}`, 1),
  'batch-size': integerOption(`parallel streams; default the preset's, ${batchSize} of ${DEFAULT_PRESET}`, 1),
  window: integerOption(
    `tokens of a step in each stream; default the preset's, ${window} of ${DEFAULT_PRESET}`,
    1,
  ),
  ...loopOptions,
  ...directoryOptions,
  json: jsonOption,
} as const

export const evaluateTable = {
  test: fileOption('a text, plain or .gz'),
  'batch-size': integerOption(
    'parallel streams; default 1, which scores all tokens but the first. More are faster; tokens\n' +
      'that do not fill them are left out',
    1,
  ),
  cache: switchOption('mixes the probabilities with those of a cache of recent tokens (Grave et al. 2017)'),
  'cache-window': integerOption('tokens that the cache holds; default 3785', 1, { needs: 'cache' }),
  'cache-theta': numberOption('sharpens its distribution; default 0.6625', 0, { needs: 'cache' }),
  'cache-lambda': numberOption('its weight; default 0.1279', 0, { needs: 'cache' }),
  ...evaluateOptions,
} as const

const { device, precision, threads } = evaluateOptions

export const predictTable = { device, precision, threads } as const satisfies OptionTable

export const generateTable = {
  length: integerOption('tokens; default 100', 0),
  'one-line': switchOption('stops at the end of the line'),
  temperature: numberOption('above 0: draws with probabilities p^(1/T); default 1', 0),
  'top-k': integerOption('draws from the N most probable tokens; default all', 1),
  'top-p': numberOption('draws from the most probable tokens that make up this probability; default 1', 0),
  'min-probability': numberOption('draws no token of a lower probability; default 0', 0),
  greedy: switchOption('takes the most probable token instead'),
  beam: integerOption('uses beam search with N beams instead', 1),
  'n-best': integerOption('continuations to print, with their scores; default 1, without', 1, {
    needs: 'beam',
  }),
  'length-penalty': numberOption('α: a score is log p / length^α; default 0', 0, { needs: 'beam' }),
  unknown: switchOption('allows unknown words'),
  seed: integerOption('of the draws; default 1', 0),
  device,
  precision,
  threads,
} as const satisfies OptionTable

/** The cache that a command line asks for. */
export function cacheOf(values: ValuesOf<typeof evaluateTable>): CacheOptions | undefined {
  if (values.cache !== true) return undefined
  if ((values['batch-size'] ?? 1) !== 1) throw new UsageError('--cache: wanted --batch-size 1')
  return {
    window: values['cache-window'] ?? 3785,
    theta: values['cache-theta'] ?? 0.6625,
    lambda: values['cache-lambda'] ?? 0.1279,
  }
}
