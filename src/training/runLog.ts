import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory, removeTemporaries } from '../files/write.js'
import type { Running } from './callbacks.js'
import { saveCheckpoint } from './checkpoint.js'
import { appendEpoch, RESULTS, writeEpochs } from './records.js'

/**
 * Keeps the checkpoint and metrics.jsonl of a directory in step with a trainer. The checkpoint holds the records of all
 * epochs and is written first: whatever a process that was killed left of metrics.jsonl is written anew from it.
 */
export class RunLog {
  readonly #directory: string
  readonly #trainer: Running
  readonly #about: unknown
  /** Lines of metrics.jsonl. */
  #recorded = 0

  /** @param about for the checkpoints, as of `saveCheckpoint`. */
  constructor(directory: string, trainer: Running, about: unknown) {
    this.#directory = directory
    this.#trainer = trainer
    this.#about = about
  }

  /** Writes both as the trainer is, new or restored. What an earlier end found is no result of this run any more. */
  async begin(): Promise<void> {
    await makeDirectory(this.#directory)
    await removeTemporaries(this.#directory)
    await rm(join(this.#directory, RESULTS), { force: true })
    const { history } = this.#trainer
    this.#recorded = history.length
    await this.save()
    await writeEpochs(this.#directory, history)
  }

  /** Whether an epoch is over that is not recorded. */
  get due(): boolean {
    return this.#trainer.history.length > this.#recorded
  }

  /** Writes a checkpoint, and then the lines of the epochs that are over. */
  async save(): Promise<void> {
    const { history } = this.#trainer
    const epochs = history.slice(this.#recorded)
    await saveCheckpoint(this.#directory, await this.#trainer.state(), this.#about)
    for (const epoch of epochs) await appendEpoch(this.#directory, epoch)
    this.#recorded += epochs.length
  }
}
