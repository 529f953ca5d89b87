import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { badFile } from '../errors.js'
import { fileFailure } from '../files/failure.js'
import { readWhole } from '../files/read.js'
import { writeWhole } from '../files/write.js'
import { jsonNumber as number, parseJson } from '../formats/json.js'
import { type PresetName, presets } from './presets.js'
import { type EpochRecord, lineOf, type RunResults, recordOf } from './record.js'

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

const mistakeSchema = v.object({
  document: count,
  text: v.string(),
  truth: v.string(),
  predicted: v.string(),
  probability: number,
})

const resultsSchema: v.GenericSchema<unknown, RunResults> = v.object({
  format: v.literal('packed-rnn results 1'),
  preset: v.picklist(Object.keys(presets) as PresetName[]),
  settings: v.record(v.string(), v.nullable(v.union([v.string(), v.number(), v.boolean()]))),
  machine: v.record(v.string(), v.union([v.string(), v.number()])),
  classes: v.array(v.string()),
  vocabularySize: count,
  lengths: v.object({ training: v.array(count), test: v.array(count) }),
  seconds: v.number(),
  test: v.pipe(
    v.object({ loss: number, truth: v.array(count), predicted: v.array(count) }),
    v.check(({ truth, predicted }) => truth.length === predicted.length, 'as many predicted as truth'),
  ),
  mistakes: v.array(mistakeSchema),
})

/**
 * What a finished run left for its readers. A number that was not finite is NaN.
 *
 * @param directory what `train` wrote into
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where a file cannot be read, as results.json before the run's end;
 * ERR_FILE_FORMAT naming the file, the line and the field that is wrong.
 */
export async function readRunRecords(
  directory: string,
): Promise<{ epochs: EpochRecord[]; results: RunResults }> {
  const file = join(directory, RESULTS)
  const results = parseJson(resultsSchema, (await readWhole(file)).toString('utf8'), file)
  return { epochs: await readEpochs(directory), results }
}

/** The lines of metrics.jsonl. @throws PackedRnnError (rejects) as `readRunRecords`. */
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
export async function writeResults(directory: string, results: RunResults): Promise<void> {
  await writeWhole(join(directory, RESULTS), Buffer.from(`${JSON.stringify(results)}\n`))
}
