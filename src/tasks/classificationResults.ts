import * as v from 'valibot'
import { jsonNumber as number } from '../formats/json.js'
import { type PresetName, presets } from '../models/presets.js'
import type { EpochRecord, TaskResults } from '../training/record.js'
import { type ResultsKind, readRecords, runEntries } from '../training/records.js'
import { CLASSIFICATION } from './classifierRun.js'
import { countRight } from './rows.js'

/** The classifier's part of results.json. */
export interface ClassifierResults {
  preset: PresetName
  /** Names of the categories, by number. */
  classes: string[]
  /** The rows of the embedding. */
  vocabularySize: number
  /** Tokens of each document. */
  lengths: { training: number[]; test: number[] }
  /** The trained model's loss on the test documents, and the numbers of the true and the predicted categories. */
  test: { loss: number; truth: number[]; predicted: number[] }
  /** At most ten mistakes, those with the largest probability first. */
  mistakes: Mistake[]
}

/** results.json of a classifier. */
export type RunResults = TaskResults<ClassifierResults>

/** A test document that was misclassified with a high probability. */
export interface Mistake {
  /** The index of the test document, from 0. */
  document: number
  text: string
  truth: string
  predicted: string
  /** The probability of the predicted category. */
  probability: number
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0))

const own = {
  preset: v.picklist(Object.keys(presets) as PresetName[]),
  classes: v.array(v.string()),
  vocabularySize: count,
  lengths: v.object({ training: v.array(count), test: v.array(count) }),
  test: v.pipe(
    v.object({ loss: number, truth: v.array(count), predicted: v.array(count) }),
    v.check(({ truth, predicted }) => truth.length === predicted.length, 'as many predicted as truth'),
  ),
  mistakes: v.array(
    v.object({
      document: count,
      text: v.string(),
      truth: v.string(),
      predicted: v.string(),
      probability: number,
    }),
  ),
}

/** A file of version 0.1: of a classifier, and without a task's name. */
const resultsBefore = v.pipe(
  v.object({ ...runEntries, ...own }),
  v.transform(
    (results): RunResults => ({
      ...{ format: 'packed-rnn results 2', task: CLASSIFICATION, ...results },
      clip: presets[results.preset].clip,
      metrics: testMetrics(results.test),
    }),
  ),
)

/** Loss and accuracy, by the names that the task reports them under. */
export function testMetrics({ loss, truth, predicted }: ClassifierResults['test']): RunResults['metrics'] {
  const right = countRight(Int32Array.from(predicted), Int32Array.from(truth))
  return { loss, accuracy: right / truth.length }
}

/** How results of classifiers are kept. */
export const classificationResults: ResultsKind<ClassifierResults> = {
  task: CLASSIFICATION,
  schema: v.object(own),
  earlier: { 'packed-rnn results 1': resultsBefore },
}

/**
 * What a finished run of a classifier left for its readers. A number that was not finite is NaN.
 *
 * @param directory what `train` wrote into
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where a file cannot be read, as results.json before the run's end;
 * ERR_FILE_FORMAT naming the file, the line and the field that is wrong, as another task's name.
 *
 * @example
 * ```ts
 * import { readRunRecords } from 'packed-rnn/tasks'
 *
 * const found = readRunRecords('no-such-run').then(({ results }) => results.metrics)
 * console.log(await found.catch((error: { code: string }) => error.code)) // ERR_INVALID_ARGUMENT
 * ```
 */
export async function readRunRecords(
  directory: string,
): Promise<{ epochs: EpochRecord[]; results: RunResults }> {
  return readRecords(directory, classificationResults)
}
