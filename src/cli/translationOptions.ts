import { translationPresetName, translationPresets } from '../models/seq2seqPresets.js'
import type { SearchOptions } from '../tasks/translation.js'
import { readPairs, readPairTable, type TextPair } from '../text/pairs.js'
import { jsonOption } from './jsonFile.js'
import {
  choiceOption,
  fileOption,
  integerOption,
  numberOption,
  type Option,
  type OptionTable,
  parsedOption,
  switchOption,
  textOption,
  UsageError,
  type ValuesOf,
} from './options.js'
import { directoryOptions, evaluateOptions, loopOptions, modelOptions, wordOptions } from './taskOptions.js'

/** The options of the translation task, each described once. */

/** Files of sentence pairs. */
const pairOptions = {
  source: fileOption('a sentence a line, plain or .gz'),
  target: fileOption('the translation of each, line by line'),
  pairs: fileOption('instead of both, a table of pairs: fields separated by tabs, plain or .gz'),
  'source-columns': columnsOption('of tables, from 0; several are joined by tabs; default 0'),
  'target-columns': columnsOption('default 1'),
} as const

/** How a translation is searched. */
const searchOptions = {
  beam: integerOption('hypotheses of each sentence; default 1, the likeliest word at each step', 1),
  'length-penalty': numberOption('α: a score is log p / length^α; default 1', 0, { needs: 'beam' }),
  'coverage-penalty': numberOption('β for words of the source that got little attention; default 0', 0, {
    needs: 'beam',
  }),
} as const

const { epochs, batchSize, teacherForcing, minFrequency } = translationPresets['gru-attention']

/** How BLEU is computed. */
const bleuOptions = {
  'bleu-tokenizer': choiceOption(
    "sacreBLEU's none (the default of whitespace and bpe), 13a (of words and characters), intl, char",
    ['none', '13a', 'intl', 'char'],
  ),
} as const

export const trainTable = {
  task: textOption('NAME', 'translation'),
  ...pairOptions,
  'valid-source': fileOption('pairs that are tested on after each epoch', { needs: 'valid-target' }),
  'valid-target': fileOption('their translations', { needs: 'valid-source' }),
  'valid-pairs': fileOption('instead of both, a table with the same columns'),
  preset: parsedOption(
    'NAME',
    `${Object.keys(translationPresets).join(', ')}; default gru-attention`,
    translationPresetName,
  ),
  tokenizer: choiceOption('whitespace (default), words, characters, or bpe, which learns parts of words', [
    'whitespace',
    'words',
    'characters',
    'bpe',
  ]),
  ...wordOptions,
  'min-frequency': integerOption(`rarer words are unknown; default the preset's ${minFrequency}`, 1),
  'max-words': integerOption('of each language; default all', 1),
  ...modelOptions,
  dropout: probabilityOption("default the preset's"),
  'teacher-forcing': probabilityOption(
    `the probability that a step reads the target's word; default the preset's ${teacherForcing}`,
  ),
  'label-smoothing': probabilityOption('default 0'),
  epochs: integerOption(`default the preset's ${epochs}`, 1),
  'batch-size': integerOption(`pairs; default the preset's ${batchSize}`, 1),
  'max-length': integerOption('skips pairs, in tests too, whose source or target has more words', 1),
  'max-tokens': integerOption('the most words of a batch of several pairs', 1),
  ...searchOptions,
  ...bleuOptions,
  ...loopOptions,
  ...directoryOptions,
  json: jsonOption,
} as const

export const evaluateTable = {
  ...pairOptions,
  ...searchOptions,
  ...bleuOptions,
  lowercase: switchOption('BLEU and chrF ignore case; a run with --lowercase always does'),
  ...evaluateOptions,
} as const

export const predictTable = {
  ...searchOptions,
  'n-best': integerOption('translations of each line, with their scores; default 1, without', 1, {
    needs: 'beam',
  }),
  alignment: switchOption(
    'adds a line for each sentence: for each token of the translation, from 0, the source token with the\n' +
      'largest weight, as source-target',
  ),
  device: evaluateOptions.device,
  precision: evaluateOptions.precision,
  threads: evaluateOptions.threads,
} as const satisfies OptionTable

/** @throws UsageError for half a pair of files, or both forms. */
export async function readGivenPairs(
  values: Partial<ValuesOf<typeof pairOptions>>,
  options: { empty: 'keep' | 'skip'; signal: AbortSignal },
): Promise<TextPair[]> {
  const { source, target, pairs } = values
  if (pairs !== undefined) {
    if (source !== undefined || target !== undefined) {
      throw new UsageError('--pairs: wanted neither --source nor --target')
    }
    const columns = { source: values['source-columns'] ?? [0], target: values['target-columns'] ?? [1] }
    return readPairTable(pairs, { ...columns, ...options })
  }
  if (source === undefined || target === undefined) {
    throw new UsageError('wanted --source FILE --target FILE, or --pairs FILE')
  }
  return readPairs(source, target, options)
}

/** How a command line says that translations are searched. */
export function searchOf(
  values: Partial<ValuesOf<typeof searchOptions>> & { 'n-best'?: number | undefined },
): SearchOptions {
  const { beam: beams = 1, 'n-best': nBest = 1 } = values
  if (nBest > beams) throw new UsageError(`--n-best: wanted at most --beam ${beams}, got ${nBest}`)
  const { 'length-penalty': alpha, 'coverage-penalty': coverage } = values
  if (beams === 1) {
    if (alpha !== undefined) throw new UsageError('--length-penalty: wanted a --beam of 2 or more')
    if (coverage !== undefined) throw new UsageError('--coverage-penalty: wanted a --beam of 2 or more')
  }
  return {
    ...{ beams, nBest },
    ...(alpha !== undefined && { lengthPenalty: { alpha } }),
    ...(coverage !== undefined && { coverage }),
  }
}

/** Columns of a table: `0,1`. */
function columnsOption(help: string): Option<number[]> {
  return {
    value: 'LIST',
    help,
    read(name, given) {
      const columns = String(given).split(',')
      const bad = columns.find(column => !/^\d+$/.test(column))
      if (bad !== undefined) throw new UsageError(`--${name}: wanted numbers and commas, got ${given}`)
      return columns.map(Number)
    },
  }
}

function probabilityOption(help: string): Option<number> {
  const number = numberOption(help, 0)
  return {
    ...number,
    read(name, given) {
      const value = number.read(name, given)
      if (value > 1) throw new UsageError(`--${name}: wanted a number from 0 to 1, got ${given}`)
      return value
    },
  }
}
