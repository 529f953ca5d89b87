import type { Module } from '../nn/index.js'
import type { State } from '../state.js'
import type { Scalar } from '../tensor.js'

/**
 * What a model is trained for. The trainer knows no task: it asks one for a loss, and divides, clips, steps and records.
 *
 * How the parts work together:
 *
 * - A `DataLoader` orders items by a seed and the number of the epoch, cuts batches within bounds, and packs each batch when
 *   its turn comes. A resumed epoch starts at its next batch and packs nothing before it.
 * - A `Task` turns a batch into a summed loss with a weight, and into the sums that its metrics are made of.
 * - The `Trainer` makes a step of one batch or of several (`accumulate`). The gradient of a step is Σ ∇loss / Σ weight over
 *   its batches: one division, by the weight of the whole step, so a short batch counts by its weight. The weights are known
 *   before anything is computed, so the division costs no pass over the gradients: each backward pass starts from 1 / Σ weight.
 * - Sums stay on the device until they are read. The trainer asks for all numbers of a step at once and keeps up to three
 *   steps ahead of what it reads, so the device does not wait for the host.
 * - `carry` goes from batch to batch without its tape. It is null at the start of a pass, and part of a checkpoint.
 * - `fit` reports the events `step` and `epoch`. At `epoch` nothing is pending: a caller may stop, save, or change the
 *   optimiser's options there.
 * - A checkpoint holds the model, the optimiser, the scheduler, the place of each module's next dropout mask, the carry and
 *   the position in the epoch. A run that resumes from it has the bits of one that was not stopped.
 * - `evaluate` and `predict` run the same task without a tape, in evaluation mode.
 *
 * Variants of a method, such as the course notebook's, are variants of the task, the loader or the optimiser. The loop has no
 * branch for them.
 */
export interface Task<Batch, Carry extends State = null, Answer = unknown> {
  /** What is trained. */
  readonly model: Module
  /** Whether dropout stays on in `evaluate`; default false. */
  readonly dropsInEvaluation?: boolean
  /**
   * What a batch counts: its documents or its tokens, above 0. The loss of a step is divided by the weight of all its
   * batches.
   */
  weight(batch: Batch): number
  /**
   * The forward pass. Called with a tape while training, and without one in `evaluate`.
   *
   * @param carry what the batch before returned, without its history; null at the start of a pass.
   */
  step(batch: Batch, carry: Carry | null): StepResult<Carry>
  /** In `evaluate`, counts that need more than a forward pass, such as n-grams of a decoded text. They join the sums. */
  count?(batch: Batch): Promise<Record<string, number>>
  /**
   * What is reported, by name: of one step, of an epoch, or of an evaluation.
   *
   * @returns without a `loss`, the trainer reports loss / weight.
   */
  metrics(sums: Sums): Record<string, number>
  /** The model's answers for a batch, in the order of its items. */
  predict(batch: Batch): Promise<Answer[]>
}

/** What is added up over batches: the sums of `step` and the counts of `count`, by name. */
export interface Sums {
  readonly [name: string]: number
  /** What is minimised, unless the sums of `step` have another `loss`. */
  readonly loss: number
  readonly weight: number
}

/** A number to add up: on the device, on the host, or on its way there. */
export type Sum = Scalar | number | Promise<number>

/** What a task computes of a batch. */
export interface StepResult<Carry extends State> {
  /** What is minimised: summed over the batch, not its mean. */
  loss: Scalar
  /**
   * What is added up over batches, by name; `loss` takes the place of the minimised one, for instance without penalties. Compute
   * other tensors than the loss in `noGrad`: a tape that no backward pass runs through is freed only by the garbage collector.
   */
  sums: Record<string, Sum>
  /** Where the same streams go on in the next batch; null for tasks whose batches are independent. */
  carry: Carry
}

export type { State }
