import { nonFiniteRules } from '../training/nonFinite.js'
import type { Resumed } from './commandLine.js'
import { deviceChoice, deviceOptions } from './deviceOptions.js'
import { jsonOption } from './jsonFile.js'
import {
  choiceOption,
  integerOption,
  numberOption,
  type OptionTable,
  switchOption,
  textOption,
  UsageError,
  type ValuesOf,
} from './options.js'
import type { RunOptions } from './trainRun.js'

/** The options that `evaluate` has for every task. */
export const evaluateOptions = {
  json: jsonOption,
  ...deviceOptions,
} as const

/** Options of `train` about the loop, for every task. */
export const loopOptions = {
  ...deviceOptions,
  seed: integerOption('of initial values, order and dropout; default 1', 0),
  'on-non-finite': choiceOption(
    'if a loss or a gradient is NaN or infinite: throw (default) ends the run, skip skips the\n' +
      'step, ignore continues',
    nonFiniteRules,
  ),
  checkpoint: integerOption('writes a checkpoint after every N steps, too', 1),
  quiet: switchOption('no progress'),
} as const

/** Options of `train` about words, for tasks that learn to write texts. */
export const wordOptions = {
  merges: integerOption('of bpe; default 8000', 1),
  lowercase: switchOption('makes the text lower case first'),
} as const

/** Options of `train` about the model and its rate, for tasks that learn to write texts. */
export const modelOptions = {
  'embedding-dim': integerOption("default the preset's", 1),
  'hidden-size': integerOption("default the preset's", 1),
  layers: integerOption("default the preset's", 1),
  lr: numberOption("the learning rate; default the preset's", 0),
  keep: choiceOption('the model of the epoch with the best validation loss (best, the default), or last', [
    'best',
    'last',
  ]),
} as const

/** Options of `train` about a run's directory, for every task. */
export const directoryOptions = {
  out: textOption(
    'DIR',
    'where to write the model, its reports, metrics.jsonl, and a checkpoint after each epoch\n' +
      "and when interrupted; default runs/ and the run's name, date and time",
  ),
  resume: textOption(
    'DIR',
    "resumes from DIR's checkpoint, with its task and options; options given here replace\n" +
      'them, and --device also its precision and threads',
  ),
} as const

/** What `trainRun` reads of these options. */
export function runOptionsOf(
  values: Partial<ValuesOf<typeof loopOptions> & ValuesOf<typeof directoryOptions>>,
): RunOptions {
  const { out, checkpoint, quiet = false } = values
  return { out, checkpoint, quiet, device: deviceChoice(values) }
}

/** The commands that a task answers. */
export const taskCommands = ['train', 'evaluate', 'predict'] as const
export type TaskCommand = (typeof taskCommands)[number]

/** What the command line does for a task. */
export interface CliTask {
  /** The name that `--task` takes, and a run's files have. */
  readonly name: string
  /** The options of each command. An option of two tasks takes a value in both or in neither. */
  readonly options: Readonly<Record<TaskCommand, OptionTable>>
  /** What `--help` prints. */
  readonly usage: Readonly<Record<TaskCommand, string>>
  /**
   * Trains.
   * @param args the words of a command line, `--task` among them
   * @param resumed what its `--resume` found
   */
  train(args: string[], resumed: Resumed | null, signal: AbortSignal): Promise<void>
  /** Prints the report of a run on some data. */
  evaluate(args: string[], signal: AbortSignal): Promise<void>
  /** Prints a run's answers for the lines of a file. */
  predict(args: string[], signal: AbortSignal): Promise<void>
  /** What `compare` prints of finished runs; default a table of their metrics. */
  comparison?(directories: readonly string[]): Promise<string>
}

/** @throws UsageError for an option that only other tasks have. */
export function checkTaskOptions(
  args: readonly string[],
  command: TaskCommand,
  task: CliTask,
  all: readonly CliTask[],
): void {
  for (const arg of args) {
    if (arg === '--') return
    const name = /^--([^=]+)/.exec(arg)?.[1]
    if (name === undefined || Object.hasOwn(task.options[command], name)) continue
    const owners = all.filter(({ options }) => Object.hasOwn(options[command], name))
    if (owners.length === 0) continue
    const names = owners.map(owner => owner.name).join(' and ')
    throw new UsageError(`--${name}: wanted an option of the task ${task.name}, got one of ${names}`)
  }
}
