import type { Module } from '../nn/index.js'
import type { State } from '../state.js'
import type { Scalar } from '../tensor.js'

/**
 * Defines what a model is trained for: the loss, the metrics and the predictions. The trainer works with any task.
 *
 * The parts work together as follows:
 *
 * - A `DataLoader` orders the items by a seed and the number of the epoch, divides them into batches, and makes each batch when it
 *   is reached. A resumed epoch starts at its next batch and makes no earlier one.
 * - A `Task` computes from a batch a summed loss, and the sums from which metrics are computed. It also returns the batch's weight.
 * - The `Trainer` makes each step from one batch, or from several with `accumulate`. The gradient of a step is Σ ∇loss / Σ weight
 *   over its batches, so a short batch counts by its weight. The weights are known before the forward pass, so the division needs
 *   no pass over the gradients: each backward pass starts from 1 / Σ weight.
 * - Sums stay on the device until they are read. The trainer reads all numbers of a step together, and issues up to three more
 *   steps before it waits for them, so the device does not wait for the host.
 * - `carry` is passed from batch to batch without its history. It is null at the start of an epoch, and part of a checkpoint.
 * - `fit` reports the events `step` and `epoch`. At `epoch` no step is pending: you may stop, save, or change the optimiser's
 *   options.
 * - A checkpoint holds the model, the optimiser, the scheduler, the counters of dropout masks, the carry and the position in the
 *   epoch. A run that resumes from it computes the same bits as a run without interruption.
 * - `evaluate` and `predict` run the same task without a tape, in evaluation mode.
 *
 * To change the method of training, change the task, the loader or the optimiser. The course notebook's variants are made this way.
 */
export interface Task<Batch, Carry extends State = null, Answer = unknown> {
  /** The model to train. */
  readonly model: Module
  /** Whether dropout is on in `evaluate` and `predict`; default false. */
  readonly dropsInEvaluation?: boolean
  /**
   * Returns the weight of a batch, above 0: usually its number of documents or tokens. The loss of a step is divided by the weight
   * of its batches.
   */
  weight(batch: Batch): number
  /**
   * Returns the factor of the learning rates in the step of a batch, at least 0; default 1. With `accumulate` a step has the mean over its
   * batches, by weight.
   */
  rate?(batch: Batch): number
  /**
   * Runs the forward pass. It is called with a tape for training, and without one in `evaluate`.
   *
   * @param carry the carry that the previous batch returned, without its history; null at the start of an epoch.
   */
  step(batch: Batch, carry: Carry | null): StepResult<Carry>
  /**
   * Returns counts that need more than a forward pass, such as the n-grams of decoded text. `evaluate` calls it and adds the counts
   * to the sums.
   */
  count?(batch: Batch): Promise<Record<string, number>>
  /**
   * Computes metrics by name from the sums of a step, an epoch or an evaluation.
   *
   * @returns the metrics. If there is no `loss` among them, the trainer adds loss / weight.
   */
  metrics(sums: Sums): Record<string, number>
  /** Returns the model's answers for a batch, in the order of its items. */
  predict(batch: Batch): Promise<Answer[]>
}

/** Sums over batches, by name: the sums of `step` and the counts of `count`. */
export interface Sums {
  readonly [name: string]: number
  /** The minimised loss, or `sums.loss` of `step` if there is one. */
  readonly loss: number
  /** The weight of the batches. */
  readonly weight: number
}

/** A number to add up: on the device, on the host, or a promise of it. */
export type Sum = Scalar | number | Promise<number>

/** The result of `Task.step`. */
export interface StepResult<Carry extends State> {
  /** The loss to minimise: the sum over the batch, not the mean. */
  loss: Scalar
  /**
   * The numbers to add up over batches, by name. A `loss` here is reported instead of the minimised one, for example without
   * penalties. Compute tensors other than the loss in `noGrad`: a tape without a backward pass is freed only by garbage collection.
   */
  sums: Record<string, Sum>
  /** The state to pass to the next batch, whose sequences continue this batch's; null if batches are independent. */
  carry: Carry
}

export type { State }
