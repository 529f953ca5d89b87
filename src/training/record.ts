/**
 * The files of a run: metrics.jsonl has a line for each epoch, results.json the final results. report.html and `compare` are
 * made from these two only.
 * @module
 */

/** What a task reports, by name; `loss` is always among them. */
export type Metrics = Record<string, number>

/** A line of metrics.jsonl: a completed epoch. Two runs with the same seed differ only in the two times. */
export interface EpochRecord {
  /** From 1. */
  epoch: number
  /** Steps of all epochs so far, this one included. */
  steps: number
  /** Training metrics; each batch is measured before its step. */
  metrics: Metrics
  /** The 2-norm of the gradients that are clipped, before clipping, over the epoch's steps. */
  gradNorm: { mean: number; largest: number }
  /** The learning rate of the optimiser's first group in the last step. */
  learningRate: number
  /** Metrics of the test items after the epoch; null if it was not tested. */
  test: Metrics | null
  /** The time of training, without tests. */
  seconds: number
  tokensPerSecond: number
  /** @deprecated `metrics.loss`. Not part of the file. */
  loss: number
  /** @deprecated `metrics.accuracy`. Not part of the file; NaN if the task reports none. */
  accuracy: number
}

/** A record with what earlier versions called its metrics. */
export function recordOf(record: Omit<EpochRecord, 'loss' | 'accuracy'>): EpochRecord {
  const { loss = Number.NaN, accuracy = Number.NaN } = record.metrics
  return { ...record, loss, accuracy }
}

/** What a file holds of a record, in the order of its fields: a resumed run writes the same bytes. */
export function lineOf(record: EpochRecord): object {
  const { epoch, steps, metrics, gradNorm, learningRate, test, seconds, tokensPerSecond } = record
  return { epoch, steps, metrics, gradNorm, learningRate, test, seconds, tokensPerSecond }
}

/** A number of an epoch's record, by name: `loss` of training, or with `of: 'test'` of the test. */
export interface MetricName {
  metric: string
  /** Default 'test'. */
  of?: 'training' | 'test'
}

/** The number; null where the epoch has none. */
export function metricOf({ metrics, test }: EpochRecord, { metric, of = 'test' }: MetricName): number | null {
  return (of === 'test' ? test : metrics)?.[metric] ?? null
}

/** What results.json has of a run of any task. */
export interface CommonResults {
  format: 'packed-rnn results 2'
  task: string
  /** The command line's settings by the names of its options, the defaults included; null where one is not set. */
  settings: Record<string, string | number | boolean | null>
  /** What the times depend on. */
  machine: Record<string, string | number>
  /** Spent on training, in all epochs. */
  seconds: number
  /** The norm that gradients are clipped to; null where they are not. */
  clip: number | null
  /** As the task reports them of the trained model on the test items. */
  metrics: Metrics
}

/** results.json of a task: what every run has, and the task's own part. */
export type TaskResults<Own extends object = object> = CommonResults & Own
