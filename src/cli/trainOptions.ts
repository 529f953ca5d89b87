import { resolve } from 'node:path'
import { badFile } from '../errors.js'
import type { Dialect } from '../text/gnad.js'
import type { tokenizers } from '../text/tokenize.js'
import type { Padding, UnknownRows } from '../text/vocabulary.js'
import { loadCheckpoint } from '../training/checkpoint.js'
import { type Preset, type PresetName, presetName, presets } from '../training/presets.js'
import {
  DOCUMENTS_PER_STEP,
  type Loop,
  loops,
  type Mode,
  modes,
  type Pooling,
  poolingName,
  rulesOf,
} from '../training/rules.js'
import { tokenizerName } from '../training/run.js'
import type { TrainerState } from '../training/trainer.js'
import { type DeviceChoice, deviceChoice, deviceOptions, deviceUsage } from './deviceOptions.js'
import { choiceOption, integerOption, noPositionals, optionalInteger, parse, UsageError } from './options.js'
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
  --loop NAME        batched (default), or document: a step every 64 articles
  --mode NAME        fixed (default), or notebook: every quirk of the course notebook
  --pooling NAME     final (default), notebook-last (the notebook mode's), max, mean, or concat
  --epochs N         default the preset's ${presets['lstm64-adam'].epochs}; on invented articles 10
  --batch-size N     default the preset's ${presets['lstm64-adam'].batchSize}; on invented articles, and by document, 64
  --max-tokens N     ends a batch also where its next article would bring it above N tokens
  --drop-last        leaves out the articles that do not fill a last batch
${deviceUsage}
  --seed N           of initial values, order and dropout; default 1
  --out DIR          where to write the model, and a checkpoint after each epoch and when interrupted
  --checkpoint N     writes one after every N steps too
  --resume DIR       goes on from DIR's checkpoint, with its options; those given beside it replace them, and
                     --device its precision and threads too
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
  loop: Loop
  mode: Mode
  pooling: Pooling
  /** `maxTokens` is infinite where there is no such bound. */
  batches: { maxTokens: number; dropLast: boolean }
  device: DeviceChoice
  seed: number
  out: string | undefined
  /** Steps between checkpoints within an epoch; undefined: none. */
  checkpoint: number | undefined
  json: string | undefined
  progress: 'bar' | 'notebook'
  quiet: boolean
}

function parseTrain(args: string[]) {
  const { values, positionals } = parse(args, {
    preset: { type: 'string', default: 'lstm64-adam' },
    train: { type: 'string' },
    test: { type: 'string' },
    dialect: { type: 'string' },
    tokenizer: { type: 'string', default: 'whitespace' },
    ...vectorOptions,
    unk: { type: 'string' },
    padding: { type: 'string' },
    loop: { type: 'string' },
    mode: { type: 'string' },
    pooling: { type: 'string' },
    epochs: { type: 'string' },
    'batch-size': { type: 'string' },
    'max-tokens': { type: 'string' },
    'drop-last': { type: 'boolean', default: false },
    ...deviceOptions,
    seed: { type: 'string' },
    out: { type: 'string' },
    checkpoint: { type: 'string' },
    resume: { type: 'string' },
    json: { type: 'string' },
    progress: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  })
  noPositionals(positionals)
  return values
}

/** A command line as it was given, without `--resume`. */
type Values = Omit<ReturnType<typeof parseTrain>, 'resume'>

const FILES = ['train', 'test', 'vectors', 'out', 'json']

/** The same command line for any folder that it is run from. */
function absolute(values: Record<string, string | boolean | undefined>): string[] {
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

function isAbout(value: unknown): value is About {
  if (typeof value !== 'object' || value === null) return false
  const args: unknown = Reflect.get(value, 'args')
  const strings = Array.isArray(args) && args.every(arg => typeof arg === 'string')
  return strings && ['kind', 'precision'].every(name => typeof Reflect.get(value, name) === 'string')
}

/**
 * A command line and, where it says `--resume`, the state to go on from. `args` is what a later `--resume` needs. A
 * device beside `--resume` takes the place of the earlier one and of its precision and threads.
 * @throws UsageError; PackedRnnError ERR_INVALID_ARGUMENT for a preset or tokenizer that is none, ERR_FILE_FORMAT for a
 * checkpoint that is none.
 */
export async function readCommandLine(
  args: string[],
): Promise<{ options: TrainOptions; args: string[]; from: { state: TrainerState; about: About } | null }> {
  const { resume, ...values } = parseTrain(args)
  if (resume === undefined) return { options: trainOptions(values), args: absolute(values), from: null }
  const { state, about } = await loadCheckpoint(resume)
  if (!isAbout(about)) throw badFile(resume, null, 'a checkpoint of this command', 'another')
  const earlier = parseTrain(about.args)
  const elsewhere = { ...earlier, device: undefined, precision: undefined, threads: undefined }
  const kept = absolute(values.device === undefined ? earlier : elsewhere)
  // Of an option that comes twice the last one counts.
  const { resume: _, ...all } = parseTrain([...kept, ...args, '--out', resume])
  return { options: trainOptions(all), args: absolute(all), from: { state, about } }
}

/** @throws UsageError; PackedRnnError ERR_INVALID_ARGUMENT for a preset or tokenizer that is none. */
function trainOptions(values: Values): TrainOptions {
  const name = presetName(values.preset)
  const data = dataFiles(values.train, values.test)
  const vectors = vectorFile(values)
  if (vectors === undefined && values.unk !== undefined) throw new UsageError('--unk: wanted --vectors too')
  const defaults = data === 'invented' ? INVENTED : presets[name]
  const loop = choiceOption('loop', values.loop, loops)
  const mode = choiceOption('mode', values.mode, modes)
  if (values.checkpoint !== undefined && values.out === undefined) {
    throw new UsageError('--checkpoint: wanted --out too')
  }
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
    data,
    dialect: choiceOption('dialect', values.dialect ?? (mode === 'notebook' ? mode : undefined), [
      'csv',
      'notebook',
    ]),
    tokenizer: tokenizerName(values.tokenizer),
    vectors,
    unk: choiceOption('unk', values.unk, ['uniform', 'zero', 'mean']),
    padding: choiceOption('padding', values.padding, ['shared', 'own']),
    loop,
    mode,
    pooling: values.pooling === undefined ? rulesOf(loop, mode).pooling : poolingName(values.pooling),
    batches: {
      maxTokens: optionalInteger('max-tokens', values['max-tokens'], 1) ?? Number.POSITIVE_INFINITY,
      dropLast: values['drop-last'],
    },
    device: deviceChoice(values),
    seed: integerOption('seed', values.seed, 1, 0),
    out: values.out,
    checkpoint: optionalInteger('checkpoint', values.checkpoint, 1),
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
