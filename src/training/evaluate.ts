import { checkInstance } from '../check.js'
import { Classifier } from '../models/classifier.js'
import { Module } from '../nn/index.js'
import { type ClassifyOptions, classify, type Evaluation } from '../tasks/moved.js'
import type { LabelledDocuments } from '../text/batches.js'
import { evaluateTask, type TaskEvaluation } from './evaluation.js'
import type { Loader } from './loader.js'
import type { State, Task } from './task.js'

export type { Evaluation } from '../tasks/moved.js'

/**
 * The metrics of a task over the first epoch of a loader, without a tape and in evaluation mode. Between batches the model's
 * mode, and the next masks that its dropout draws, are as they were before; not while `count` of the task runs.
 *
 * @param options `signal`: ends the evaluation before its next batch.
 * @throws PackedRnnError (rejects) as the loader, the task and the ops do; ERR_INVALID_ARGUMENT for an unknown option; the
 * signal's reason when that aborts.
 *
 * @example
 * ```ts
 * import { type Matrix, mul, nn, sum, tensor } from 'packed-rnn'
 * import { DataLoader, evaluate, type Task } from 'packed-rnn/training'
 *
 * const model = new nn.Linear({ inFeatures: 1, outFeatures: 1 })
 * const task: Task<Matrix, null, number> = {
 *   model, weight: x => x.shape[0], metrics: () => ({}), predict: async x => [...(await model.forward(x).toArray())],
 *   step: x => ({ loss: sum(mul(model.forward(x), model.forward(x))), sums: {}, carry: null }),
 * }
 * const loader = new DataLoader([1, 2], { collate: some => tensor(some, [some.length, 1]), batchSize: 1 })
 * console.log((await evaluate(task, loader)).sums.weight) // 2
 * ```
 */
export function evaluate<Batch, Carry extends State>(
  task: Task<Batch, Carry>,
  loader: Loader<Batch>,
  options?: { signal?: AbortSignal },
): Promise<TaskEvaluation>
/**
 * Loss and predictions of a classifier over documents.
 * @deprecated Use a `Classification` task, or `classify` of tasks.
 * @throws PackedRnnError (rejects) as `classify`.
 */
export function evaluate(
  model: Classifier,
  data: LabelledDocuments,
  options?: ClassifyOptions,
): Promise<Evaluation>
export async function evaluate<Batch, Carry extends State>(
  first: Task<Batch, Carry> | Classifier,
  second: Loader<Batch> | LabelledDocuments,
  options: ClassifyOptions = {},
): Promise<TaskEvaluation | Evaluation> {
  if (isTask(first)) return evaluateTask(first, second as Loader<Batch>, options)
  checkInstance('evaluate', 'model', first, Classifier)
  return classify(first, second as LabelledDocuments, options, 'evaluate')
}

function isTask<Batch, Carry extends State>(
  first: Task<Batch, Carry> | Classifier,
): first is Task<Batch, Carry> {
  return typeof first === 'object' && first !== null && !(first instanceof Module) && 'step' in first
}
