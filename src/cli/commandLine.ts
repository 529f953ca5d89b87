import { resolve } from 'node:path'
import * as v from 'valibot'
import { badFile } from '../errors.js'
import { type Checkpoint, loadCheckpoint } from '../training/checkpoint.js'
import { FIRST_TASK } from '../training/runFiles.js'
import { argsOfSeries, checkFree, readSeries, type Series } from './directory.js'
import {
  checkNeeds,
  type Given,
  noPositionals,
  type OptionTable,
  parse,
  UsageError,
  type ValuesOf,
} from './options.js'

/** The command line of `train`, for any task, and what `--resume` adds to it. */

/** What a checkpoint of this command holds beside the trainer's state: the command line, and what it has run on. */
export interface About {
  args: string[]
  kind: string
  precision: string
}

const aboutSchema = v.object({ args: v.array(v.string()), kind: v.string(), precision: v.string() })

/** Where an interrupted run resumes. */
export interface From extends Omit<Checkpoint, 'about'> {
  about: About
}

/** What `--resume` found in its directory: several runs, or the checkpoint of one. */
export interface Resumed {
  directory: string
  /** The command line of the run or of the runs. */
  args: string[]
  series: Series | null
  from: From | null
}

/** The value of an option, looked for before the options of the task are known; null where it is not given. */
export function valueIn(args: readonly string[], name: string): string | null {
  const at = args.findLastIndex(arg => arg === `--${name}` || arg.startsWith(`--${name}=`))
  if (at < 0) return null
  return args[at] === `--${name}` ? (args[at + 1] ?? '') : args[at]!.slice(name.length + '--='.length)
}

/** The task of a command line. */
export function taskOfArgs(args: readonly string[]): string {
  return valueIn(args, 'task') ?? FIRST_TASK
}

/**
 * What `--resume` of a command line names; null without it.
 * @throws PackedRnnError (rejects) as `loadCheckpoint`, ERR_FILE_FORMAT for a checkpoint that another program wrote.
 */
export async function resumedBy(args: readonly string[]): Promise<Resumed | null> {
  const directory = valueIn(args, 'resume')
  // The parser reports an option without its value.
  if (directory === null || directory === '') return null
  const series = await readSeries(directory)
  if (series !== null) return { directory, args: series.args, series, from: null }
  const { state, about, passedOver } = await loadCheckpoint(directory)
  if (!v.is(aboutSchema, about)) throw badFile(directory, null, 'a checkpoint of this command', 'another')
  return { directory, args: about.args, series: null, from: { state, about, passedOver } }
}

/** The options of `train` that the command reads itself, whatever the task. */
export type TrainTable = OptionTable & { readonly [Name in 'out' | 'resume' | 'task']: OptionTable[string] }

/** What is to be trained, and where it resumes. */
export interface Command<Options> {
  options: Options
  /** What a later `--resume` needs. */
  args: string[]
  from: From | null
}

/** How a task reads its command line. */
export interface Reading<Table extends TrainTable, Options> {
  table: Table
  /** @throws UsageError for options that do not go together. */
  optionsOf(values: ValuesOf<Table>): Options
  /** Whether the options are for several runs, whose directory may be begun. */
  isSeries?(options: Options): boolean
}

/**
 * A command line and, where it says `--resume`, the state to resume from. A device beside `--resume` takes the place of
 * the earlier one and of its precision and threads.
 * @throws UsageError; what the task's options throw.
 */
export function readCommand<Table extends TrainTable, Options>(
  args: string[],
  resumed: Resumed | null,
  { table, optionsOf, isSeries = () => false }: Reading<Table, Options>,
): Command<Options> {
  const read = (some: string[], partial?: 'partial') => {
    const { values, given, positionals } = parse(some, table, partial)
    noPositionals(positionals)
    return { values, given }
  }
  const { values, given } = read(args, 'partial')
  if (resumed === null) {
    checkNeeds(given, table)
    const options = optionsOf(values)
    if (given.out !== undefined && !isSeries(options)) checkFree(String(given.out))
    return { options, args: argsOf(given, table), from: null }
  }
  const { directory, series, from } = resumed
  const { resume: _, ...others } = given
  const out = ['--out', directory]
  if (series !== null || from === null) {
    const stored = argsOfSeries(directory, series, 'train', others)
    return { options: optionsOf(read([...stored, ...out]).values), args: stored, from: null }
  }
  const earlier = read(from.about.args).given
  const elsewhere = { ...earlier, device: undefined, precision: undefined, threads: undefined }
  const kept = argsOf(given.device === undefined ? earlier : elsewhere, table)
  // Of an option that comes twice the last one counts.
  const all = read([...kept, ...argsOf(others, table), ...out])
  return { options: optionsOf(all.values), args: argsOf(all.given, table), from }
}

/** The same command line for any folder that it is run from, without where it writes. */
export function argsOf({ out: _, ...given }: Given, table: OptionTable): string[] {
  return Object.entries(given).flatMap(([name, value]) => {
    if (typeof value === 'boolean') return value ? [`--${name}`] : []
    return value === undefined ? [] : [`--${name}`, table[name]?.isFile ? resolve(value) : value]
  })
}

/** @throws UsageError where a command line beside the `--resume` of a begun run has an option whose value is part of its state. */
export function checkKept(args: readonly string[], resumed: Resumed | null, names: readonly string[]): void {
  if (resumed === null || resumed.from === null) return
  const given = names.find(name => valueIn(args, name) !== null)
  if (given !== undefined)
    throw new UsageError(`--${given}: wanted none, because a resumed run keeps its own`)
}

/** @throws UsageError where a command line beside `--resume` is for another task than the run. */
export function checkTask(args: readonly string[], { directory, args: earlier }: Resumed): void {
  const [given, wanted] = [valueIn(args, 'task'), taskOfArgs(earlier)]
  if (given === null || given === wanted) return
  throw new UsageError(`--task: wanted ${wanted}, the task of ${directory}, or none, got ${given}`)
}
