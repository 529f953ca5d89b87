import type { Pooling } from '../models/pooling.js'
import { type Preset, type PresetName, presets } from '../models/presets.js'
import { DOCUMENTS_PER_STEP, type Loop, type Mode, rulesOf } from '../tasks/rules.js'
import type { Dialect } from '../text/gnad.js'
import type { tokenizers } from '../text/tokenize.js'
import type { Padding, UnknownRows } from '../text/vocabulary.js'
import type { OnNonFinite } from '../training/nonFinite.js'
import { type Command, type Resumed, readCommand } from './commandLine.js'
import { UsageError, usageOf, type ValuesOf } from './options.js'
import { trainTable } from './runOptions.js'
import { runOptionsOf } from './taskOptions.js'
import type { RunOptions } from './trainRun.js'
import { type VectorFile, vectorFile } from './vectors.js'

export const trainUsage = `packed-rnn train [--task NAME] [--preset NAME] [--train FILE --test FILE] [--vectors FILE] [OPTION …]
packed-rnn train --format omp --category NAME --train FILE [--fold N] [--vectors FILE] [OPTION …]

Trains a classifier of news articles and prints its report on the test articles. Without word vectors
its embedding starts random and is trained. The second form predicts whether a category applies to a post:
it trains once for each fold of the file, tests on that fold, and prints F1 of all folds.

${usageOf(trainTable)}`

/** Defaults for the invented articles. */
const INVENTED = { epochs: 10, batchSize: 64 }

/** The files of articles to learn from and to test on, or of posts and how to divide these. */
export type Source = ArticleSource | PostSource

/** Files of articles, or invented ones. */
export type ArticleSource = { format: 'invented' } | { format: 'gnad'; train: string; test: string }

/** Posts of a category; without a fold, each fold is the test set once. */
export interface PostSource {
  format: 'omp'
  train: string
  category: string
  fold: number | undefined
}

/** A command line, understood. What is undefined was not given. */
export interface TrainOptions extends RunOptions {
  name: PresetName
  preset: Preset
  source: Source
  dialect: Dialect
  tokenizer: keyof typeof tokenizers
  vectors: VectorFile | undefined
  unk: UnknownRows
  padding: Padding
  loop: Loop
  mode: Mode
  pooling: Pooling
  /** `maxTokens` is infinite where there is no such bound. */
  batches: { maxTokens: number; dropLast: boolean }
  /** Epochs from one test to the next; 0: none before the end. */
  evaluateEvery: number
  onNonFinite: OnNonFinite
  seed: number
  json: string | undefined
  progress: 'bar' | 'notebook'
}

type Values = Omit<ValuesOf<typeof trainTable>, 'resume' | 'task'>

/**
 * A command line of the classification task and, where it says `--resume`, the state to resume from.
 * @throws UsageError; PackedRnnError ERR_INVALID_ARGUMENT for an unknown preset or tokenizer.
 */
export function readTrain(args: string[], resumed: Resumed | null): Command<TrainOptions> {
  return readCommand(args, resumed, { table: trainTable, optionsOf: trainOptions, isSeries })
}

/** Whether a command line is for several runs. */
function isSeries({ source }: TrainOptions): boolean {
  return source.format === 'omp' && source.fold === undefined
}

/** @throws UsageError; PackedRnnError ERR_INVALID_ARGUMENT for an unknown preset or tokenizer. */
function trainOptions(values: Values): TrainOptions {
  const { preset: name = 'lstm64-adam', loop = 'batched', mode = 'fixed' } = values
  const source = sourceOf(values)
  const defaults = source.format === 'invented' ? INVENTED : presets[name]
  const batchSize = loop === 'document' ? DOCUMENTS_PER_STEP : defaults.batchSize
  return {
    name,
    preset: {
      ...presets[name],
      epochs: values.epochs ?? defaults.epochs,
      batchSize: values['batch-size'] ?? batchSize,
    },
    source,
    dialect: values.dialect ?? (mode === 'notebook' ? mode : 'csv'),
    tokenizer: values.tokenizer ?? 'whitespace',
    vectors: vectorFile(values),
    unk: values.unk ?? 'uniform',
    padding: values.padding ?? 'shared',
    loop,
    mode,
    pooling: values.pooling ?? rulesOf(loop, mode).pooling,
    batches: {
      maxTokens: values['max-tokens'] ?? Number.POSITIVE_INFINITY,
      dropLast: values['drop-last'] ?? false,
    },
    evaluateEvery: values['evaluate-every'] ?? 1,
    onNonFinite: values['on-non-finite'] ?? 'throw',
    seed: values.seed ?? 1,
    json: values.json,
    progress: values.progress ?? 'bar',
    ...runOptionsOf(values),
  }
}

/** @throws UsageError for one of the two alone. */
export function articleSource({
  train,
  test,
}: {
  train?: string | undefined
  test?: string | undefined
}): ArticleSource {
  if (train === undefined && test === undefined) return { format: 'invented' }
  if (train !== undefined && test !== undefined) return { format: 'gnad', train, test }
  throw new UsageError('wanted both --train and --test, or neither')
}

function sourceOf({ format = 'gnad', train, test, dialect, category, fold, json }: Values): Source {
  if (format === 'gnad') {
    if (category !== undefined) throw new UsageError('--category: wanted --format omp too')
    if (fold !== undefined) throw new UsageError('--fold: wanted --format omp too')
    return articleSource({ train, test })
  }
  if (train === undefined || category === undefined) {
    throw new UsageError('--format omp: wanted --train and --category too')
  }
  if (fold === undefined && json !== undefined) throw new UsageError('--json: wanted --fold too')
  if (test !== undefined) throw new UsageError('--test: wanted none with --format omp, a fold is tested on')
  if (dialect !== undefined) throw new UsageError('--dialect: wanted none with --format omp')
  return { format: 'omp', train, category, fold }
}
