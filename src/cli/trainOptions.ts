import { resolve } from 'node:path'
import * as v from 'valibot'
import { badFile } from '../errors.js'
import { type Pooling, poolingName } from '../models/pooling.js'
import { type Preset, type PresetName, presetName, presets } from '../models/presets.js'
import { DOCUMENTS_PER_STEP, type Loop, loops, type Mode, modes, rulesOf } from '../tasks/rules.js'
import type { Dialect } from '../text/gnad.js'
import type { tokenizers } from '../text/tokenize.js'
import type { Padding, UnknownRows } from '../text/vocabulary.js'
import { type Checkpoint, loadCheckpoint } from '../training/checkpoint.js'
import { nonFiniteRules, type OnNonFinite } from '../training/nonFinite.js'
import { tokenizerName } from '../training/run.js'
import { type DeviceChoice, deviceChoice, deviceOptions, deviceUsage } from './deviceOptions.js'
import { argsOfSeries, checkFree, readSeries } from './directory.js'
import { choiceOption, integerOption, noPositionals, optionalInteger, parse, UsageError } from './options.js'
import { FOLDS } from './posts.js'
import { type VectorFile, vectorFile, vectorOptions, vectorUsage } from './vectors.js'

/** The part of a usage that is about any run. */
export const runUsage = `\
  --train, --test    articles in 10kGNAD's format, plain or .gz; without them, invented ones
  --dialect NAME     csv (default), or notebook: lines cut at their first ;, quotes left as they are
  --tokenizer NAME   whitespace (default), or words: letters and digits apart from punctuation
${vectorUsage}
  --unk NAME         words without a vector get uniform random numbers (default), zero, or the mean
  --padding NAME     shared (default): row 0 of the embedding is padding and unknown words, as in the
                     notebook; own: row 1 is kept for padding
  --pooling NAME     final (default), notebook-last (the notebook mode's), max, mean, or concat
  --epochs N         default the preset's ${presets['lstm64-adam'].epochs}; on invented articles 10
  --batch-size N     default the preset's ${presets['lstm64-adam'].batchSize}; on invented articles, and by document, 64
  --max-tokens N     ends a batch also where its next article would bring it above N tokens
  --drop-last        leaves out the articles that do not fill a last batch
  --evaluate-every N tests the model after every N epochs; default 1; 0: only at the end
${deviceUsage}
  --seed N           of initial values, order and dropout; default 1
  --on-non-finite NAME
                     where a loss or a gradient is NaN or infinite: throw (default) ends the run, skip leaves
                     out the step, ignore goes on
  --checkpoint N     writes a checkpoint after every N steps, too
  --progress NAME    bar (default), or notebook: the lines that the notebook prints
  --quiet            no progress`

export const usage = `packed-rnn train [--preset NAME] [--train FILE --test FILE] [--vectors FILE] [OPTION …]
packed-rnn train --format omp --category NAME --train FILE [--fold K] [--vectors FILE] [OPTION …]

Trains a classifier of news articles and prints its report on the test articles. Without word vectors
its embedding starts random and is trained. The second form tells whether a category applies to a post:
it trains nine times, each fold from 1 to 9 is tested on once, and prints F1 of all nine.

  --preset NAME      ${Object.keys(presets).join(', ')}; default lstm64-adam
  --format NAME      gnad (default), or omp: labelled posts of the One Million Posts Corpus,
                     category,value,fold,headline,body, plain or .gz
  --category NAME    of the posts: PersonalStories, PossiblyFeedback, …
  --fold K           the fold to test on; without, one after the other, each into a directory of its own
  --loop NAME        batched (default), or document: a step every 64 articles
  --mode NAME        fixed (default), or notebook: every quirk of the course notebook
${runUsage}
  --out DIR          where to write the model, its reports, metrics.jsonl, and a checkpoint after each epoch
                     and when interrupted; default runs/ and preset, date and time
  --resume DIR       goes on from DIR's checkpoint, with its options; those given beside it replace them, and
                     --device its precision and threads too
  --json FILE        where to write the figures`

/** What the invented articles are trained with unless told otherwise. */
const INVENTED = { epochs: 10, batchSize: 64 }

/** The files of articles to learn from and to test on, or of posts and how to divide these. */
export type Source = ArticleSource | PostSource

/** Files of articles, or invented ones. */
export type ArticleSource = { format: 'invented' } | { format: 'gnad'; train: string; test: string }

/** Posts of a category; without a fold each is tested on in its turn. */
export interface PostSource {
  format: 'omp'
  train: string
  category: string
  fold: number | undefined
}

/** A command line, understood. What is undefined was not given. */
export interface TrainOptions {
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
  device: DeviceChoice
  onNonFinite: OnNonFinite
  seed: number
  out: string | undefined
  /** Steps between checkpoints within an epoch; undefined: none. */
  checkpoint: number | undefined
  json: string | undefined
  progress: 'bar' | 'notebook'
  quiet: boolean
}

/** The options of any run, for `parse`. */
export const runOptions = {
  train: { type: 'string' },
  test: { type: 'string' },
  dialect: { type: 'string' },
  tokenizer: { type: 'string' },
  ...vectorOptions,
  unk: { type: 'string' },
  padding: { type: 'string' },
  mode: { type: 'string' },
  pooling: { type: 'string' },
  epochs: { type: 'string' },
  'batch-size': { type: 'string' },
  'max-tokens': { type: 'string' },
  'drop-last': { type: 'boolean' },
  'evaluate-every': { type: 'string' },
  ...deviceOptions,
  seed: { type: 'string' },
  'on-non-finite': { type: 'string' },
  checkpoint: { type: 'string' },
  progress: { type: 'string' },
  quiet: { type: 'boolean' },
} as const

function parseTrain(args: string[]) {
  const { values, positionals } = parse(args, {
    preset: { type: 'string' },
    format: { type: 'string' },
    category: { type: 'string' },
    fold: { type: 'string' },
    loop: { type: 'string' },
    ...runOptions,
    out: { type: 'string' },
    resume: { type: 'string' },
    json: { type: 'string' },
  })
  noPositionals(positionals)
  return values
}

/** A command line as it was given, without `--resume`. */
type Values = Omit<ReturnType<typeof parseTrain>, 'resume'>

const FILES = ['train', 'test', 'vectors', 'json']

/** The same command line for any folder that it is run from, without where it writes. */
export function argsOf({ out: _, ...values }: Record<string, string | boolean | undefined>): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (typeof value === 'boolean') return value ? [`--${name}`] : []
    return value === undefined ? [] : [`--${name}`, FILES.includes(name) ? resolve(value) : value]
  })
}

/** What a checkpoint of this command holds beside the trainer's state: the command line, and what it has run on. */
export interface About {
  args: string[]
  kind: string
  precision: string
}

const aboutSchema = v.object({ args: v.array(v.string()), kind: v.string(), precision: v.string() })

/** What is to be trained, and where it goes on. */
export interface Command {
  options: TrainOptions
  /** What a later `--resume` needs. */
  args: string[]
  from: (Omit<Checkpoint, 'about'> & { about: About }) | null
}

/**
 * A command line and, where it says `--resume`, the state to go on from. A device beside `--resume` takes the place of
 * the earlier one and of its precision and threads.
 * @throws UsageError; PackedRnnError ERR_INVALID_ARGUMENT for a preset or tokenizer that is none, ERR_FILE_FORMAT for a
 * checkpoint that is none.
 */
export async function readCommandLine(args: string[]): Promise<Command> {
  const { resume, ...values } = parseTrain(args)
  if (resume === undefined) {
    const options = trainOptions(values)
    if (values.out !== undefined && !isSeries(options)) checkFree(values.out)
    return { options, args: argsOf(values), from: null }
  }
  const series = await readSeries(resume)
  if (series !== null) {
    const stored = argsOfSeries(resume, series, 'train', values)
    return { options: trainOptions({ ...parseTrain(stored), out: resume }), args: stored, from: null }
  }
  const { state, about, passedOver } = await loadCheckpoint(resume)
  if (!v.is(aboutSchema, about)) throw badFile(resume, null, 'a checkpoint of this command', 'another')
  const earlier = parseTrain(about.args)
  const elsewhere = { ...earlier, device: undefined, precision: undefined, threads: undefined }
  const kept = argsOf(values.device === undefined ? earlier : elsewhere)
  // Of an option that comes twice the last one counts.
  const { resume: _, ...all } = parseTrain([...kept, ...args, '--out', resume])
  return { options: trainOptions(all), args: argsOf(all), from: { state, about, passedOver } }
}

/** Whether a command line is for several runs. */
function isSeries({ source }: TrainOptions): boolean {
  return source.format === 'omp' && source.fold === undefined
}

/** @throws UsageError; PackedRnnError ERR_INVALID_ARGUMENT for a preset or tokenizer that is none. */
function trainOptions(values: Values): TrainOptions {
  const name = presetName(values.preset ?? 'lstm64-adam')
  const source = sourceOf(values)
  const vectors = vectorFile(values)
  if (vectors === undefined && values.unk !== undefined) throw new UsageError('--unk: wanted --vectors too')
  const defaults = source.format === 'invented' ? INVENTED : presets[name]
  const loop = choiceOption('loop', values.loop, loops)
  const mode = choiceOption('mode', values.mode, modes)
  return {
    name,
    preset: {
      ...presets[name],
      epochs: integerOption('epochs', values.epochs, defaults.epochs, 1),
      batchSize: integerOption(
        'batch-size',
        values['batch-size'],
        loop === 'document' ? DOCUMENTS_PER_STEP : defaults.batchSize,
        1,
      ),
    },
    source,
    dialect: choiceOption('dialect', values.dialect ?? (mode === 'notebook' ? mode : undefined), [
      'csv',
      'notebook',
    ]),
    tokenizer: tokenizerName(values.tokenizer ?? 'whitespace'),
    vectors,
    unk: choiceOption('unk', values.unk, ['uniform', 'zero', 'mean']),
    padding: choiceOption('padding', values.padding, ['shared', 'own']),
    loop,
    mode,
    pooling: values.pooling === undefined ? rulesOf(loop, mode).pooling : poolingName(values.pooling),
    batches: {
      maxTokens: optionalInteger('max-tokens', values['max-tokens'], 1) ?? Number.POSITIVE_INFINITY,
      dropLast: values['drop-last'] ?? false,
    },
    evaluateEvery: integerOption('evaluate-every', values['evaluate-every'], 1, 0),
    device: deviceChoice(values),
    onNonFinite: choiceOption('on-non-finite', values['on-non-finite'], nonFiniteRules),
    seed: integerOption('seed', values.seed, 1, 0),
    out: values.out,
    checkpoint: optionalInteger('checkpoint', values.checkpoint, 1),
    json: values.json,
    progress: choiceOption('progress', values.progress, ['bar', 'notebook']),
    quiet: values.quiet ?? false,
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

function sourceOf({ format, train, test, dialect, category, fold, json }: Values): Source {
  if (choiceOption('format', format, ['gnad', 'omp']) === 'gnad') {
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
  const number = optionalInteger('fold', fold, 1)
  if (number !== undefined && !FOLDS.includes(number)) {
    throw new UsageError(`--fold: wanted a fold from 1 to ${FOLDS.length}, got ${fold}`)
  }
  return { format: 'omp', train, category, fold: number }
}
