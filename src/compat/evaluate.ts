import { checkInstance } from '../check.js'
import { Classifier } from '../models/classifier.js'
import { Module } from '../nn/index.js'
import { type ClassifyOptions, classify, type Evaluation } from '../tasks/classify.js'
import type { LabelledDocuments } from '../text/batches.js'
import { evaluate as evaluateTask, type TaskEvaluation } from '../training/evaluation.js'
import type { Loader } from '../training/loader.js'
import type { State, Task } from '../training/task.js'

/**
 * Computes the metrics of a task over the first epoch of a loader, without a tape and in evaluation mode. It does not change the
 * model: after each batch, its mode and its dropout counters are restored. Do not train the model while the task's `count` runs.
 *
 * @param options `signal` stops the evaluation before the next batch.
 * @throws PackedRnnError (rejects) if the loader, the task or an op throws; ERR_INVALID_ARGUMENT if an option is unknown; the
 * signal's reason if it aborts.
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
 * Computes the loss and the predictions of a classifier over documents.
 * @deprecated Use a `Classification` task, or `classify` of `packed-rnn/tasks`.
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
