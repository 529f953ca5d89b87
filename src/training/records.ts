import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { badFile } from '../errors.js'
import { fileFailure } from '../files/failure.js'
import { readWhole } from '../files/read.js'
import { writeWhole } from '../files/write.js'
import { jsonNumber as number, parseJson } from '../formats/json.js'
import { type CommonResults, type EpochRecord, lineOf, recordOf, type TaskResults } from './record.js'
import { FIRST_TASK } from './runFiles.js'

/** The file of a run's epochs, a line each. */
export const METRICS = 'metrics.jsonl'
/** The file of what a run's end found. */
export const RESULTS = 'results.json'

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const metrics = v.record(v.string(), number)
const common = {
  epoch: count,
  steps: count,
  gradNorm: v.object({ mean: number, largest: number }),
  learningRate: number,
  test: v.nullable(metrics),
  seconds: v.number(),
  tokensPerSecond: number,
}

/** A line as earlier versions wrote it, of a classifier. */
const lineBefore = v.pipe(
  v.object({ ...common, loss: number, accuracy: number }),
  v.transform(({ loss, accuracy, ...rest }) => ({ ...rest, metrics: { loss, accuracy } })),
)

/** A line of this version, or of an earlier one. */
export const epochSchema: v.GenericSchema<unknown, EpochRecord> = v.pipe(
  v.lazy(line =>
    typeof line === 'object' && line !== null && 'metrics' in line
      ? v.object({ ...common, metrics })
      : lineBefore,
  ),
  v.transform(recordOf),
)

const RESULTS_FORMAT = 'packed-rnn results 2'

/** What results.json has had of every run since the first format. */
export const runEntries = {
  settings: v.record(v.string(), v.nullable(v.union([v.string(), v.number(), v.boolean()]))),
  machine: v.record(v.string(), v.union([v.string(), v.number()])),
  seconds: v.number(),
}

const commonResults: v.GenericSchema<unknown, CommonResults> = v.object({
  format: v.literal(RESULTS_FORMAT),
  task: v.string(),
  ...runEntries,
  clip: v.nullable(v.number()),
  metrics,
})

/** How a task keeps what the end of its runs found. */
export interface ResultsKind<Own extends object> {
  /** The task's name. */
  readonly task: string
  /** Validates the task's own part of results.json, next to `CommonResults`. */
  readonly schema: v.GenericSchema<unknown, Own>
  /** Validates whole files of earlier formats, by format, and makes them ones of this format. */
  readonly earlier?: Readonly<Record<string, v.GenericSchema<unknown, TaskResults<Own>>>>
}

/** The numbers of each epoch, and what the end found. */
export interface RunRecords<Own extends object = object> {
  epochs: EpochRecord[]
  results: TaskResults<Own>
}

/**
 * What a finished run left for its readers. A number that was not finite is NaN.
 *
 * @param directory what `train` wrote into
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where a file cannot be read, as results.json before the run's end;
 * ERR_FILE_FORMAT naming the file, the line and the field that is wrong.
 */
export async function readRecords<Own extends object>(
  directory: string,
  { task, schema, earlier }: ResultsKind<Own>,
): Promise<RunRecords<Own>> {
  const file = join(directory, RESULTS)
  const text = (await readWhole(file)).toString('utf8')
  const { format } = parseJson(headSchema, text, file)
  const before = earlier !== undefined && Object.hasOwn(earlier, format) ? earlier[format]! : null
  if (before !== null) return { results: parseJson(before, text, file), epochs: await readEpochs(directory) }
  const common = parseJson(commonResults, text, file)
  if (common.task !== task) throw badFile(file, null, `results of ${task}`, common.task)
  const results = { ...parseJson(schema, text, file), ...common }
  return { results, epochs: await readEpochs(directory) }
}

const headSchema = v.object({ format: v.string(), task: v.optional(v.string(), FIRST_TASK) })

/** The task of a finished run. @throws PackedRnnError (rejects) as `readRecords`. */
export async function taskOfResults(directory: string): Promise<string> {
  const file = join(directory, RESULTS)
  return parseJson(headSchema, (await readWhole(file)).toString('utf8'), file).task
}

/** The lines of metrics.jsonl. @throws PackedRnnError (rejects) as `readRecords`. */
async function readEpochs(directory: string): Promise<EpochRecord[]> {
  const file = join(directory, METRICS)
  const lines = (await readWhole(file)).toString('utf8').split('\n')
  if (lines.pop() !== '') throw badFile(file, lines.length + 1, 'a line end', 'a part of a line')
  return lines.map((line, i) => {
    const record = parseJson(epochSchema, line, file, i + 1)
    if (record.epoch !== i + 1) throw badFile(file, i + 1, `epoch ${i + 1}`, record.epoch)
    return record
  })
}

/** Writes metrics.jsonl anew, whole or not at all. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming the file. */
export async function writeEpochs(directory: string, epochs: readonly EpochRecord[]): Promise<void> {
  await writeWhole(join(directory, METRICS), Buffer.from(epochs.map(textOf).join('')))
}

/** One more line of metrics.jsonl. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming the file. */
export async function appendEpoch(directory: string, epoch: EpochRecord): Promise<void> {
  const file = join(directory, METRICS)
  try {
    await appendFile(file, textOf(epoch))
  } catch (error) {
    throw fileFailure(file, error)
  }
}

function textOf(epoch: EpochRecord): string {
  return `${JSON.stringify(lineOf(epoch))}\n`
}

/** Writes results.json, whole or not at all. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming the file. */
export async function writeResults(directory: string, results: object): Promise<void> {
  await writeWhole(join(directory, RESULTS), Buffer.from(`${JSON.stringify(results)}\n`))
}
