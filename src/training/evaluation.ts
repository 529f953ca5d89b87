import { noGrad } from '../autograd.js'
import { checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { scope } from '../scope.js'
import { disposeState } from '../state.js'
import { mapCarry } from './carry.js'
import type { LoadedBatch, Loader } from './loader.js'
import { Inference } from './modules.js'
import type { Metrics } from './record.js'
import { totalsOf } from './stepper.js'
import type { State, Task } from './task.js'

/** The result of `evaluate`. */
export interface TaskEvaluation {
  /** The task's metrics over all batches. There is always a `loss`. */
  metrics: Metrics
  /** The sums that the metrics are computed from. */
  sums: Record<string, number>
}

/** The batches issued before the first one is awaited, as for the trainer's steps. */
const AHEAD = 3

/** Computes the metrics of a task over the first epoch of a loader. Its public docstring is in `compat/evaluate.ts`. */
export async function evaluate<Batch, Carry extends State>(
  task: Task<Batch, Carry>,
  loader: Loader<Batch>,
  options: { signal?: AbortSignal } = {},
): Promise<TaskEvaluation> {
  checkOptions('evaluate', options, { signal: true })
  const { signal } = options
  const inference = new Inference(task.model, task.dropsInEvaluation ?? false)
  const totals: Record<string, number> = {}
  const add = (sums: Record<string, number>) => {
    for (const [name, value] of Object.entries(sums)) totals[name] = (totals[name] ?? 0) + value
  }
  const pending: Promise<Record<string, number>>[] = []
  let carry: Carry | null = null
  try {
    for (const { batch } of loader.epoch(0).from(0)) {
      signal?.throwIfAborted()
      const found = inference.run(() => forward(task, batch, carry))
      if (carry !== null) disposeState(carry)
      carry = found.carry
      pending.push(found.totals)
      if (task.count !== undefined) {
        const count = task.count.bind(task)
        add(await inference.runAsync(() => scope(() => noGrad(() => count(batch)))))
      }
      if (pending.length > AHEAD) add(await pending.shift()!)
    }
    for (const each of pending) add(await each)
  } finally {
    if (carry !== null) disposeState(carry)
  }
  return { metrics: metricsOf(task, totals), sums: totals }
}

function forward<Batch, Carry extends State>(task: Task<Batch, Carry>, batch: Batch, before: Carry | null) {
  return scope(() =>
    noGrad(() => {
      const { loss, sums, carry } = task.step(batch, before)
      const totals = totalsOf([{ loss, ...sums, weight: task.weight(batch) }])
      // After an earlier failure nothing awaits this promise.
      totals.catch(() => {})
      return { totals, carry: mapCarry(carry, leaf => leaf.detach()) }
    }),
  )
}

/** Returns a task's metrics for some sums, with a loss. */
export function metricsOf<Batch, Carry extends State>(
  task: Task<Batch, Carry>,
  sums: Record<string, number>,
): Metrics {
  const { loss = Number.NaN, weight = Number.NaN } = sums
  return { loss: loss / weight, ...task.metrics({ ...sums, loss, weight }) }
}

/**
 * Yields the answers of a task, batch after batch, without a tape and in evaluation mode. Do not train the model before the last
 * answer.
 *
 * @param batches batches, or a loader, of which the first epoch is used.
 * @param options `signal` stops the predictions before the next batch.
 * @throws PackedRnnError (rejects) if the loader, the task or an op throws; ERR_INVALID_ARGUMENT if an option is unknown; the
 * signal's reason if it aborts.
 *
 * @example
 * ```ts
 * import { type Matrix, mul, nn, sum, tensor } from 'packed-rnn'
 * import { predict, type Task } from 'packed-rnn/training'
 *
 * const model = new nn.Linear({ inFeatures: 1, outFeatures: 1 })
 * const task: Task<Matrix, null, number> = {
 *   model, weight: x => x.shape[0], metrics: () => ({}), predict: async x => [...(await model.forward(x).toArray())],
 *   step: x => ({ loss: sum(mul(model.forward(x), model.forward(x))), sums: {}, carry: null }),
 * }
 * const answers: number[] = []
 * for await (const answer of predict(task, [tensor([1, 2, 3], [3, 1])])) answers.push(answer)
 * console.log(answers.length) // 3
 * ```
 */
export async function* predict<Batch, Carry extends State, Answer>(
  task: Task<Batch, Carry, Answer>,
  batches: Loader<Batch> | Iterable<Batch> | AsyncIterable<Batch>,
  options: { signal?: AbortSignal } = {},
): AsyncGenerator<Answer, void, void> {
  checkOptions('predict', options, { signal: true })
  const inference = new Inference(task.model, task.dropsInEvaluation ?? false)
  for await (const batch of batchesOf(batches)) {
    options.signal?.throwIfAborted()
    yield* await inference.runAsync(() => scope(() => noGrad(() => task.predict(batch))))
  }
}

function batchesOf<Batch>(
  batches: Loader<Batch> | Iterable<Batch> | AsyncIterable<Batch>,
): Iterable<Batch> | AsyncIterable<Batch> {
  if (typeof batches !== 'object' || batches === null) {
    throw badArgument('predict', 'batches', 'a loader or batches', batches)
  }
  return 'epoch' in batches ? unwrapped(batches.epoch(0).from(0)) : batches
}

function* unwrapped<Batch>(loaded: Iterable<LoadedBatch<Batch>>): Iterable<Batch> {
  for (const { batch } of loaded) yield batch
}
