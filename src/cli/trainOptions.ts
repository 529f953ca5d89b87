import type { Dialect } from '../text/gnad.js'
import type { tokenizers } from '../text/tokenize.js'
import type { Padding, UnknownRows } from '../text/vocabulary.js'
import { type Preset, type PresetName, presetName, presets } from '../training/presets.js'
import { tokenizerName } from '../training/run.js'
import { choiceOption, integerOption, optionalInteger, parse, UsageError } from './options.js'
import { type VectorFile, vectorFile, vectorOptions, vectorUsage } from './vectors.js'

export const usage = `packed-rnn train [--preset NAME] [--train FILE --test FILE] [--vectors FILE] [OPTION …]

Trains a classifier of news articles and prints its report on the test articles. Without word vectors
its embedding starts random and is trained.

  --preset NAME      ${Object.keys(presets).join(', ')}; default lstm64-adam
  --train, --test    articles in 10kGNAD's format, plain or .gz; without them, invented ones
  --dialect NAME     csv (default), or notebook: lines cut at their first ;, quotes left as they are
  --tokenizer NAME   whitespace (default), or words: letters and digits apart from punctuation
${vectorUsage}
  --unk NAME         words without a vector get uniform random numbers (default), zero, or the mean
  --padding NAME     shared (default): row 0 of the embedding is padding and unknown words, as in the
                     notebook; own: row 1 is kept for padding
  --epochs N         default the preset's ${presets['lstm64-adam'].epochs}; on invented articles 10
  --batch-size N     default the preset's ${presets['lstm64-adam'].batchSize}; on invented articles 64
  --max-tokens N     ends a batch also where its next article would bring it above N tokens
  --drop-last        leaves out the articles that do not fill a last batch
  --device NAME      default the best there is
  --threads N        default all cores
  --seed N           of initial values, order and dropout; default 1
  --out DIR          where to write the model
  --json FILE        where to write the figures
  --progress NAME    bar (default), or notebook: the lines that the notebook prints
  --quiet            no progress`

/** What the invented articles are trained with unless told otherwise. */
const INVENTED = { epochs: 10, batchSize: 64 }

/** A command line, understood. What is undefined was not given. */
export interface TrainOptions {
  name: PresetName
  preset: Preset
  /** Files, or invented articles. */
  data: { train: string; test: string } | 'invented'
  dialect: Dialect
  tokenizer: keyof typeof tokenizers
  vectors: VectorFile | undefined
  unk: UnknownRows
  padding: Padding
  /** `maxTokens` is infinite where there is no such bound. */
  batches: { maxTokens: number; dropLast: boolean }
  device: string | undefined
  threads: number | undefined
  seed: number
  out: string | undefined
  json: string | undefined
  progress: 'bar' | 'notebook'
  quiet: boolean
}

/** @throws UsageError; PackedRnnError ERR_INVALID_ARGUMENT for a preset or tokenizer that is none. */
export function trainOptions(args: string[]): TrainOptions {
  const { values } = parse(args, {
    preset: { type: 'string', default: 'lstm64-adam' },
    train: { type: 'string' },
    test: { type: 'string' },
    dialect: { type: 'string' },
    tokenizer: { type: 'string', default: 'whitespace' },
    ...vectorOptions,
    unk: { type: 'string' },
    padding: { type: 'string' },
    epochs: { type: 'string' },
    'batch-size': { type: 'string' },
    'max-tokens': { type: 'string' },
    'drop-last': { type: 'boolean', default: false },
    device: { type: 'string' },
    threads: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string' },
    json: { type: 'string' },
    progress: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  })
  const name = presetName(values.preset)
  const data = dataFiles(values.train, values.test)
  const vectors = vectorFile(values)
  if (vectors === undefined && values.unk !== undefined) throw new UsageError('--unk: wanted --vectors too')
  const defaults = data === 'invented' ? INVENTED : presets[name]
  return {
    name,
    preset: {
      ...presets[name],
      epochs: integerOption('epochs', values.epochs, defaults.epochs, 1),
      batchSize: integerOption('batch-size', values['batch-size'], defaults.batchSize, 1),
    },
    data,
    dialect: choiceOption('dialect', values.dialect, ['csv', 'notebook']),
    tokenizer: tokenizerName(values.tokenizer),
    vectors,
    unk: choiceOption('unk', values.unk, ['uniform', 'zero', 'mean']),
    padding: choiceOption('padding', values.padding, ['shared', 'own']),
    batches: {
      maxTokens: optionalInteger('max-tokens', values['max-tokens'], 1) ?? Number.POSITIVE_INFINITY,
      dropLast: values['drop-last'],
    },
    device: values.device,
    threads: optionalInteger('threads', values.threads, 1),
    seed: integerOption('seed', values.seed, 1, 0),
    out: values.out,
    json: values.json,
    progress: choiceOption('progress', values.progress, ['bar', 'notebook']),
    quiet: values.quiet,
  }
}

function dataFiles(train: string | undefined, test: string | undefined): TrainOptions['data'] {
  if (train === undefined && test === undefined) return 'invented'
  if (train === undefined || test === undefined) {
    throw new UsageError('wanted both --train and --test, or neither')
  }
  return { train, test }
}
