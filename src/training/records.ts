import { join } from 'node:path'
import * as v from 'valibot'
import { badFile } from '../errors.js'
import { readWhole, writeWhole } from '../formats/stateDict.js'
import { type PresetName, presets } from './presets.js'
import type { EpochRecord, RunResults } from './record.js'

/** The file of a run's epochs, a line each. */
export const METRICS = 'metrics.jsonl'
/** The file of what a run's end found. */
export const RESULTS = 'results.json'

/** JSON has no NaN and no infinity: null stands for both. */
const number = v.pipe(
  v.nullable(v.number()),
  v.transform(value => value ?? Number.NaN),
)
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const tested = v.nullable(v.object({ loss: number, accuracy: v.number() }))

const epochSchema: v.GenericSchema<unknown, EpochRecord> = v.object({
  epoch: count,
  steps: count,
  loss: number,
  accuracy: v.number(),
  gradNorm: v.object({ mean: number, largest: number }),
  learningRate: v.number(),
  test: tested,
  seconds: v.number(),
  tokensPerSecond: v.number(),
})

const mistakeSchema = v.object({
  document: count,
  text: v.string(),
  truth: v.string(),
  predicted: v.string(),
  probability: v.number(),
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
 * What a run that is over left behind for whoever looks at it. A number that was not finite is NaN.
 *
 * @param directory what `train` wrote into
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where a file cannot be read, as results.json before the run's end;
 * ERR_FILE_FORMAT naming the file, the line and the field that is wrong.
 */
export async function readRunRecords(
  directory: string,
): Promise<{ epochs: EpochRecord[]; results: RunResults }> {
  const file = join(directory, RESULTS)
  const results = parse(resultsSchema, file, null, (await readWhole(file)).toString('utf8'))
  return { epochs: await readEpochs(directory), results }
}

/** The lines of metrics.jsonl. @throws PackedRnnError (rejects) as `readRunRecords`. */
async function readEpochs(directory: string): Promise<EpochRecord[]> {
  const file = join(directory, METRICS)
  const lines = (await readWhole(file)).toString('utf8').split('\n')
  if (lines.pop() !== '') throw badFile(file, lines.length + 1, 'a line end', 'a part of a line')
  return lines.map((line, i) => {
    const record = parse(epochSchema, file, i + 1, line)
    if (record.epoch !== i + 1) throw badFile(file, i + 1, `epoch ${i + 1}`, record.epoch)
    return record
  })
}

function parse<T>(schema: v.GenericSchema<unknown, T>, file: string, line: number | null, text: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badFile(file, line, 'JSON', 'something else')
  }
  const { success, output, issues } = v.safeParse(schema, value)
  if (success) return output
  const [issue] = issues
  const path = v.getDotPath(issue)
  throw badFile(
    file,
    line,
    `${issue.expected ?? issue.message}${path === null ? '' : ` in ${path}`}`,
    issue.received,
  )
}

/** Writes results.json, whole or not at all. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming the file. */
export async function writeResults(directory: string, results: RunResults): Promise<void> {
  await writeWhole(join(directory, RESULTS), Buffer.from(`${JSON.stringify(results)}\n`))
}
